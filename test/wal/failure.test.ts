/** A disk that fails under the writer. */
import { mkdtemp, open as openHandle, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { nodeFiles } from '#files';
import { type Log, LogPoisoned, MAIN, openLog, verifyLog } from '#wal';
import { deferred } from '../support/deferred.ts';
import { type Call, type Fault, type MemoryDisk, systemError } from './support/disk.ts';
import {
  collect,
  DIRECTORY,
  emptyDisk,
  FIRST,
  hex,
  knownBytes,
  open,
  position,
  recordsIn,
  text,
} from './support/logs.ts';

const full = systemError('ENOSPC');

/** A log with one record, whose disk then fails where `fails` says so. */
async function failing(fails: (call: Call) => Fault | undefined, limits = {}) {
  const disk = emptyDisk();
  const { log } = await open(disk, { limits });
  await log.append(MAIN, [text('safe')]);
  disk.fault = fails;
  return { disk, log };
}

function on(operation: Call['operation'], keep = 0) {
  return (call: Call) => (call.operation === operation ? { error: full, keep } : undefined);
}

async function rejection(done: Promise<unknown>): Promise<LogPoisoned> {
  const cause = await done.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (cause instanceof LogPoisoned) return cause;
  throw new Error('was not poisoned', { cause });
}

async function recordsAfter(disk: MemoryDisk): Promise<string[]> {
  const left = disk.processLoss();
  const { log } = await open(left);
  expect(await verifyLog(left.files, DIRECTORY)).toMatchObject({ ok: true, problems: [] });
  return recordsIn(log);
}

describe('a disk that fails', () => {
  it.each([0, 1, 47, 48, 300, 900])(
    'in the middle of a frame, after %i bytes, poisons the log and loses nothing else',
    async (keep) => {
      const { disk, log } = await failing(on('write', keep));
      const first = rejection(log.append(MAIN, [knownBytes('x', 1_000)]));
      expect(await first).toMatchObject({ cause: full, outcomeUnknown: true });
      expect(await log.poisoned).toBe(full);
      expect(log.head).toBe(1);
      expect(await recordsAfter(disk)).toEqual([hex(text('safe'))]);
    },
  );

  it('in a sync poisons the log: nothing is synced or written again', async () => {
    const { disk, log } = await failing(on('sync'));
    const queued = [text('a'), text('b')].map((record) => rejection(log.append(MAIN, [record])));
    for (const cause of await Promise.all(queued)) expect(cause.outcomeUnknown).toBe(true);
    disk.fault = () => undefined;
    disk.calls.length = 0;
    const later = await rejection(log.append(MAIN, [text('c')]));
    expect(later.outcomeUnknown).toBe(false);
    await rejection(log.waitFor(position(2)));
    expect((await log.close()).position).toBe(1);
    expect(disk.calls).toEqual([]);
    expect(disk.powerLoss().content(FIRST).length).toBeLessThan(disk.content(FIRST).length);
  });

  it('tells those that were written apart from those that waited', async () => {
    const { log } = await failing(on('sync'), { batchRecords: 1 });
    const written = rejection(log.append(MAIN, [text('a')]));
    const waiting = rejection(log.append(MAIN, [text('b')]));
    expect((await written).outcomeUnknown).toBe(true);
    expect((await waiting).outcomeUnknown).toBe(false);
  });

  it('ends followers with the poison', async () => {
    const { log } = await failing(on('sync'));
    const never = new AbortController().signal;
    const follower = rejection(collect(log.follow(MAIN, position(0), never)));
    await rejection(log.append(MAIN, [text('a')]));
    await follower;
  });

  it.each(['write', 'sync', 'create', 'syncDirectory'] as const)(
    'in a %s while a segment is rolled poisons the log',
    async (operation) => {
      const rolling = { segmentBytes: 300 };
      const { disk, log } = await failing(() => undefined, rolling);
      await log.append(MAIN, [text('safe too')]);
      disk.fault = on(operation, 30);
      await rejection(log.append(MAIN, [text('a')]));
      expect(await log.poisoned).toBe(full);
      expect(await recordsAfter(disk)).toEqual([hex(text('safe')), hex(text('safe too'))]);
    },
  );

  it('in the trailer of a close is told, and the next start seals', async () => {
    const { disk, log } = await failing(on('write', 30));
    await rejection(log.close());
    expect(await recordsAfter(disk)).toEqual([hex(text('safe'))]);
  });

  it('shows no frame to readers before it is durable', async () => {
    const { disk, log } = await failing(() => undefined);
    const held = deferred();
    const reached = deferred();
    disk.gate = (call) => {
      if (call.operation !== 'sync') return undefined;
      reached.resolve();
      return held.promise;
    };
    const appended = log.append(MAIN, [text('a')]);
    await reached.promise;
    expect(disk.content(FIRST).length).toBeGreaterThan(220);
    expect(log.head).toBe(1);
    expect(await recordsIn(log)).toEqual([hex(text('safe'))]);
    held.resolve();
    await appended;
    expect(await recordsIn(log)).toHaveLength(2);
  });
});

describe('a disk that writes less than it is asked to', () => {
  it('is asked again for the rest', async () => {
    const home = await mkdtemp(join(tmpdir(), 'aerostore-short-'));
    const handle = await openHandle(home, 'r');
    const prototype = Object.getPrototypeOf(handle);
    await handle.close();
    const whole = prototype.writev;
    const short = vi.spyOn(prototype, 'writev').mockImplementation(function (
      this: unknown,
      ...given: unknown[]
    ) {
      const [[first], at] = given as [Uint8Array[], number];
      return whole.call(this, [first?.subarray(0, 100)], at);
    });
    try {
      const options = { files: nodeFiles, directory: join(home, 'wal'), now: () => 1 };
      const random = (bytes: number) => knownBytes('a log', bytes);
      const { log } = await openLog({ ...options, random });
      await fill(log);
      await log.close();
      expect(short.mock.calls.length).toBeGreaterThan(10);
      const checked = await verifyLog(nodeFiles, join(home, 'wal'));
      expect(checked).toMatchObject({ ok: true, records: 5 });
    } finally {
      short.mockRestore();
      await rm(home, { recursive: true });
    }
  });
});

async function fill(log: Log): Promise<void> {
  for (let count = 0; count < 5; count++) await log.append(MAIN, [knownBytes('x', 777)]);
}

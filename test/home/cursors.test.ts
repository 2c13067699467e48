/** Cursors: written at most once a second, durable when told so, and never half. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { nodeFiles } from '#files';
import { type CursorOptions, openCursors, writeEveryMs } from '../../src/home/cursors.ts';
import { createFaultyDisk, Stopped } from '../support/faulty-disk.ts';
import { systemError, tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';

interface Timer {
  readonly ms: number;
  readonly fire: () => void;
}

async function place(more: Partial<CursorOptions> = {}) {
  const files = tappedFiles(nodeFiles);
  const cursors = await temporaryDirectory();
  const timers: Timer[] = [];
  const faults: string[] = [];
  const clock = { nowMs: 1_000_000 };
  const options: CursorOptions = {
    files,
    layout: { cursors },
    now: () => clock.nowMs,
    pause: (ms, signal) =>
      new Promise((resolve, reject) => {
        timers.push({
          ms,
          fire: () => {
            clock.nowMs += ms;
            resolve();
          },
        });
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    onFault: (name) => void faults.push(name),
    ...more,
  };
  const writes = () => files.calls.filter(({ operation }) => operation === 'rename').length;
  return { cursors, files, timers, clock, faults, writes, open: () => openCursors(options) };
}

const name = 'consumer-1';

test('what is kept is found by the next one', async () => {
  const { open } = await place();
  const first = open();
  expect(await first.read(name)).toBeUndefined();
  first.keep(name, { position: 3 });
  expect(await first.read(name)).toEqual({ position: 3 });
  await first.flush(name);
  expect(await open().read(name)).toEqual({ position: 3 });
});

test('however often something is kept, it is written once a second, the last of it', async () => {
  const { open, timers, writes } = await place();
  const cursors = open();
  for (let position = 0; position < 100; position += 1) cursors.keep(name, { position });
  await vi.waitFor(() => expect(writes()).toBe(1));
  for (let position = 100; position < 200; position += 1) cursors.keep(name, { position });
  await vi.waitFor(() => expect(timers.length).toBe(1));
  expect(writes()).toBe(1);
  expect(timers[0]?.ms).toBe(writeEveryMs);
  timers[0]?.fire();
  await vi.waitFor(() => expect(writes()).toBe(2));
  expect(await open().read(name)).toEqual({ position: 199 });
});

test('closing writes what is not yet written, without waiting', async () => {
  const { open, writes } = await place();
  const cursors = open();
  cursors.keep(name, { position: 1 });
  await vi.waitFor(() => expect(writes()).toBe(1));
  cursors.keep(name, { position: 2 });
  await cursors.close();
  expect(await open().read(name)).toEqual({ position: 2 });
});

test('a write that fails is told and tried again a second later', async () => {
  const { open, files, faults, timers, writes } = await place();
  let fails = true;
  files.tap = ({ operation }) => {
    if (operation === 'write' && fails) throw systemError('ENOSPC');
  };
  const cursors = open();
  cursors.keep(name, { position: 1 });
  await vi.waitFor(() => expect(timers.length).toBe(1));
  expect(faults).toEqual([name]);
  fails = false;
  timers[0]?.fire();
  await vi.waitFor(() => expect(writes()).toBe(1));
  expect(await open().read(name)).toEqual({ position: 1 });
});

test('what was removed does not come back by a write that waited', async () => {
  const { open, timers, cursors: directory } = await place();
  const cursors = open();
  cursors.keep(name, { position: 1 });
  await cursors.flush(name);
  cursors.keep(name, { position: 2 });
  await vi.waitFor(() => expect(timers.length).toBe(1));
  await cursors.remove(name);
  timers[0]?.fire();
  await cursors.close();
  expect(await readdir(directory)).toEqual([]);
});

test('a start removes what nobody owns any more, and what a crash left beside', async () => {
  const { open, cursors: directory } = await place();
  const cursors = open();
  for (const kept of [name, 'webhook-2']) {
    cursors.keep(kept, {});
    await cursors.flush(kept);
  }
  await writeFile(join(directory, 'webhook-2.new'), 'half');
  await open().keepOnly(new Set([name]));
  expect(await readdir(directory)).toEqual([name]);
});

describe('a damaged cursor', () => {
  test('is set aside and told, and begins anew', async () => {
    const { open, faults, cursors: directory } = await place();
    await writeFile(join(directory, name), '{"position":9}\nsomething else\n');
    expect(await open().read(name)).toBeUndefined();
    expect(faults).toEqual([name]);
    expect(await readdir(directory)).toEqual([`${name}.broken`]);
  });
});

test('the power goes at any call: what was flushed is there, or something newer, and never half', async () => {
  const begin = async () => {
    const disk = createFaultyDisk();
    await disk.files.makeDirectory('/c');
    await disk.files.syncDirectory('/');
    const open = (files = disk.files) =>
      openCursors({
        files,
        layout: { cursors: '/c' },
        now: () => 0,
        pause: () => new Promise(() => {}),
        onFault: () => {},
      });
    return { disk, open };
  };
  const run = async (cursors: ReturnType<typeof openCursors>, promised: { position: number }) => {
    for (const position of [1, 2, 3]) {
      cursors.keep(name, { position });
      await cursors.flush(name);
      promised.position = position;
    }
  };
  const counted = await begin();
  let calls = 0;
  counted.disk.inject = () => {
    calls += 1;
    return undefined;
  };
  await run(counted.open(), { position: 0 });
  expect(calls).toBeGreaterThan(10);
  for (let index = 1; index <= calls; index += 1) {
    const { disk, open } = await begin();
    let at = 0;
    disk.inject = () => {
      at += 1;
      return at === index ? { kind: 'stop', before: index % 2 === 0 } : undefined;
    };
    const promised = { position: 0 };
    await run(open(), promised).catch((fault: unknown) => {
      if (!(fault instanceof Stopped)) throw fault;
    });
    const found = await open(disk.powerLoss(index).files).read(name);
    const position = (found as { position: number } | undefined)?.position ?? 0;
    expect(position, `call ${index}`).toBeGreaterThanOrEqual(promised.position);
    expect(position).toBeLessThanOrEqual(promised.position + 1);
  }
});

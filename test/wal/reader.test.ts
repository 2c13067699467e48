/** Reading from the segments of a large log, from removed ones and from damaged ones. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeFiles } from '#files';
import { type Log, LogCorrupt, LogTruncated, MAIN, openLog } from '#wal';
import {
  collect,
  DIRECTORY,
  emptyDisk,
  hex,
  knownBytes,
  open,
  position,
  text,
} from './support/logs.ts';

const home = await mkdtemp(join(tmpdir(), 'aerostore-reader-'));
afterAll(() => rm(home, { recursive: true, force: true }));

/** Frames that are smaller and larger than what is read at once, 5 MiB in all, none in the ring. */
async function large(): Promise<Log> {
  const options = { files: nodeFiles, directory: join(home, 'large'), now: Date.now };
  const { log } = await openLog({ ...options, random: randomBytes, limits: { ringBytes: 0 } });
  const body = knownBytes('body', 200 * 1024);
  for (let index = 0; index < 60; index++) {
    const size = index % 3 === 0 ? body.length : 1_000 * (index % 3);
    const records = Array.from({ length: 1 + (index % 2) }, () => body.subarray(0, size));
    await log.append(MAIN, records);
  }
  return log;
}

describe('reading from segments', () => {
  it('begins at any position, the first time and when it knows its way', async () => {
    const log = await large();
    const all = await collect(log.read(MAIN, position(0)));
    expect(all.map(({ first }) => first)).toEqual(
      all.map((_, index) => 1 + index + Math.floor(index / 2)),
    );
    for (let round = 0; round < 2; round++) {
      for (let after = 0; after <= log.head; after += 7) {
        const expected = all.find(({ last }) => last > after);
        for await (const frame of log.read(MAIN, position(after))) {
          expect(frame.first).toBe(expected?.first);
          expect(frame.records.map(hex)).toEqual(expected?.records.map(hex));
          break;
        }
      }
    }
    await log.close();
  });

  it('tells a reader that what it is about to read was removed', async () => {
    const disk = emptyDisk();
    const { log } = await open(disk, { limits: { segmentBytes: 400, ringBytes: 0 } });
    for (let index = 0; index < 20; index++) await log.append(MAIN, [text(`record ${index}`)]);
    const read = async () => {
      for await (const _ of log.read(MAIN, position(0))) await log.truncateBefore(MAIN, log.head);
    };
    await expect(read()).rejects.toThrow(LogTruncated);
  });

  it('keeps a segment that can not be removed', async () => {
    const disk = emptyDisk();
    const { log } = await open(disk, { limits: { segmentBytes: 400 } });
    for (let index = 0; index < 20; index++) await log.append(MAIN, [text(`record ${index}`)]);
    disk.fault = ({ operation }) =>
      operation === 'remove' ? { error: new Error('busy') } : undefined;
    await expect(log.truncateBefore(MAIN, log.head)).rejects.toThrow('busy');
    expect(log.oldest).toBe(1);
    disk.fault = () => undefined;
    await log.truncateBefore(MAIN, log.head);
    expect(disk.names(DIRECTORY)).toHaveLength(1);
    expect((await open(disk)).log.head).toBe(20);
  });

  it('throws at a frame that was damaged after the start, and yields those before it', async () => {
    const disk = emptyDisk();
    const { log } = await open(disk, { limits: { segmentBytes: 400, ringBytes: 0 } });
    for (let index = 0; index < 20; index++) await log.append(MAIN, [text(`record ${index}`)]);
    const path = `${DIRECTORY}/${disk.names(DIRECTORY)[2]}`;
    const frames: number[] = [];
    const read = async () => {
      for await (const { first } of log.read(MAIN, position(0))) frames.push(first);
    };
    for (let at = 128; at < disk.content(path).length - 80; at += 5) {
      frames.length = 0;
      disk.content(path)[at] = (disk.content(path)[at] ?? 0) ^ 1;
      await expect(read()).rejects.toThrow(LogCorrupt);
      expect(frames).toEqual(frames.map((_, index) => index + 1));
      disk.content(path)[at] = (disk.content(path)[at] ?? 0) ^ 1;
    }
    await read();
  });
});

/** Looking at a log from outside, also while another process writes it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFiles } from '#files';
import { inspectLog, LogCorrupt, MAIN, openLog, readLog, type StoredFrame, verifyLog } from '#wal';
import { DIRECTORY, emptyDisk, hex, knownBytes, open, position, text } from './support/logs.ts';

const limits = { segmentBytes: 600 };

async function written(count = 20) {
  const disk = emptyDisk();
  const { log } = await open(disk, { limits });
  for (let index = 0; index < count; index++) await log.append(MAIN, [text(`record ${index}`)]);
  return { disk, log };
}

async function all(frames: AsyncIterable<StoredFrame>): Promise<StoredFrame[]> {
  const found: StoredFrame[] = [];
  for await (const frame of frames) found.push(frame);
  return found;
}

describe('looking at a log', () => {
  it('tells the facts of its segments and changes nothing', async () => {
    const { disk, log } = await written();
    disk.calls.length = 0;
    const facts = await inspectLog(disk.files, DIRECTORY);
    const names = disk.names(DIRECTORY);
    expect(facts).toMatchObject({ id: log.id, head: 20, oldest: 1, records: 20, tail: undefined });
    expect(facts.chain).toBe(hex(log.chainHead.chain));
    expect(facts.segments.map(({ file }) => file)).toEqual(names);
    expect(facts.segments.map(({ sealed }) => sealed)).toEqual(
      names.map((_, i) => i < names.length - 1),
    );
    expect(facts.segments[0]).toMatchObject({ first: 1, epoch: log.epoch, createdMs: log.epoch });
    const sizes = names.map((name) => disk.content(`${DIRECTORY}/${name}`).length);
    expect(facts.segments.map(({ sizeBytes }) => sizeBytes)).toEqual(sizes);
    expect(disk.calls).toEqual([]);
  });

  it('finds nothing where there is no log', async () => {
    const { files } = emptyDisk();
    expect(await inspectLog(files, DIRECTORY)).toMatchObject({ segments: [], records: 0, head: 0 });
    expect(await verifyLog(files, DIRECTORY)).toMatchObject({ ok: true, segments: 0 });
    expect(await all(readLog(files, DIRECTORY))).toEqual([]);
  });

  it('reads the frames after a position with the place where they lie', async () => {
    const { disk } = await written();
    const frames = await all(readLog(disk.files, DIRECTORY, { after: position(7) }));
    expect(frames.map(({ first }) => first)).toEqual(Array.from({ length: 13 }, (_, i) => i + 8));
    expect(frames.map(({ records }) => Buffer.from(records[0] ?? []).toString())[0]).toBe(
      'record 7',
    );
    const [{ segment, offset } = { segment: '', offset: 0 }] = frames;
    const bytes = disk.content(`${DIRECTORY}/${segment}`);
    expect(bytes.readUInt32LE(offset + 16)).toBe(8);
  });

  it('takes an unfinished end for a tail', async () => {
    const { disk } = await written();
    const name = disk.names(DIRECTORY).at(-1) ?? '';
    const path = `${DIRECTORY}/${name}`;
    disk.put(path, Buffer.concat([disk.content(path), knownBytes('x', 20)]));
    const tail = { file: name, sizeBytes: 20 };
    expect((await inspectLog(disk.files, DIRECTORY)).tail).toMatchObject(tail);
    expect(await verifyLog(disk.files, DIRECTORY)).toMatchObject({ ok: true, tail, records: 20 });
    expect(await all(readLog(disk.files, DIRECTORY))).toHaveLength(20);
    disk.put(`${DIRECTORY}/00000000000000000021.wal`, Buffer.alloc(5));
    const checked = await verifyLog(disk.files, DIRECTORY);
    expect(checked.ok).toBe(false);
  });

  it('finds every problem, one segment after the other', async () => {
    const { disk, log } = await written();
    const names = disk.names(DIRECTORY);
    for (const name of [names[0], names[2]]) {
      const path = `${DIRECTORY}/${name}`;
      disk.put(path, Buffer.from(disk.content(path)).fill(0x77, 200, 201));
    }
    const seen: number[] = [];
    const onProgress = ({ segments }: { segments: number }) => seen.push(segments);
    const checked = await verifyLog(disk.files, DIRECTORY, { onProgress });
    expect(checked.ok).toBe(false);
    expect(checked.problems.map(({ file }) => file)).toEqual([names[0], names[2]]);
    expect(checked.problems[0]).toMatchObject({ position: 1, offset: 128 });
    expect(checked.chain).toBe(hex(log.chainHead.chain));
    expect(seen).toEqual(names.map((_, index) => index + 1));
    await expect(all(readLog(disk.files, DIRECTORY))).rejects.toThrow(LogCorrupt);
  });

  it('finds a flipped bit anywhere in a sealed segment', async () => {
    const { disk } = await written(8);
    const path = `${DIRECTORY}/${disk.names(DIRECTORY)[0]}`;
    const bytes = Buffer.from(disk.content(path));
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const flipped = Buffer.from(bytes);
      flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit % 8));
      disk.put(path, flipped);
      expect((await verifyLog(disk.files, DIRECTORY)).ok, `bit ${bit}`).toBe(false);
    }
  });

  it('takes a log that is being written for what it is', async () => {
    const home = await mkdtemp(join(tmpdir(), 'aerostore-live-'));
    const directory = join(home, 'wal');
    const options = { files: nodeFiles, directory, now: Date.now, random: randomBytes };
    const { log } = await openLog({ ...options, limits: { segmentBytes: 20_000 } });
    let writing = true;
    const writer = (async () => {
      for (let index = 0; index < 400; index++) await log.append(MAIN, [knownBytes('x', 700)]);
      writing = false;
    })();
    for (let looks = 0; writing || looks === 0; looks++) {
      const { head } = log;
      const checked = await verifyLog(nodeFiles, directory);
      expect(checked.problems).toEqual([]);
      expect(checked.head).toBeGreaterThanOrEqual(head);
      expect((await inspectLog(nodeFiles, directory)).head).toBeGreaterThanOrEqual(checked.head);
    }
    await writer;
    await log.close();
    await rm(home, { recursive: true });
  });
});

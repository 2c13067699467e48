/** A repair keeps the longest valid prefix and every original, whatever was damaged and wherever it stops. */
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogBehindWitness, MAIN, planRepair, repairLog, verifyLog } from '#wal';
import type { MemoryDisk } from './support/disk.ts';
import {
  appendFrames,
  DIRECTORY,
  emptyDisk,
  open,
  position,
  recordsIn,
  text,
} from './support/logs.ts';

const starts = [
  [[text('one')], [text('two'), text('three')]],
  [[Buffer.alloc(40)], [text('five')], [text('six')]],
  [[text('seven')]],
];

/** Three segments: 1–3, 4–6, 7; the last is sealed, too. */
async function threeSegments(): Promise<MemoryDisk> {
  const disk = emptyDisk();
  for (const [index, frames] of starts.entries()) {
    const { log } = await open(disk, { nowMs: 1_700_000_000_000 + index });
    await appendFrames(log, frames);
    await log.close();
  }
  return disk;
}

const segments = (disk: MemoryDisk) => disk.names(DIRECTORY).filter((name) => /wal$/.test(name));

async function reopened(disk: MemoryDisk): Promise<string[]> {
  const { log } = await open(disk, { nowMs: 1_800_000_000_000 });
  const records = await recordsIn(log);
  await log.append(MAIN, [text('again')]);
  await log.close();
  expect(await verifyLog(disk.files, DIRECTORY)).toMatchObject({ ok: true });
  return records;
}

function flip(disk: MemoryDisk, name: string, at: number): void {
  const bytes = Buffer.from(disk.content(`${DIRECTORY}/${name}`));
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
  disk.put(`${DIRECTORY}/${name}`, bytes);
}

describe('a repair', () => {
  it('finds nothing to do in a whole log, nor in a torn one', async () => {
    const disk = await threeSegments();
    const whole = await planRepair(disk.files, DIRECTORY);
    expect(whole).toMatchObject({ damage: [], dropped: [], contradicted: [], head: 7 });
    expect(whole.lost).toBeUndefined();
    const [last = ''] = segments(disk).slice(-1);
    const bytes = disk.content(`${DIRECTORY}/${last}`);
    disk.put(`${DIRECTORY}/${last}`, bytes.subarray(0, bytes.length - 100));
    expect((await planRepair(disk.files, DIRECTORY)).damage).toEqual([]);
  });

  it('keeps what lies before any flipped bit of any segment, and every original', async () => {
    const whole = await threeSegments();
    const all = await recordsIn((await open(whole.processLoss())).log);
    let repaired = 0;
    for (const name of segments(whole)) {
      const size = whole.content(`${DIRECTORY}/${name}`).length;
      for (let at = 0; at < size; at += 1) {
        const disk = whole.processLoss();
        flip(disk, name, at);
        const damaged = new Map(
          segments(disk).map((file) => [file, Buffer.from(disk.content(`${DIRECTORY}/${file}`))]),
        );
        const plan = await planRepair(disk.files, DIRECTORY);
        expect(
          plan.damage.map(({ file }) => file),
          `${name} byte ${at}`,
        ).toContain(name);
        expect((await verifyLog(disk.files, DIRECTORY)).ok).toBe(false);
        const { kept } = await repairLog(disk.files, DIRECTORY, plan);
        for (const { file, keptAs } of kept) {
          expect(disk.content(`${DIRECTORY}/${keptAs}`)).toEqual(damaged.get(file));
        }
        const records = await reopened(disk);
        expect(records).toEqual(all.slice(0, plan.head));
        const first = Number(basename(name, '.wal'));
        expect(plan.head).toBeGreaterThanOrEqual(first - 1);
        repaired += 1;
      }
    }
    expect(repaired).toBeGreaterThan(1000);
  });

  it('loses nothing where only a trailer is damaged', async () => {
    const disk = await threeSegments();
    const [, middle = ''] = segments(disk);
    const all = await recordsIn((await open(disk.processLoss())).log);
    flip(disk, middle, disk.content(`${DIRECTORY}/${middle}`).length - 5);
    const plan = await planRepair(disk.files, DIRECTORY);
    expect(plan).toMatchObject({ head: 7, dropped: [], resealed: [{ file: middle }] });
    expect(plan.lost).toBeUndefined();
    await repairLog(disk.files, DIRECTORY, plan);
    expect(await reopened(disk)).toEqual(all);
  });

  it('says which positions go: also those of frames and files behind the damage', async () => {
    const disk = await threeSegments();
    const [, middle = '', last = ''] = segments(disk);
    flip(disk, middle, 200);
    const plan = await planRepair(disk.files, DIRECTORY);
    expect(plan).toMatchObject({
      head: 3,
      lost: { from: 4, to: 7 },
      cut: { file: middle, keptBytes: 128 },
      dropped: [{ file: last }],
    });
    disk.delete(`${DIRECTORY}/${last}`);
    expect((await planRepair(disk.files, DIRECTORY)).lost).toMatchObject({ from: 4, to: 6 });
  });

  it('names a segment that is gone, and what follows it', async () => {
    const disk = await threeSegments();
    const [, middle = '', last = ''] = segments(disk);
    disk.delete(`${DIRECTORY}/${middle}`);
    const plan = await planRepair(disk.files, DIRECTORY);
    expect(plan).toMatchObject({ head: 3, lost: { from: 4, to: 7 }, dropped: [{ file: last }] });
    expect(plan.damage).toMatchObject([{ file: last, position: 7 }]);
    await repairLog(disk.files, DIRECTORY, plan);
    expect(await reopened(disk)).toHaveLength(3);
  });

  it('tells the witnesses that contradict what is kept from those that agree', async () => {
    const disk = await threeSegments();
    const { chain } = await verifyLog(disk.files, DIRECTORY);
    const head = { name: 'head', position: position(7), chain: Buffer.from(chain ?? '', 'hex') };
    const other = { name: 'other', position: position(3), chain: Buffer.alloc(32) };
    const old = { name: 'old', position: position(2) };
    const witnesses = [head, other, old];
    const before = await planRepair(disk.files, DIRECTORY, witnesses);
    expect(before.contradicted.map(({ witness }) => witness.name)).toEqual(['other']);
    expect(before.lost).toBeUndefined();
    disk.delete(`${DIRECTORY}/${segments(disk).at(-1)}`);
    await expect(open(disk.processLoss(), { witnesses: [head] })).rejects.toThrow(LogBehindWitness);
    const after = await planRepair(disk.files, DIRECTORY, witnesses);
    expect(after.contradicted.map(({ witness }) => witness.name)).toEqual(['head', 'other']);
    expect(after.lost).toEqual({ from: 7, to: 7, sizeBytes: 0 });
  });

  it('is finished by the next one wherever it stops', async () => {
    const damaged = await threeSegments();
    const [first = '', middle = ''] = segments(damaged);
    flip(damaged, first, damaged.content(`${DIRECTORY}/${first}`).length - 5);
    flip(damaged, middle, 300);
    for (const loss of ['processLoss', 'powerLoss'] as const) {
      let steps = 0;
      for (let stopped = true; stopped; steps += 1) {
        const disk = damaged.processLoss();
        let calls = 0;
        disk.fault = () => {
          calls += 1;
          return calls > steps ? { error: new Error('stopped') } : undefined;
        };
        const plan = await planRepair(disk.files, DIRECTORY);
        stopped = await repairLog(disk.files, DIRECTORY, plan).then(
          () => false,
          () => true,
        );
        const next = disk[loss]();
        const rest = await planRepair(next.files, DIRECTORY);
        await repairLog(next.files, DIRECTORY, rest);
        expect(await reopened(next), `${loss} at call ${steps}`).toHaveLength(4);
      }
      expect(steps).toBeGreaterThan(10);
    }
  });
});

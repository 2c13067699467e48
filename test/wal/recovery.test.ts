/** What a start finds and does: segments, epochs, witnesses, and starts that were interrupted. */
import { describe, expect, it } from 'vitest';
import { LogBehindWitness, LogCorrupt, MAIN, verifyLog } from '#wal';
import { type MemoryDisk, systemError } from './support/disk.ts';
import {
  appendFrames,
  DIRECTORY,
  emptyDisk,
  FIRST,
  hex,
  knownBytes,
  type Opening,
  open,
  position,
  recordsIn,
  text,
} from './support/logs.ts';

const three = [[text('one')], [text('two')], [knownBytes('three', 900)]];
const small = { segmentBytes: 700 };

/** A log of several segments whose process was killed. */
async function rolled(count = 20): Promise<MemoryDisk> {
  const disk = emptyDisk();
  const { log } = await open(disk, { limits: small });
  for (let index = 0; index < count; index++) await log.append(MAIN, [text(`record ${index}`)]);
  return disk;
}

async function killed(given = three): Promise<MemoryDisk> {
  const disk = emptyDisk();
  const { log } = await open(disk);
  await appendFrames(log, given);
  return disk;
}

function path(name: string | undefined): string {
  return `${DIRECTORY}/${name}`;
}

function edit(disk: MemoryDisk, name: string, change: (bytes: Buffer) => Uint8Array): void {
  disk.put(path(name), change(Buffer.from(disk.content(path(name)))));
}

describe('a start', () => {
  it('creates a log where there is none', async () => {
    const disk = emptyDisk();
    const { log, report } = await open(disk);
    expect(report).toEqual({ created: true, segments: 0, frames: 0, head: 0 });
    expect(log.id).toBe(hex(knownBytes('a log', 16)));
    expect(disk.names(DIRECTORY)).toEqual(['00000000000000000001.wal']);
  });

  it('seals the segment of the last process and begins one of its own', async () => {
    const disk = await killed();
    const { log, report } = await open(disk);
    expect(report).toEqual({ created: false, segments: 1, frames: 3, head: 3 });
    expect(await recordsIn(log)).toEqual(three.flat().map(hex));
    expect(disk.names(DIRECTORY)).toEqual(['00000000000000000001.wal', '00000000000000000004.wal']);
    expect(await log.append(MAIN, [text('four')])).toMatchObject({ first: 4 });
    expect(await verifyLog(disk.files, DIRECTORY)).toMatchObject({ ok: true, records: 4 });
  });

  it('takes the place of a segment without frames', async () => {
    const disk = await killed();
    for (let start = 0; start < 3; start++) await (await open(disk)).log.close();
    expect(disk.names(DIRECTORY)).toHaveLength(2);
  });

  it('gives epochs that strictly grow although the clock goes back', async () => {
    const disk = emptyDisk();
    const epochs: number[] = [];
    for (const nowMs of [5_000, 5_000, 4_000, 9_000, 1]) {
      const { log } = await open(disk, { nowMs });
      await log.append(MAIN, [text('x')]);
      epochs.push(log.epoch);
    }
    const { log } = await open(disk, { nowMs: 1 });
    await log.close();
    epochs.push(log.epoch, (await open(disk, { nowMs: 1 })).log.epoch);
    expect(epochs).toEqual([5_000, 5_001, 5_002, 9_000, 9_001, 9_002, 9_003]);
    expect(await verifyLog(disk.files, DIRECTORY)).toMatchObject({ ok: true });
  });

  it('keeps the commit time from going back over a start', async () => {
    const disk = emptyDisk();
    for (const nowMs of [9_000, 4_000]) {
      const { log } = await open(disk, { nowMs });
      expect(await log.append(MAIN, [text('x')])).toMatchObject({ timeMs: 9_000 });
    }
  });

  it('cuts off a torn frame and keeps the segment as it was', async () => {
    const disk = await killed();
    edit(disk, '00000000000000000001.wal', (bytes) => bytes.subarray(0, -10));
    const before = Buffer.from(disk.content(FIRST));
    const { log, report } = await open(disk);
    expect(report.torn).toMatchObject({ file: '00000000000000000001.wal', sizeBytes: 974 });
    expect(report.head).toBe(2);
    expect(disk.content(path(report.torn?.keptAs)).equals(before)).toBe(true);
    expect(await recordsIn(log)).toEqual(three.slice(0, 2).flat().map(hex));
  });

  it('keeps every broken segment under a name of its own', async () => {
    const disk = emptyDisk();
    for (let count = 0; count < 3; count++) {
      const { log } = await open(disk);
      await log.append(MAIN, [knownBytes('x', 900)]);
      edit(disk, '00000000000000000001.wal', (bytes) => bytes.subarray(0, -10));
    }
    await open(disk);
    const broken = disk.names(DIRECTORY).filter((name) => name.includes('.broken'));
    expect(broken).toEqual(['', '-2', '-3'].map((n) => `00000000000000000001.wal.broken${n}`));
  });

  it('sets aside a last segment whose header was not written whole', async () => {
    for (const size of [0, 1, 127]) {
      const disk = await killed();
      await (await open(disk)).log.close();
      edit(disk, '00000000000000000004.wal', (bytes) => bytes.subarray(0, size));
      const { log, report } = await open(disk);
      expect(report.setAside).toEqual({
        file: '00000000000000000004.wal',
        keptAs: '00000000000000000004.wal.broken',
      });
      expect(await recordsIn(log)).toEqual(three.flat().map(hex));
    }
  });

  it('refuses a segment that is missing, cut short or damaged before the last one', async () => {
    const names = (await rolled()).names(DIRECTORY);
    expect(names.length).toBeGreaterThan(3);
    for (const name of names.slice(0, -1)) {
      const changes: ((disk: MemoryDisk) => void)[] = [
        (disk) => edit(disk, name, (bytes) => bytes.subarray(0, -8)),
        (disk) => edit(disk, name, (bytes) => bytes.subarray(0, 128)),
        (disk) => edit(disk, name, () => Buffer.alloc(0)),
        (disk) => edit(disk, name, (bytes) => bytes.fill((bytes[40] ?? 0) ^ 1, 40, 41)),
        (disk) => edit(disk, name, (bytes) => bytes.fill(0, bytes.length - 40)),
      ];
      if (name !== names[0]) changes.push((disk) => disk.delete(path(name)));
      for (const [index, change] of changes.entries()) {
        const disk = await rolled();
        const before = disk.content(path(name));
        change(disk);
        const same =
          disk.names(DIRECTORY).includes(name) && disk.content(path(name)).equals(before);
        if (same) continue;
        disk.calls.length = 0;
        await expect(open(disk), `${name} ${index}`).rejects.toThrow(LogCorrupt);
        expect(disk.calls).toEqual([]);
      }
    }
  });

  it('refuses a segment under a wrong name and a segment of another log', async () => {
    const disk = await rolled();
    const [, second = '', third = ''] = disk.names(DIRECTORY);
    const other = emptyDisk();
    const { log } = await open(other, { limits: small, seed: 'another log' });
    for (let index = 0; index < 20; index++) await log.append(MAIN, [text(`record ${index}`)]);
    expect(other.names(DIRECTORY)).toContain(second);
    disk.put(path(second), other.content(path(second)));
    await expect(open(disk)).rejects.toThrow(/another log/);
    const swapped = await rolled();
    swapped.put(path(second), swapped.content(path(third)));
    await expect(open(swapped)).rejects.toThrow(/header is for position/);
  });

  it('refuses a segment of another history of the same log', async () => {
    const disk = await rolled();
    const other = emptyDisk();
    const { log } = await open(other, { limits: small });
    for (let index = 0; index < 20; index++) await log.append(MAIN, [text(`RECORD ${index}`)]);
    expect(other.names(DIRECTORY)).toEqual(disk.names(DIRECTORY));
    for (const name of disk.names(DIRECTORY).slice(1)) {
      const mixed = await rolled();
      mixed.put(path(name), other.content(path(name)));
      await expect(open(mixed)).rejects.toThrow(/chain value/);
      expect((await verifyLog(mixed.files, DIRECTORY)).ok).toBe(false);
    }
  });

  it('refuses a segment without a trailer before one whose header was not written', async () => {
    const disk = await killed();
    disk.put(path('00000000000000000004.wal'), Buffer.alloc(10));
    await expect(open(disk)).rejects.toThrow(/has no trailer/);
  });

  it('goes on with a log whose oldest segments were removed', async () => {
    const disk = await rolled();
    const { log } = await open(disk);
    await log.truncateBefore(MAIN, position(10));
    const { oldest } = log;
    expect(oldest).toBeGreaterThan(1);
    const again = await open(disk);
    expect(again.log.oldest).toBe(oldest);
    expect(await recordsIn(again.log)).toHaveLength(21 - oldest);
  });
});

describe('a witness', () => {
  it('is believed when the log holds what it remembers', async () => {
    const disk = emptyDisk();
    const { log } = await open(disk, { limits: small });
    const heads = [log.chainHead];
    for (let index = 0; index < 20; index++) {
      await log.append(MAIN, [text(`record ${index}`)]);
      heads.push(log.chainHead);
    }
    const witnesses = heads.map((head) => ({ name: `fence ${head.position}`, ...head }));
    await (await open(disk, { witnesses })).log.close();
    expect(await verifyLog(disk.files, DIRECTORY, { witnesses })).toMatchObject({ ok: true });
    const other = { name: 'snapshot', position: position(7), chain: knownBytes('x', 32) };
    await expect(open(disk, { witnesses: [other] })).rejects.toThrow(/snapshot/);
    const checked = await verifyLog(disk.files, DIRECTORY, { witnesses: [other] });
    expect(checked.problems).toHaveLength(1);
  });

  it('of more than the log holds stops the start before anything is changed', async () => {
    const disk = await killed();
    edit(disk, '00000000000000000001.wal', (bytes) => bytes.subarray(0, -10));
    disk.calls.length = 0;
    const witnesses = [{ name: 'clean marker', position: position(3) }];
    const refusal = await open(disk, { witnesses }).catch((cause) => cause);
    expect(refusal).toBeInstanceOf(LogBehindWitness);
    expect(refusal).toMatchObject({ witness: 'clean marker', position: 3, head: 2 });
    expect(disk.calls).toEqual([]);
    await expect(open(emptyDisk(), { witnesses })).rejects.toThrow(LogBehindWitness);
  });
});

describe('a stop at any step', () => {
  const cases: { name: string; make: () => Promise<MemoryDisk>; records: Uint8Array[] }[] = [
    { name: 'of the first start', make: async () => emptyDisk(), records: [] },
    { name: 'of a start', make: () => killed(), records: three.flat() },
    {
      name: 'of a start after a clean stop',
      make: async () => {
        const disk = await killed();
        await (await open(disk)).log.close();
        return disk;
      },
      records: three.flat(),
    },
    {
      name: 'of a recovery',
      make: async () => {
        const disk = await killed();
        edit(disk, '00000000000000000001.wal', (bytes) => bytes.subarray(0, -10));
        return disk;
      },
      records: three.slice(0, 2).flat(),
    },
    {
      name: 'of a recovery that leaves no frame',
      make: async () => {
        const disk = await killed([[knownBytes('x', 900)]]);
        edit(disk, '00000000000000000001.wal', (bytes) => bytes.subarray(0, 300));
        return disk;
      },
      records: [],
    },
  ];

  it.each(cases)('$name is recovered by the next start', async ({ make, records }) => {
    const expected = records.map(hex);
    let steps = 0;
    for (let finished = false; !finished; steps++) {
      for (const keep of [0, 60]) {
        const disk = await make();
        breakAfter(disk, steps, keep);
        finished = await open(disk).then(
          () => true,
          () => false,
        );
        // A loss of power after each of two tries, and a killed process.
        const lost = disk.powerLoss();
        breakAfter(lost, steps, keep);
        await open(lost).catch(() => {});
        for (const left of [disk.processLoss(), disk.powerLoss(), lost.powerLoss()]) {
          const { log } = await open(left);
          expect(await recordsIn(log), `step ${steps}`).toEqual(expected);
          await log.append(MAIN, [text('on')]);
          expect(await verifyLog(left.files, DIRECTORY)).toMatchObject({ ok: true });
        }
      }
    }
    expect(steps).toBeGreaterThan(3);
  });

  it('of appends over rolling segments loses nothing that was answered', async () => {
    for (let steps = 4; steps < 60; steps++) {
      for (const keep of [0, 20, 60, 110]) {
        const disk = emptyDisk();
        const { log } = await open(disk, { limits: small } as Opening);
        breakAfter(disk, steps, keep);
        const answered = await appendUntilBroken(log.append);
        for (const left of [disk.processLoss(), disk.powerLoss()]) {
          const again = await open(left);
          const found = await recordsIn(again.log);
          expect(found.slice(0, answered.length)).toEqual(answered);
          expect(found.length - answered.length).toBeLessThanOrEqual(1);
        }
      }
    }
  });
});

/** The disk fails with the call number `steps` and with all that follow. */
function breakAfter(disk: MemoryDisk, steps: number, keep: number): void {
  disk.calls.length = 0;
  disk.fault = () => (disk.calls.length >= steps ? { error: systemError('EIO'), keep } : undefined);
}

async function appendUntilBroken(
  append: Awaited<ReturnType<typeof open>>['log']['append'],
): Promise<string[]> {
  const answered: string[] = [];
  for (let index = 0; index < 20; index++) {
    const record = text(`record ${index}`);
    const done = await append(MAIN, [record]).catch(() => undefined);
    if (done === undefined) break;
    answered.push(hex(record));
  }
  return answered;
}

/** Every way in which the bytes of a segment can be wrong: torn is cut off, damaged is refused. */
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { LogCorrupt, MAIN, readLog } from '#wal';
import type { MemoryDisk } from './support/disk.ts';
import {
  appendFrames,
  DIRECTORY,
  emptyDisk,
  FIRST,
  hex,
  knownBytes,
  type Opening,
  open,
  recordsIn,
  text,
} from './support/logs.ts';

const oneBit = Buffer.alloc(600);
oneBit[100] = 1;
const metadata = text(JSON.stringify({ type: 'object.stored', v: 1, path: 'a/b', size: 12 }));

/** Frames full of zeros, with a single bit, of metadata, small ones, one of several records. */
const frames: Uint8Array[][] = [
  [metadata],
  [Buffer.alloc(700)],
  [text('')],
  [metadata, oneBit, metadata],
  [Buffer.alloc(3)],
  [oneBit],
];

/** Frames of one or two records that are zeros for the most part. */
const sparse = fc.tuple(fc.nat(1_500), fc.uint8Array({ maxLength: 20 })).map(([zeros, bytes]) => {
  return Buffer.concat([Buffer.alloc(zeros), bytes]);
});
const given = fc.array(fc.array(sparse, { minLength: 1, maxLength: 2 }), {
  minLength: 1,
  maxLength: 4,
});

interface Sample {
  readonly bytes: Buffer;
  /** Where each frame of records begins and the last one ends. */
  readonly edges: number[];
}

/** The first segment of a log as a crash leaves it, or sealed. */
async function sample(given = frames, opening: Opening & { sealed?: boolean } = {}) {
  const disk = emptyDisk();
  const { log } = await open(disk, opening);
  await appendFrames(log, given);
  const unsealed = disk.content(FIRST).length;
  if (opening.sealed) await log.close();
  return { bytes: disk.content(FIRST), edges: [...(await offsets(disk)), unsealed] };
}

async function offsets(disk: MemoryDisk): Promise<number[]> {
  const all: number[] = [];
  for await (const frame of readLog(disk.files, DIRECTORY)) all.push(frame.offset);
  return all;
}

function diskWith(bytes: Uint8Array): MemoryDisk {
  const disk = emptyDisk();
  disk.folders.set(DIRECTORY, { names: new Map(), durable: new Map() });
  disk.put(FIRST, bytes);
  return disk;
}

/** Recovers `bytes` and returns the records, or 'refused' where nothing was changed. */
async function recover(bytes: Uint8Array): Promise<string[] | 'refused'> {
  const disk = diskWith(bytes);
  try {
    const { log } = await open(disk);
    return await recordsIn(log);
  } catch (cause) {
    if (!(cause instanceof LogCorrupt)) throw cause;
    expect(disk.calls).toEqual([]);
    expect(cause.file).toBe('00000000000000000001.wal');
    return 'refused';
  }
}

function recordsOfFirst(count: number, given = frames): string[] {
  return given.slice(0, count).flatMap((records) => records.map(hex));
}

function wholeFrames({ edges }: Sample, length: number): number {
  return edges.slice(1).filter((edge) => edge <= length).length;
}

describe('a segment with damage', () => {
  it('is refused for every single flipped bit', async () => {
    const { bytes } = await sample();
    await refuseFlips(bytes, 0);
    expect(await recover(bytes)).toEqual(recordsOfFirst(frames.length));
  }, 60_000);

  it('is refused for every single flipped bit of its trailer and the frame before', async () => {
    const { bytes, edges } = await sample(frames, { sealed: true });
    await refuseFlips(bytes, edges.at(-2) ?? 0);
    expect(await recover(bytes)).toEqual(recordsOfFirst(frames.length));
  });

  it('is refused for every single byte that became zero or another one', async () => {
    const { bytes } = await sample();
    for (const [at, byte] of bytes.entries()) {
      for (const other of [0, 0xff, byte ^ 0x5a]) {
        if (other === byte) continue;
        bytes[at] = other;
        expect(await recover(bytes), `byte ${at} = ${other}`).toBe('refused');
      }
      bytes[at] = byte;
    }
  });

  it.each([{ sealed: false }, { sealed: true }])(
    'recovers the exact prefix of whole frames at every truncation (sealed: $sealed)',
    async ({ sealed }) => {
      const found = await sample(frames, { sealed });
      for (let length = 0; length <= found.bytes.length; length++) {
        const whole = wholeFrames(found, length);
        const records = await recover(found.bytes.subarray(0, length));
        expect(records, `${length} bytes`).toEqual(recordsOfFirst(whole));
      }
    },
  );

  it('loses only the last frame when any of its sectors was never written', async () => {
    const large = [[metadata], [knownBytes('large', 3_000)]];
    for (const given of [frames, large]) {
      const { bytes, edges } = await sample(given);
      const [start = 0, end = 0] = edges.slice(-2);
      for (let at = start; at < end; at = sectorEnd(at)) {
        const torn = Buffer.from(bytes).fill(0, at, Math.min(sectorEnd(at), end));
        expect(await recover(torn)).toEqual(recordsOfFirst(given.length - 1, given));
      }
      const zeros = Buffer.from(bytes).fill(0, start, end);
      expect(await recover(zeros)).toEqual(recordsOfFirst(given.length - 1, given));
    }
  });

  test.prop([given, fc.array(fc.nat(), { minLength: 1, maxLength: 8 })], { numRuns: 150 })(
    'recovers the exact prefix whichever sectors of the last frame were never written',
    async (records, missing) => {
      const { bytes, edges } = await sample(records);
      const [start = 0, end = 0] = edges.slice(-2);
      const parts: number[] = [];
      for (let at = start; at < end; at = sectorEnd(at)) parts.push(at);
      for (const pick of missing) {
        const at = parts[pick % parts.length] ?? start;
        bytes.fill(0, at, Math.min(sectorEnd(at), end));
      }
      expect(await recover(bytes)).toEqual(recordsOfFirst(records.length - 1, records));
    },
  );

  test.prop([given, fc.nat(), fc.nat(7)], { numRuns: 300 })(
    'is refused for a flipped bit anywhere, whatever its frames hold',
    async (records, place, bit) => {
      const { bytes } = await sample(records);
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      expect(await recover(bytes)).toBe('refused');
    },
  );

  it('is refused when sectors before the last frame are zero', async () => {
    const { bytes, edges } = await sample();
    const lastStart = edges.at(-2) ?? 0;
    for (let at = 128; at < lastStart; at = sectorEnd(at)) {
      const damaged = Buffer.from(bytes).fill(0, at, Math.min(sectorEnd(at), lastStart));
      expect(await recover(damaged)).toBe('refused');
    }
  });

  it('is refused when it has a torn end behind a damaged frame', async () => {
    const { bytes, edges } = await sample();
    const [damagedAt = 0, lastAt = 0, end = 0] = edges.slice(-3);
    const torn = Buffer.from(bytes.subarray(0, end - 8));
    torn[damagedAt + 50] = (torn[damagedAt + 50] ?? 0) ^ 1;
    expect(await recover(torn)).toBe('refused');
    const zeroed = Buffer.from(bytes).fill(0, lastAt);
    zeroed[damagedAt + 50] = (zeroed[damagedAt + 50] ?? 0) ^ 1;
    expect(await recover(zeroed)).toBe('refused');
  });

  it('is refused when a frame is there twice, swapped, missing or behind the trailer', async () => {
    const { bytes, edges } = await sample();
    const part = (index: number) => bytes.subarray(edges[index], edges[index + 1]);
    const head = bytes.subarray(0, edges[0]);
    const all = frames.map((_, index) => part(index));
    const orders = [
      [0, 1, 2, 3, 4, 5, 5],
      [0, 1, 1, 2, 3, 4, 5],
      [0, 0, 1, 2, 3, 4, 5],
      [1, 0, 2, 3, 4, 5],
      [0, 1, 2, 3, 5, 4],
      [0, 1, 3, 4, 5],
      [1, 2, 3, 4, 5],
      [0, 1, 2, 3, 5],
    ];
    for (const order of orders) {
      const parts = order.map((index) => all[index] ?? head);
      expect(await recover(Buffer.concat([head, ...parts])), order.join()).toBe('refused');
    }
    const sealed = await sample(frames, { sealed: true });
    for (const more of [part(5), Buffer.alloc(8), Buffer.alloc(600)]) {
      expect(await recover(Buffer.concat([sealed.bytes, more]))).toBe('refused');
    }
  });

  it('is refused when a frame lies inside of what looks like a torn one', async () => {
    const { bytes, edges } = await sample([[metadata], [knownBytes('large', 3_000)]]);
    const [start = 0, end = 0] = edges.slice(-2);
    const stray = bytes.subarray(edges[0], edges[1]);
    const torn = Buffer.from(bytes).fill(0, sectorEnd(start), end - 8);
    expect(await recover(torn)).toEqual([hex(metadata)]);
    stray.copy(torn, sectorEnd(start) + 512);
    for (const kept of [end, end - 8]) {
      expect(await recover(torn.subarray(0, kept))).toBe('refused');
    }
  });

  it('is refused when it holds a frame of another log', async () => {
    const same = frames.map(() => [metadata]);
    const ours = await sample(same);
    const theirs = await sample(same, { seed: 'another log' });
    expect(theirs.edges).toEqual(ours.edges);
    for (let index = 0; index < same.length; index++) {
      const mixed = Buffer.from(ours.bytes);
      const [from, to] = ours.edges.slice(index);
      theirs.bytes.copy(mixed, from, from, to);
      expect(await recover(mixed)).toBe('refused');
    }
  });

  it('is refused when it holds a frame of an earlier segment', async () => {
    const disk = emptyDisk();
    await (await openWith(disk, [[metadata]])).close();
    await openWith(disk, [[metadata]]);
    const second = `${DIRECTORY}/00000000000000000002.wal`;
    const stale = disk.content(FIRST).subarray(128, disk.content(second).length);
    disk.put(second, Buffer.concat([disk.content(second), stale]));
    await expect(open(disk)).rejects.toThrow(LogCorrupt);
  });

  it('does not take user bytes for a frame, not even those of its own segment', async () => {
    const { bytes } = await sample();
    for (let shift = 0; shift < 8; shift++) {
      const tricky = Buffer.concat([Buffer.alloc(shift), bytes, bytes.subarray(128)]);
      const given = [...frames, [tricky]];
      const found = await sample(given);
      const start = found.edges.at(-2) ?? 0;
      for (let length = start; length < found.bytes.length; length += 37) {
        const records = await recover(found.bytes.subarray(0, length));
        expect(records).toEqual(recordsOfFirst(frames.length));
      }
      expect(await recover(found.bytes)).toEqual(recordsOfFirst(given.length, given));
    }
  });
});

async function refuseFlips(bytes: Buffer, from: number): Promise<void> {
  for (let bit = from * 8; bit < bytes.length * 8; bit++) {
    const at = bit >>> 3;
    const byte = bytes[at] ?? 0;
    bytes[at] = byte ^ (1 << (bit % 8));
    expect(await recover(bytes), `bit ${bit}`).toBe('refused');
    bytes[at] = byte;
  }
}

async function openWith(disk: MemoryDisk, given: Uint8Array[][]) {
  const { log } = await open(disk);
  for (const records of given) await log.append(MAIN, records);
  return log;
}

function sectorEnd(at: number): number {
  return (Math.floor(at / 512) + 1) * 512;
}

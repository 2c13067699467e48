/**
 * Wrong bytes in a small pack: each bit flipped, each length cut, in the pack, the checkpoint and the
 * rows of the index, before a start that trusts the checkpoint and before one that reads everything. No
 * blob is ever given out as other bytes than were stored; where its body is whole it is given out.
 */
import { describe, expect, test } from 'vitest';
import {
  BlobDamaged,
  BlobMissing,
  type BlobStore,
  type Staged,
} from '../../../src/blobs/blob-store.ts';
import { NEEDLE_HEADER_BYTES, PACK_HEADER_BYTES } from '../../../src/blobs/packs/format.ts';
import { readPack } from '../../../src/blobs/packs/read-pack.ts';
import { blobIds, collect, patterned, reusingItsChunk } from '../../support/bodies.ts';
import { createFaultyDisk, type FaultyDisk } from '../../support/faulty-disk.ts';
import { type ForgetfulIndex, forgetfulIndex } from '../../support/forgetful-index.ts';
import { openWithPacks } from './store-of-packs.ts';

const directory = '/data';
const packPath = '/data/packs/0000000001.pack';
const bodies = [patterned(0), patterned(5, 2), patterned(24, 3), Buffer.alloc(16)];

interface AtRest {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly folders: readonly string[];
  readonly rows: ReadonlyMap<string, Buffer>;
  readonly facts: readonly Staged[];
  /** Where the bodies lie in the pack. */
  readonly spans: readonly { readonly from: number; readonly to: number }[];
}

/** A pack of a few needles: closed in good order, or left open by a kill. */
async function atRest(ending: 'closed' | 'killed'): Promise<AtRest> {
  const disk = createFaultyDisk();
  await disk.files.makeDirectory(directory);
  const index = forgetfulIndex();
  const store = await openWithPacks({ files: disk.files, directory, newBlobId: blobIds(), index });
  const facts: Staged[] = [];
  for (const body of bodies) {
    facts.push(await store.stage(reusingItsChunk(body, 50), { maxBytes: 1000 }));
  }
  await store.publish(facts.map(({ blobId }) => blobId));
  for await (const _thing of store.published());
  if (ending === 'closed') await store.close();
  const { needles } = await readPack(disk.files, `${directory}/packs`, 1);
  const files = new Map<string, Buffer>();
  const folders: string[] = [];
  for (const path of disk.paths()) {
    const bytes = disk.peek(path);
    if (bytes) files.set(path, Buffer.from(bytes));
    else folders.push(path);
  }
  const spans = needles.map(({ offset, length }) => ({
    from: offset + NEEDLE_HEADER_BYTES,
    to: offset + NEEDLE_HEADER_BYTES + length,
  }));
  return { files, folders, rows: new Map(index.rows), facts, spans };
}

async function copyOf({ files, folders, rows }: AtRest) {
  const disk = createFaultyDisk();
  for (const folder of folders) await disk.files.makeDirectory(folder);
  for (const [path, bytes] of files) {
    await (await disk.files.open(path, 'create')).close();
    disk.poke(path, bytes);
  }
  const index = forgetfulIndex();
  index.rows = new Map(rows);
  return { disk, index };
}

async function opened(disk: FaultyDisk, index: ForgetfulIndex): Promise<BlobStore> {
  const store = await openWithPacks({ files: disk.files, directory, newBlobId: blobIds(), index });
  await store.clearStaging(async () => true);
  return store;
}

type Outcome = 'right' | 'refused' | 'missing';

/** Throws where other bytes than were stored are given out as whole. */
async function read(store: BlobStore, facts: Staged, body: Uint8Array): Promise<Outcome> {
  try {
    const blob = await store.open(facts);
    const whole = Buffer.from(await collect(blob.bytes()));
    if (!whole.equals(body)) throw new Error('other bytes were given out as whole');
    if (body.byteLength > 0) {
      const part = await collect(blob.bytes({ start: 0, end: body.byteLength - 1 }));
      if (!Buffer.from(part).equals(body)) throw new Error('other bytes were given out as a range');
    }
    return 'right';
  } catch (fault) {
    if (fault instanceof BlobDamaged) return 'refused';
    if (fault instanceof BlobMissing) return 'missing';
    throw fault;
  }
}

async function outcomes(store: BlobStore, { facts }: AtRest): Promise<Outcome[]> {
  const all: Outcome[] = [];
  for (const [at, one] of facts.entries()) {
    all.push(await read(store, one, bodies[at] ?? Buffer.of()));
  }
  return all;
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return changed;
}

const starts = [
  { name: 'closed, with its index', ending: 'closed', index: 'kept' },
  { name: 'closed, without its index', ending: 'closed', index: 'lost' },
  { name: 'left open, with its index', ending: 'killed', index: 'kept' },
  { name: 'left open, without its index', ending: 'killed', index: 'lost' },
] as const;

describe.each(starts)('a pack, $name', ({ ending, index: indexIs }) => {
  test('every flipped bit: a body that is whole is given out, any other refused', async () => {
    const rest = await atRest(ending);
    const pack = rest.files.get(packPath) ?? Buffer.of();
    const counts = { right: 0, refused: 0, missing: 0 };
    for (let bit = 0; bit < pack.length * 8; bit += 1) {
      const { disk, index } = await copyOf(rest);
      disk.poke(packPath, flipped(pack, bit));
      if (indexIs === 'lost') index.destroy();
      const store = await opened(disk, index);
      const seen = await outcomes(store, rest);
      const holds = (from: number, to: number) => bit >> 3 >= from && bit >> 3 < to;
      for (const [at, outcome] of seen.entries()) {
        counts[outcome] += 1;
        const { from = 0, to = 0 } = rest.spans[at] ?? {};
        const inHeader = holds(from - NEEDLE_HEADER_BYTES, from);
        // Neither an index nor a footer nor a header: nobody knows that it was there.
        const isForgotten = inHeader && ending === 'killed' && indexIs === 'lost';
        const expected = holds(from, to) ? 'refused' : isForgotten ? 'missing' : 'right';
        expect(outcome, `bit ${bit}, blob ${at}`).toBe(expected);
      }
      await store.close();
    }
    console.log(`${ending}, index ${indexIs}:`, counts);
  }, 120_000);

  test('every length: what is cut off is refused or missing, the rest is right', async () => {
    const rest = await atRest(ending);
    const pack = rest.files.get(packPath) ?? Buffer.of();
    for (let length = 0; length < pack.length; length += 1) {
      const { disk, index } = await copyOf(rest);
      disk.poke(packPath, pack.subarray(0, length));
      if (indexIs === 'lost') index.destroy();
      const store = await opened(disk, index);
      for (const [at, outcome] of (await outcomes(store, rest)).entries()) {
        const end = rest.spans[at]?.to ?? 0;
        if (length >= end && length >= PACK_HEADER_BYTES)
          expect(outcome, `cut to ${length}`).toBe('right');
        // The cut end of zeros is read as zeros where a footer was added behind it.
        else if (at === 1 || at === 2) expect(outcome, `cut to ${length}`).not.toBe('right');
      }
      await store.close();
    }
  }, 120_000);
});

describe('the index', () => {
  test.each(['flipped', 'gone'] as const)(
    'every row %s: every blob is still found',
    async (how) => {
      const rest = await atRest('closed');
      let trials = 0;
      for (const [key, row] of rest.rows) {
        for (let bit = 0; bit < (how === 'flipped' ? row.length * 8 : 1); bit += 1) {
          const { disk, index } = await copyOf(rest);
          if (how === 'gone') index.rows.delete(key);
          else index.rows.set(key, flipped(row, bit));
          const store = await opened(disk, index);
          expect(await outcomes(store, rest), `${key}, bit ${bit}`).toEqual(
            bodies.map(() => 'right'),
          );
          for (const { blobId } of rest.facts) expect(await store.has(blobId)).toBe(true);
          await store.close();
          trials += 1;
        }
      }
      expect(trials).toBeGreaterThan(how === 'gone' ? 4 : 800);
    },
  );

  test('every flipped bit of the checkpoint: every blob is still found', async () => {
    const rest = await atRest('closed');
    const path = '/data/packs/checkpoint';
    const bytes = rest.files.get(path) ?? Buffer.of();
    expect(bytes).toHaveLength(40);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const { disk, index } = await copyOf(rest);
      disk.poke(path, flipped(bytes, bit));
      const store = await opened(disk, index);
      expect(await outcomes(store, rest)).toEqual(bodies.map(() => 'right'));
      await store.close();
    }
  });

  test('rows that name a place ahead of the packs give nothing out', async () => {
    const rest = await atRest('closed');
    const { disk, index } = await copyOf(rest);
    disk.poke(packPath, undefined);
    const store = await opened(disk, index);
    expect(await outcomes(store, rest)).toEqual(bodies.map(() => 'missing'));
    for (const { blobId } of rest.facts) expect(await store.has(blobId)).toBe(false);
    await store.close();
  });
});

test('bytes of users that look like needles, tails and whole packs are bodies and nothing else', async () => {
  const rest = await atRest('closed');
  const pack = rest.files.get(packPath) ?? Buffer.of();
  const disk = createFaultyDisk();
  await disk.files.makeDirectory(directory);
  const index = forgetfulIndex();
  const newBlobId = blobIds();
  const store = await openWithPacks({ files: disk.files, directory, newBlobId, index });
  const facts = await store.stage(reusingItsChunk(pack, 1000), { maxBytes: 1e6 });
  await store.publish([facts.blobId]);
  // Killed: the pack is read from end to end, and its last bytes are a tail of another pack.
  index.destroy();
  const disks = disk.restart();
  const again = await openWithPacks({ files: disks.files, directory, newBlobId, index });
  expect(await again.listStaged()).toEqual([facts.blobId]);
  expect(await read(again, facts, pack)).toBe('right');
  await again.close();
});

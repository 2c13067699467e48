import { describe, expect, test } from 'vitest';
import type { BlobStore, Staged } from '../../../src/blobs/blob-store.ts';
import type { BlobId } from '../../../src/domain/names.ts';
import { blobIds, collect, expectBytes, patterned, reusingItsChunk } from '../../support/bodies.ts';
import { createFaultyDisk, type FaultyDisk } from '../../support/faulty-disk.ts';
import { forgetfulIndex } from '../../support/forgetful-index.ts';
import { openWithPacks } from './store-of-packs.ts';

const directory = '/data';
const bodies = Array.from({ length: 20 }, (_, seed) => patterned(100, seed));

/** Sealed packs whose index has lost every row of a blob; `now` is the clock of the store. */
async function withoutRows(now: () => number): Promise<{
  readonly store: BlobStore;
  readonly disk: FaultyDisk;
  readonly facts: readonly Staged[];
}> {
  const disk = createFaultyDisk();
  await disk.files.makeDirectory(directory);
  const place = { files: disk.files, directory, newBlobId: blobIds(), index: forgetfulIndex() };
  const first = await openWithPacks(place);
  const facts: Staged[] = [];
  for (const body of bodies) {
    facts.push(await first.stage(reusingItsChunk(body, 50), { maxBytes: 1000 }));
  }
  await first.publish(facts.map(({ blobId }) => blobId));
  await first.close();
  for (const key of place.index.rows.keys()) if (key.startsWith('62')) place.index.rows.delete(key);
  const store = await openWithPacks({ ...place, packs: { now } });
  disk.record = true;
  return { store, disk, facts };
}

const lookedThrough = ({ calls }: FaultyDisk) =>
  calls.filter(({ operation, path }) => operation === 'open read' && path.endsWith('.pack')).length;

describe('blobs that the index has lost', () => {
  test('are found side by side: one look brings back all of a pack', async () => {
    const { store, disk, facts } = await withoutRows(() => 0);
    const all = await Promise.all(
      facts.map(async (one) => collect((await store.open(one)).bytes())),
    );
    for (const [at, bytes] of all.entries()) expectBytes(bytes, bodies[at] ?? patterned(0));
    // Once for that, and once by the reader, whose descriptor stays open.
    expect(lookedThrough(disk)).toBe(2);
  });

  test('are looked for a twentieth of the time where they are nowhere', async () => {
    // A look takes 10 ms by this clock, and so does each question.
    let timeMs = 0;
    const { store, disk } = await withoutRows(() => {
      timeMs += 10;
      return timeMs;
    });
    for (let n = 0; n < 200; n += 1) {
      expect(await store.has(n.toString(16).padStart(32, 'e') as BlobId)).toBe(false);
    }
    expect(lookedThrough(disk)).toBeGreaterThan(2);
    expect(lookedThrough(disk)).toBeLessThan(20);
  });
});

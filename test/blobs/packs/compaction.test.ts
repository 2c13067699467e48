import { expect, test } from 'vitest';
import type { BlobStore, Staged } from '../../../src/blobs/blob-store.ts';
import { blobIds, collect, expectBytes, patterned, reusingItsChunk } from '../../support/bodies.ts';
import { createFaultyDisk, type FaultyDisk } from '../../support/faulty-disk.ts';
import { forgetfulIndex } from '../../support/forgetful-index.ts';
import { openWithPacks } from './store-of-packs.ts';

const directory = '/data';
const run = { signal: new AbortController().signal, throttle: async () => {} };

/** Packs of one small body that lives and one larger one that is dead. */
async function sparsePacks(count: number): Promise<{
  readonly store: BlobStore;
  readonly disk: FaultyDisk;
  readonly living: readonly Staged[];
}> {
  const disk = createFaultyDisk();
  await disk.files.makeDirectory(directory);
  const place = { files: disk.files, directory, newBlobId: blobIds(), index: forgetfulIndex() };
  const limits = { packBytes: 1500, packNeedles: 2 };
  const store = await openWithPacks({ ...place, packs: { limits } });
  const living: Staged[] = [];
  const stage = (bytes: Uint8Array) => store.stage(reusingItsChunk(bytes, 500), { maxBytes: 1e6 });
  for (let seed = 0; seed < count; seed += 1) {
    const kept = await stage(patterned(10, seed));
    const dead = await stage(patterned(1500, seed));
    await store.publish([kept.blobId, dead.blobId]);
    await store.remove(dead.blobId);
    living.push(kept);
  }
  // One more, so that the last of them is sealed.
  await store.publish([(await stage(patterned(10))).blobId]);
  return { store, disk, living };
}

async function expectLiving(store: BlobStore, living: readonly Staged[]): Promise<void> {
  for (const [seed, facts] of living.entries()) {
    const blob = await store.open(facts, { fromDisk: true });
    expectBytes(await collect(blob.bytes()), patterned(10, seed));
  }
}

test('room is given back before all is copied, so that a nearly full disk can be emptied', async () => {
  const { store, disk, living } = await sparsePacks(300);
  disk.record = true;
  expect(await store.compact(run)).toMatchObject({ packs: 300 });
  const order = disk.calls
    .filter(({ path }) => path.endsWith('.pack'))
    .map(({ operation }) => operation);
  expect(order.indexOf('remove')).toBeLessThan(order.lastIndexOf('write'));
  await expectLiving(store, living);
});

test('a pack that can not be read stays, and holds up no other', async () => {
  const { store, disk, living } = await sparsePacks(4);
  const bad = disk.paths().find((path) => path.endsWith('02.pack'));
  disk.inject = ({ path, operation }) =>
    path === bad && operation === 'read' ? { kind: 'error', code: 'EIO' } : undefined;
  expect(await store.compact(run)).toMatchObject({ packs: 3 });
  disk.inject = () => undefined;
  expect(disk.paths()).toContain(bad);
  await expectLiving(store, living);
});

/**
 * The promises of packs held against a disk that forgets: the process goes, the power, a call fails or a
 * sync loses its bytes, at every single call of a session that stages, publishes, discards, removes,
 * rolls packs and compacts them. What was promised before must be there after it, whatever became of
 * the index.
 */
import { describe, expect, test } from 'vitest';
import type { BlobStore, Staged } from '../../../src/blobs/blob-store.ts';
import { BlobMissing } from '../../../src/blobs/blob-store.ts';
import type { BlobId } from '../../../src/domain/names.ts';
import { blobIds, collect, expectBytes, patterned, reusingItsChunk } from '../../support/bodies.ts';
import { createFaultyDisk, type Fault, type FaultyDisk } from '../../support/faulty-disk.ts';
import { type ForgetfulIndex, forgetfulIndex } from '../../support/forgetful-index.ts';
import { openWithPacks } from './store-of-packs.ts';

const directory = '/data';
const run = { signal: new AbortController().signal, throttle: async () => {} };
/** Two or three bodies fill a pack. */
const limits = { packBytes: 2500, packNeedles: 4 };
const sizes = [0, 10, 1000, 700, 2000];

interface Kept {
  readonly facts: Staged;
  readonly bytes: Uint8Array;
}

/** What the caller was told. The newest word on a blob counts. */
interface Told {
  /** A record refers to them: they must be there. */
  readonly referenced: Map<BlobId, Kept>;
  /** They were given up or removed. */
  readonly gone: Map<BlobId, Kept>;
}

interface Bench {
  disk: FaultyDisk;
  readonly index: ForgetfulIndex;
  readonly newBlobId: () => BlobId;
}

async function bench(): Promise<Bench> {
  const disk = createFaultyDisk();
  await disk.files.makeDirectory(directory);
  await disk.files.syncDirectory('/');
  return { disk, index: forgetfulIndex(), newBlobId: blobIds() };
}

function open({ disk, index, newBlobId }: Bench): Promise<BlobStore> {
  return openWithPacks({ files: disk.files, directory, newBlobId, index, packs: { limits } });
}

async function session(store: BlobStore, told: Told): Promise<void> {
  let seed = 0;
  async function stageOne(): Promise<BlobId> {
    seed += 1;
    const bytes = patterned(sizes[seed % sizes.length] ?? 0, seed);
    const facts = await store.stage(reusingItsChunk(bytes, 300), { maxBytes: 1e9 });
    told.referenced.set(facts.blobId, { facts, bytes });
    return facts.blobId;
  }
  async function forget(blobId: BlobId, how: 'discard' | 'remove'): Promise<void> {
    const kept = told.referenced.get(blobId);
    told.referenced.delete(blobId);
    if (kept) told.gone.set(blobId, kept);
    await store[how](blobId);
  }
  for (const _round of [0, 1, 2]) {
    const staged = await Promise.all([0, 1, 2, 3].map(stageOne));
    await store.publish(staged.slice(0, 3));
    await store.finalize();
    if (staged[3]) await forget(staged[3], 'discard');
    if (staged[0]) await forget(staged[0], 'remove');
    if (staged[1]) await forget(staged[1], 'remove');
  }
  await store.compact(run);
  const [last] = await Promise.all([stageOne(), stageOne()]);
  await store.publish([last]);
  await store.close();
}

async function expectKept(at: Bench, told: Told): Promise<void> {
  const store = await open(at);
  await store.publish((await store.listStaged()).filter((id) => told.referenced.has(id)));
  await store.clearStaging(async (id) => told.referenced.has(id));
  expect(await store.listStaged()).toEqual([]);
  const published = new Set<string>();
  for await (const thing of store.published()) {
    if (thing.kind === 'blob') published.add(thing.blobId);
  }
  for (const { facts, bytes } of told.referenced.values()) {
    expect(await store.has(facts.blobId)).toBe(true);
    expect(published, 'a blob that is kept is found by a walk').toContain(facts.blobId);
    const blob = await store.open(facts);
    expectBytes(await collect(blob.bytes()), bytes);
    await blob.close();
  }
  // What was removed may have come back; then it is found, and can be removed once more.
  for (const [blobId, { facts }] of told.gone) {
    if (!published.has(blobId)) await expect(store.open(facts)).rejects.toThrow(BlobMissing);
    await store.remove(blobId);
    expect(await store.has(blobId)).toBe(false);
  }
  await store.close();
  await expectShrunk(at, told);
}

/** After a compaction nothing is left but what lives, give or take the half that may be dead. */
async function expectShrunk(at: Bench, told: Told): Promise<void> {
  const store = await open(at);
  await store.compact(run);
  for (const { facts, bytes } of told.referenced.values()) {
    const blob = await store.open(facts);
    expectBytes(await collect(blob.bytes()), bytes);
    await blob.close();
  }
  await store.close();
}

const fresh = (): Told => ({ referenced: new Map(), gone: new Map() });

async function callsOfASession(): Promise<number> {
  const at = await bench();
  let calls = 0;
  let removedPacks = 0;
  at.disk.inject = ({ index, operation, path }) => {
    calls = index;
    if (operation === 'remove' && path.endsWith('.pack')) removedPacks += 1;
    return undefined;
  };
  const told = fresh();
  await session(await open(at), told);
  expect(told.referenced.size).toBeGreaterThan(3);
  expect(removedPacks, 'the session compacts').toBeGreaterThan(0);
  expect(at.disk.paths().filter((path) => path.endsWith('.pack')).length).toBeGreaterThan(2);
  return calls;
}

const cases: readonly { readonly name: string; readonly fault: Fault; readonly power: boolean }[] =
  [
    { name: 'killed before', fault: { kind: 'stop', before: true }, power: false },
    { name: 'killed after', fault: { kind: 'stop', before: false }, power: false },
    { name: 'cut off before', fault: { kind: 'stop', before: true }, power: true },
    { name: 'cut off after', fault: { kind: 'stop', before: false }, power: true },
    { name: 'failing at', fault: { kind: 'error', code: 'EIO' }, power: false },
    { name: 'full at', fault: { kind: 'short', code: 'ENOSPC' }, power: true },
    { name: 'losing a sync at', fault: { kind: 'lost sync' }, power: true },
  ];

describe('whatever call a process is interrupted at', () => {
  test.each(cases)(
    'what was promised is there ($name it)',
    async ({ fault, power }) => {
      const calls = await callsOfASession();
      expect(calls).toBeGreaterThan(60);
      for (const indexIs of ['kept', 'lost'] as const) {
        for (let at = 1; at <= calls; at += 1) {
          const bed = await bench();
          const told = fresh();
          bed.disk.inject = ({ index }) => (index === at ? fault : undefined);
          await open(bed)
            .then((store) => session(store, told))
            .catch(() => undefined);
          bed.disk = power ? bed.disk.powerLoss(at) : bed.disk.restart();
          if (power) bed.index.powerLoss(at + 1);
          if (indexIs === 'lost') bed.index.destroy();
          await expectKept(bed, told).catch((cause: unknown) => {
            throw new Error(`call ${at} of ${calls}, index ${indexIs}: ${String(cause)}`, {
              cause,
            });
          });
        }
      }
    },
    300_000,
  );
});

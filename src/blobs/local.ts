/**
 * The blob store of a data directory: small bodies lie in packs, all others in a file each. Nobody above
 * knows which. What was stored as a file stays one, and is read, swept and freed like any other.
 */
import type { BlobId } from '../domain/names.ts';
import {
  type BlobFacts,
  BlobMissing,
  type BlobStore,
  type OpenBlob,
  type Published,
  type Quarantined,
  type Staged,
} from './blob-store.ts';
import { type DiskBlobsOptions, openDiskBlobs } from './disk.ts';
import { maxNeedleBytes } from './packs/format.ts';
import { openPacks, type Packs, type PacksOptions } from './packs/packs.ts';
import { received } from './receive.ts';
import { takeSmall } from './small-body.ts';

export interface LocalBlobsOptions extends DiskBlobsOptions {
  readonly packs: Omit<PacksOptions, 'files'> & {
    /** Longer bodies get a file of their own; at most `maxNeedleBytes`, which it is unless told. */
    readonly upToBytes?: number;
  };
}

export async function openLocalBlobs(options: LocalBlobsOptions): Promise<BlobStore> {
  const { files, packs: settings } = options;
  const disk = await openDiskBlobs(options);
  await files.makeDirectory(settings.directory);
  await files.syncDirectory(options.directory);
  const packs = await openPacks({ ...settings, files });
  const upToBytes = Math.min(settings.upToBytes ?? maxNeedleBytes, maxNeedleBytes);
  return {
    ...staging({ disk, packs, newBlobId: options.newBlobId }, upToBytes),
    ...reading(disk, packs),
    ...keeping(disk, packs),
    async finalize() {
      await disk.finalize();
      await packs.finalize();
    },
    async close() {
      try {
        await disk.close();
      } finally {
        await packs.close();
      }
    },
  };
}

type Staging = 'stage' | 'discard' | 'publish' | 'listStaged' | 'clearStaging';

function staging(
  { disk, packs, newBlobId }: { disk: BlobStore; packs: Packs; newBlobId: () => BlobId },
  upToBytes: number,
): Pick<BlobStore, Staging> {
  return {
    async stage(body, limits): Promise<Staged> {
      if (upToBytes <= 0 || packs.isBroken) return disk.stage(body, limits);
      const taken = await takeSmall(body, limits, upToBytes);
      if (taken.kind === 'longer') return disk.stage(taken.body, limits);
      const blobId = newBlobId();
      const facts = await received(taken.parts);
      await packs.stage(blobId, taken.parts);
      return { blobId, ...facts };
    },
    async discard(blobId) {
      if (!packs.discard(blobId)) await disk.discard(blobId);
    },
    async publish(blobIds) {
      const others: BlobId[] = [];
      for (const blobId of blobIds) if (!(await packs.publish(blobId))) others.push(blobId);
      return others.length > 0 ? disk.publish(others) : { missing: [] };
    },
    listStaged: async () => [...packs.listStaged(), ...(await disk.listStaged())],
    async clearStaging(isReferenced) {
      const files = await disk.clearStaging(isReferenced);
      const needles = await packs.clearStaging(isReferenced);
      return {
        published: files.published + needles.published,
        removed: files.removed + needles.removed,
      };
    },
  };
}

function reading(disk: BlobStore, packs: Packs): Pick<BlobStore, 'open' | 'has'> {
  return {
    async open(facts, options) {
      if (facts.sizeBytes > maxNeedleBytes) return disk.open(facts);
      return (await packs.open(facts, options)) ?? (await openFile(disk, packs, facts));
    },
    has: async (blobId) =>
      packs.has(blobId) || (await disk.has(blobId)) || packs.hasAfterAll(blobId),
  };
}

async function openFile(disk: BlobStore, packs: Packs, facts: BlobFacts): Promise<OpenBlob> {
  try {
    return await disk.open(facts);
  } catch (fault) {
    const found = fault instanceof BlobMissing ? await packs.recall(facts) : undefined;
    if (found) return found;
    throw fault;
  }
}

type Keeping =
  | 'remove'
  | 'published'
  | 'quarantine'
  | 'quarantined'
  | 'restore'
  | 'purge'
  | 'compact';

function keeping(disk: BlobStore, packs: Packs): Pick<BlobStore, Keeping> {
  return {
    async remove(blobId) {
      packs.remove(blobId);
      await disk.remove(blobId);
    },
    async *published() {
      for await (const blobId of packs.published()) yield { kind: 'blob', blobId };
      yield* disk.published();
    },
    async quarantine(thing: Published, arrivedMs: number) {
      const isNeedle = thing.kind === 'blob' && packs.quarantine(thing.blobId, arrivedMs);
      return isNeedle || disk.quarantine(thing, arrivedMs);
    },
    async *quarantined() {
      yield* packs.quarantined();
      yield* disk.quarantined();
    },
    restore: async (entry: Quarantined) =>
      packs.isMine(entry) ? packs.restore(entry) : disk.restore(entry),
    purge: async (entry: Quarantined) =>
      packs.isMine(entry) ? packs.purge(entry) : disk.purge(entry),
    compact: (run) => packs.compact(run),
  };
}

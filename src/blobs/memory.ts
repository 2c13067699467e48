/**
 * The blob store in memory, for tests and for servers that keep nothing. It is as strict as the one
 * on disk: a staged blob is not a published one, and what is read is checked.
 */
import type { BlobId } from '../domain/names.ts';
import { BlobDamaged, BlobMissing, type BlobStore, type Quarantined } from './blob-store.ts';
import { type ByteSource, checkedBytes } from './checked-bytes.ts';
import { receive } from './receive.ts';

export interface MemoryBlobs extends BlobStore {
  /** The stored bytes themselves, so that a test can damage them. */
  bytesOf(blobId: BlobId): Uint8Array | undefined;
}

export function openMemoryBlobs(options: { readonly newBlobId: () => BlobId }): MemoryBlobs {
  const staged = new Map<BlobId, Uint8Array>();
  const published = new Map<BlobId, Uint8Array>();
  const bytesOf = (blobId: BlobId) => published.get(blobId) ?? staged.get(blobId);

  function publishOne(blobId: BlobId): boolean {
    const bytes = bytesOf(blobId);
    if (bytes) published.set(blobId, bytes);
    staged.delete(blobId);
    return bytes !== undefined;
  }

  return {
    bytesOf,
    async stage(body, limits) {
      const blocks: Uint8Array[] = [];
      const received = await receive(body, limits, async (block) => {
        blocks.push(Buffer.from(block));
      });
      const blobId = options.newBlobId();
      if (bytesOf(blobId)) throw new Error(`blob ${blobId} exists already`);
      staged.set(blobId, Buffer.concat(blocks));
      return { blobId, ...received };
    },
    discard: async (blobId) => void staged.delete(blobId),
    publish: async (blobIds) => ({ missing: blobIds.filter((blobId) => !publishOne(blobId)) }),
    finalize: async () => {},
    compact: async () => ({ packs: 0, freedBytes: 0 }),
    async open(facts) {
      const bytes = bytesOf(facts.blobId);
      if (!bytes) throw new BlobMissing(`blob ${facts.blobId} is neither published nor staged`);
      if (bytes.byteLength !== facts.sizeBytes) {
        throw new BlobDamaged(
          `blob ${facts.blobId} is damaged: it has ${bytes.byteLength} bytes instead of ${facts.sizeBytes}`,
        );
      }
      return {
        bytes: (range) => checkedBytes(sourceOf(bytes), facts, range),
        close: async () => {},
      };
    },
    has: async (blobId) => bytesOf(blobId) !== undefined,
    listStaged: async () => [...staged.keys()],
    async clearStaging(isReferenced) {
      const report = { published: 0, removed: 0 };
      for (const blobId of [...staged.keys()]) {
        if ((await isReferenced(blobId)) && publishOne(blobId)) report.published += 1;
        else if (staged.delete(blobId)) report.removed += 1;
      }
      return report;
    },
    remove: async (blobId) => void published.delete(blobId),
    ...settingAside(published),
    close: async () => {},
  };
}

function settingAside(
  published: Map<BlobId, Uint8Array>,
): Pick<BlobStore, 'published' | 'quarantine' | 'quarantined' | 'restore' | 'purge'> {
  const quarantined = new Map<string, Quarantined & { readonly bytes: Uint8Array }>();
  return {
    async *published() {
      for (const blobId of [...published.keys()]) yield { kind: 'blob', blobId } as const;
    },
    async quarantine(thing, arrivedMs) {
      // Nothing foreign ever comes to lie in here.
      const bytes = thing.kind === 'blob' ? published.get(thing.blobId) : undefined;
      if (thing.kind === 'foreign' || !bytes) return false;
      const { blobId } = thing;
      const name = `${blobId}.${arrivedMs}`;
      const sizeBytes = bytes.byteLength;
      quarantined.set(name, { id: blobId, blobId, name, arrivedMs, sizeBytes, bytes });
      published.delete(blobId);
      return true;
    },
    async *quarantined() {
      for (const { bytes: _bytes, ...entry } of [...quarantined.values()]) yield entry;
    },
    async restore({ name, id }) {
      const found = quarantined.get(name);
      if (!found || published.has(id)) return false;
      quarantined.delete(name);
      published.set(id, found.bytes);
      return true;
    },
    purge: async ({ name }) => quarantined.delete(name),
  };
}

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    async read(target, offset) {
      const part = bytes.subarray(offset, offset + target.byteLength);
      target.set(part);
      return part.byteLength;
    },
  };
}

/** What every blob store does with what nobody refers to any more; a part of blob-store.contract.ts. */
import { describe, expect, test } from 'vitest';
import type { BlobStore, Staged } from '../../src/blobs/blob-store.ts';
import { BlobMissing } from '../../src/blobs/blob-store.ts';
import type { BlobId } from '../../src/domain/names.ts';
import { collect as bytesOf, expectBytes, patterned, reusingItsChunk } from '../support/bodies.ts';
import { collect } from '../support/collect.ts';

const noLimit = { maxBytes: Number.MAX_SAFE_INTEGER };
const bytes = patterned(1000);
const unknown = 'f'.repeat(32) as BlobId;

export function quarantineContract(open: () => Promise<{ readonly store: BlobStore }>): void {
  async function published(): Promise<{ store: BlobStore; facts: Staged }> {
    const { store } = await open();
    const facts = await stage(store);
    await store.publish([facts.blobId]);
    return { store, facts };
  }

  describe('what is published', () => {
    test('is found, each blob once, and what is only staged is not', async () => {
      const { store } = await open();
      const ids: BlobId[] = [];
      for (let count = 0; count < 5; count += 1) ids.push((await stage(store)).blobId);
      await store.publish(ids.slice(1));
      const found = await collect(store.published());
      expect(found.map((thing) => thing.kind === 'blob' && thing.blobId).sort()).toEqual(
        ids.slice(1).sort(),
      );
    });

    test('goes with its bytes when it is removed, but not for those who hold it open', async () => {
      const { store, facts } = await published();
      const blob = await store.open(facts);
      await store.remove(facts.blobId);
      await store.remove(facts.blobId);
      expect(await store.has(facts.blobId)).toBe(false);
      expectBytes(await bytesOf(blob.bytes()), bytes);
      await blob.close();
    });
  });

  describe('the quarantine', () => {
    test('takes a blob out of the published ones, and remembers when', async () => {
      const { store, facts } = await published();
      const { blobId } = facts;
      expect(await store.quarantine({ kind: 'blob', blobId }, 1234)).toBe(true);
      expect(await collect(store.published())).toEqual([]);
      expect(await store.has(blobId)).toBe(false);
      await expect(store.open(facts)).rejects.toThrow(BlobMissing);
      expect(await collect(store.quarantined())).toMatchObject([
        { id: blobId, blobId, arrivedMs: 1234, sizeBytes: bytes.byteLength },
      ]);
    });

    test('does not disturb a reader that holds the blob open', async () => {
      const { store, facts } = await published();
      const blob = await store.open(facts);
      await store.quarantine({ kind: 'blob', blobId: facts.blobId }, 1);
      for await (const entry of store.quarantined()) await store.purge(entry);
      expectBytes(await bytesOf(blob.bytes()), bytes);
      await blob.close();
    });

    test('gives a blob back as it was', async () => {
      const { store, facts } = await published();
      await store.quarantine({ kind: 'blob', blobId: facts.blobId }, 1);
      const [entry] = await collect(store.quarantined());
      if (!entry) throw new Error('nothing is quarantined');
      expect(await store.restore(entry)).toBe(true);
      expect(await store.restore(entry)).toBe(false);
      await store.finalize();
      expect(await collect(store.quarantined())).toEqual([]);
      const blob = await store.open(facts);
      expectBytes(await bytesOf(blob.bytes()), bytes);
      await blob.close();
    });

    test('frees what is purged, once', async () => {
      const { store, facts } = await published();
      await store.quarantine({ kind: 'blob', blobId: facts.blobId }, 1);
      const [entry] = await collect(store.quarantined());
      if (!entry) throw new Error('nothing is quarantined');
      expect(await store.purge(entry)).toBe(true);
      expect(await store.purge(entry)).toBe(false);
      expect(await store.restore(entry)).toBe(false);
      expect(await collect(store.quarantined())).toEqual([]);
    });

    test('takes nothing that is not published', async () => {
      const { store } = await open();
      const { blobId } = await stage(store);
      expect(await store.quarantine({ kind: 'blob', blobId }, 1)).toBe(false);
      expect(await store.quarantine({ kind: 'blob', blobId: unknown }, 1)).toBe(false);
      expect(await store.listStaged()).toEqual([blobId]);
    });
  });
}

function stage(store: BlobStore): Promise<Staged> {
  return store.stage(reusingItsChunk(bytes, 100), noLimit);
}

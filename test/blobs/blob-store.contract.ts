/** What every blob store does; test/blobs/{disk,memory}.test.ts run it. */

import { crc32 } from 'node:zlib';
import { fc } from '@fast-check/vitest';
import { blake3 } from 'hash-wasm';
import { describe, expect, test } from 'vitest';
import {
  BlobDamaged,
  BlobMissing,
  type BlobStore,
  BodyTooLarge,
  type ByteRange,
  type ByteStream,
  crcBlockBytes,
  type Staged,
} from '../../src/blobs/blob-store.ts';
import type { BlobId } from '../../src/domain/names.ts';
import { collect, expectBytes, patterned, reusingItsChunk } from '../support/bodies.ts';
import { deferred } from '../support/deferred.ts';
import { quarantineContract } from './quarantine.contract.ts';

export interface StoreUnderTest {
  readonly store: BlobStore;
  /** Changes one stored byte behind the store's back. */
  damage(blobId: BlobId, offset: number): Promise<void>;
}

const noLimit = { maxBytes: Number.MAX_SAFE_INTEGER };
const unknown = 'f'.repeat(32) as BlobId;
const block = crcBlockBytes;

export function blobStoreContract(open: () => Promise<StoreUnderTest>): void {
  async function staged(bytes: Uint8Array): Promise<StoreUnderTest & { facts: Staged }> {
    const under = await open();
    const facts = await under.store.stage(reusingItsChunk(bytes, 64 * 1024), noLimit);
    return { ...under, facts };
  }

  quarantineContract(open);

  describe('staging', () => {
    test.each([
      0,
      1,
      block - 1,
      block,
      block + 1,
      1024 * 1024,
      1024 * 1024 + 1,
      3 * 1024 * 1024 + 7,
    ])('a body of %i bytes comes back as it was, with its hash and CRCs', async (size) => {
      const bytes = patterned(size);
      const { store, facts } = await staged(bytes);
      expect(facts.sizeBytes).toBe(size);
      expect(facts.blake3).toBe(await blake3(bytes));
      expect(crcsIn(facts.crcs)).toEqual(crcsOf(bytes));
      expectBytes(await whole(store, facts), bytes);
    });

    test('a producer may reuse its chunk, whatever the size of it', async () => {
      const bytes = patterned(2 * block + 100);
      for (const chunkBytes of [1000, block - 1, block, block + 1, 2 * block + 100]) {
        const { store } = await open();
        const facts = await store.stage(reusingItsChunk(bytes, chunkBytes), noLimit);
        expectBytes(await whole(store, facts), bytes);
      }
    });

    test('a body of exactly the limit is taken', async () => {
      const { store } = await open();
      const facts = await store.stage(reusingItsChunk(patterned(1000), 10), { maxBytes: 1000 });
      expect(facts.sizeBytes).toBe(1000);
    });

    test('a body beyond the limit is refused without reading on', async () => {
      const { store } = await open();
      let pulled = 0;
      async function* endless(): ByteStream {
        while (true) {
          pulled += 1;
          yield new Uint8Array(100);
        }
      }
      await expect(store.stage(endless(), { maxBytes: 999 })).rejects.toThrow(BodyTooLarge);
      expect(pulled).toBe(10);
      expect(await store.listStaged()).toEqual([]);
    });

    test.each([0, 10, 2 * 1024 * 1024])(
      'a body that fails after %i bytes leaves nothing and its error is the one thrown',
      async (size) => {
        const { store } = await open();
        const gone = new Error('the client is gone');
        async function* failing(): ByteStream {
          if (size > 0) yield patterned(size);
          throw gone;
        }
        await expect(store.stage(failing(), noLimit)).rejects.toBe(gone);
        expect(await store.listStaged()).toEqual([]);
      },
    );

    test('an abort ends a staging that waits for its client, and tells the body', async () => {
      const { store } = await open();
      const abort = new AbortController();
      const told = deferred();
      const waiting = deferred();
      const body: ByteStream = {
        [Symbol.asyncIterator]: () => ({
          next() {
            waiting.resolve();
            return new Promise(() => {});
          },
          async return() {
            told.resolve();
            return { done: true, value: undefined };
          },
        }),
      };
      const staging = store.stage(body, { ...noLimit, signal: abort.signal });
      await waiting.promise;
      const reason = new Error('timed out');
      abort.abort(reason);
      await expect(staging).rejects.toBe(reason);
      await told.promise;
      expect(await store.listStaged()).toEqual([]);
    });

    test('an abort before the first byte leaves nothing', async () => {
      const { store } = await open();
      const signal = AbortSignal.abort(new Error('gone'));
      const staging = store.stage(reusingItsChunk(patterned(5), 5), { ...noLimit, signal });
      await expect(staging).rejects.toThrow('gone');
      expect(await store.listStaged()).toEqual([]);
    });

    test('bodies that arrive at once do not mix', async () => {
      const { store } = await open();
      const bodies = Array.from({ length: 20 }, (_, seed) => patterned(block * 2 + seed, seed + 1));
      const all = await Promise.all(
        bodies.map((bytes) => store.stage(reusingItsChunk(bytes, 10_000), noLimit)),
      );
      for (const [index, facts] of all.entries()) {
        expectBytes(await whole(store, facts), bodies[index] ?? Buffer.of());
      }
    });
  });

  describe('publishing', () => {
    test('a staged blob is listed as staged until it is published, and readable throughout', async () => {
      const { store, facts } = await staged(patterned(10));
      expect(await store.listStaged()).toEqual([facts.blobId]);
      expect(await store.has(facts.blobId)).toBe(true);
      const before = await store.open(facts);
      expect(await store.publish([facts.blobId])).toEqual({ missing: [] });
      expect(await store.listStaged()).toEqual([]);
      expect(await store.has(facts.blobId)).toBe(true);
      expectBytes(await collect(before.bytes()), patterned(10));
      await before.close();
      expectBytes(await whole(store, facts), patterned(10));
      await store.finalize();
      expectBytes(await whole(store, facts), patterned(10));
    });

    test('what is published already is passed over, and what is nowhere is named', async () => {
      const { store, facts } = await staged(patterned(10));
      await store.publish([facts.blobId]);
      expect(await store.publish([unknown, facts.blobId])).toEqual({ missing: [unknown] });
      expectBytes(await whole(store, facts), patterned(10));
    });

    test('a discarded blob is gone; discarding it again, or a published one, changes nothing', async () => {
      const { store, facts } = await staged(patterned(10));
      await store.discard(facts.blobId);
      await store.discard(facts.blobId);
      expect(await store.has(facts.blobId)).toBe(false);
      const kept = await store.stage(reusingItsChunk(patterned(9), 9), noLimit);
      await store.publish([kept.blobId]);
      await store.discard(kept.blobId);
      expect(await store.has(kept.blobId)).toBe(true);
    });

    test('a removed blob is missing, except for those who hold it open', async () => {
      const { store, facts } = await staged(patterned(10));
      await store.publish([facts.blobId]);
      const held = await store.open(facts);
      await store.remove(facts.blobId);
      await store.remove(facts.blobId);
      await expect(store.open(facts)).rejects.toThrow(BlobMissing);
      expectBytes(await collect(held.bytes()), patterned(10));
      await held.close();
      await held.close();
    });

    test('clearing staging publishes what is referenced and removes the rest', async () => {
      const { store, facts: kept } = await staged(patterned(10));
      const lost = await store.stage(reusingItsChunk(patterned(20), 5), noLimit);
      const report = await store.clearStaging(async (blobId) => blobId === kept.blobId);
      expect(report).toEqual({ published: 1, removed: 1 });
      expect(await store.listStaged()).toEqual([]);
      expectBytes(await whole(store, kept), patterned(10));
      await expect(store.open(lost)).rejects.toThrow(BlobMissing);
    });
  });

  describe('reading', () => {
    test('a blob of another length is damaged', async () => {
      const { store, facts } = await staged(patterned(10));
      await expect(store.open({ ...facts, sizeBytes: 11 })).rejects.toThrow(BlobDamaged);
      await expect(store.open({ ...facts, sizeBytes: 9 })).rejects.toThrow(BlobDamaged);
    });

    const large = patterned(3 * 1024 * 1024 + 7);
    test.each([0, 1024 * 1024, large.byteLength - 1])(
      'a wrong byte at %i: a whole read throws before its last chunk',
      async (offset) => {
        const { store, facts, damage } = await staged(large);
        await damage(facts.blobId, offset);
        const blob = await store.open(facts);
        const given = await untilDamaged(blob.bytes());
        expect(given).toBeLessThan(large.byteLength);
        await blob.close();
      },
    );

    test('a wrong byte in a small blob is never handed out', async () => {
      const { store, facts, damage } = await staged(patterned(100));
      await damage(facts.blobId, 50);
      const blob = await store.open(facts);
      expect(await untilDamaged(blob.bytes())).toBe(0);
      await blob.close();
    });

    test('a wrong byte harms only the ranges whose blocks hold it', async () => {
      const { store, facts, damage } = await staged(large);
      await damage(facts.blobId, block + 5);
      const blob = await store.open(facts);
      expect(await untilDamaged(blob.bytes({ start: 0, end: block }))).toBe(block);
      expect(await untilDamaged(blob.bytes({ start: 2 * block - 1, end: 3 * block }))).toBe(0);
      const clean = { start: 2 * block, end: 4 * block };
      expectBytes(await collect(blob.bytes(clean)), slice(large, clean));
      await blob.close();
    });

    test('a range outside of the blob is a mistake of the caller', async () => {
      const { store, facts } = await staged(patterned(10));
      const blob = await store.open(facts);
      for (const [start, end] of [
        [0, 10],
        [-1, 3],
        [5, 4],
        [0.5, 3],
      ] as const) {
        expect(() => blob.bytes({ start, end })).toThrow(RangeError);
      }
      await blob.close();
    });

    test('checksums that do not fit the size are damage', async () => {
      const { store, facts } = await staged(patterned(10));
      const blob = await store.open({ ...facts, crcs: new Uint8Array(0) });
      expect(await untilDamaged(blob.bytes({ start: 0, end: 0 }))).toBe(0);
      await blob.close();
    });

    test('a reader may stop early, and others read on', async () => {
      const { store, facts } = await staged(large);
      const blob = await store.open(facts);
      for await (const chunk of blob.bytes()) {
        expect(chunk.byteLength).toBeGreaterThan(0);
        break;
      }
      expect((await collect(blob.bytes())).byteLength).toBe(large.byteLength);
      await blob.close();
    });

    const edges = [0, 1, block - 1, block, block + 1, 2 * block - 1, 2 * block, 2 * block + 9];
    const position = fc.oneof(fc.constantFrom(...edges), fc.nat({ max: 2 * block + 9 }));
    test('a range is the slice, also at the edges of blocks', async () => {
      const bytes = patterned(2 * block + 10);
      const { store, facts } = await staged(bytes);
      const blob = await store.open(facts);
      await fc.assert(
        fc.asyncProperty(position, position, async (a, b) => {
          const range = { start: Math.min(a, b), end: Math.max(a, b) };
          expectBytes(await collect(blob.bytes(range)), slice(bytes, range));
        }),
        { numRuns: 150 },
      );
      await blob.close();
    });
  });
}

async function whole(store: BlobStore, facts: Staged): Promise<Buffer> {
  const blob = await store.open(facts);
  try {
    return Buffer.from(await collect(blob.bytes()));
  } finally {
    await blob.close();
  }
}

/** The bytes handed out before `BlobDamaged`; fails where it is not thrown. */
async function untilDamaged(stream: ByteStream): Promise<number> {
  let given = 0;
  const reading = (async () => {
    for await (const chunk of stream) given += chunk.byteLength;
  })();
  await expect(reading).rejects.toThrow(BlobDamaged);
  return given;
}

function slice(bytes: Uint8Array, { start, end }: ByteRange): Buffer {
  return Buffer.from(bytes.subarray(start, end + 1));
}

function crcsOf(bytes: Uint8Array): number[] {
  const crcs: number[] = [];
  for (let at = 0; at < bytes.byteLength; at += block)
    crcs.push(crc32(bytes.subarray(at, at + block)));
  return crcs;
}

function crcsIn(packed: Uint8Array): number[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: packed.byteLength / 4 }, (_, index) =>
    view.getUint32(index * 4, true),
  );
}

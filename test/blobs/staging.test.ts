/** How bytes come to be staged on disk. */
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BlobStore, ByteStream, Staged } from '../../src/blobs/blob-store.ts';
import { openDiskBlobs } from '../../src/blobs/disk.ts';
import type { BlobId } from '../../src/domain/names.ts';
import { collect, expectBytes, patterned } from '../support/bodies.ts';
import { deferred } from '../support/deferred.ts';
import { systemError, tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { bench, MiB, noLimit, stage } from './disk-bench.ts';

/** All files under the data directory. */
async function tree(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

async function read(store: BlobStore, facts: Staged): Promise<Buffer> {
  const blob = await store.open(facts);
  try {
    return Buffer.from(await collect(blob.bytes()));
  } finally {
    await blob.close();
  }
}

describe('staging on disk', () => {
  test('a staged file is named by its id alone and holds the bytes and nothing else', async () => {
    const { store, directory } = await bench();
    const { blobId } = await stage(store, patterned(5));
    expect(await tree(directory)).toEqual([`staging/${blobId}`]);
    await store.publish([blobId]);
    expect(await tree(directory)).toEqual([
      `blobs/${blobId.slice(0, 2)}/${blobId.slice(2, 4)}/${blobId}`,
    ]);
  });

  test.each([
    { size: 10, operation: 'open' },
    { size: 10, operation: 'write' },
    { size: 3 * MiB, operation: 'write' },
    { size: 10, operation: 'sync' },
    { size: 3 * MiB, operation: 'sync' },
    { size: 9 * MiB, operation: 'dataSync' },
    { size: 10, operation: 'close' },
    { size: 10, operation: 'syncDirectory' },
  ])('a failed $operation of $size bytes leaves no file and no descriptor', async (fault) => {
    for (const code of ['ENOSPC', 'EIO']) {
      const { store, files, directory } = await bench();
      const error = systemError(code);
      files.tap = ({ operation, path }) => {
        const last = fault.size <= MiB || fault.operation !== 'write' || files.calls.length > 10;
        if (operation === fault.operation && path.includes('staging') && last) throw error;
      };
      const failure = await stage(store, patterned(fault.size)).catch((cause: unknown) => cause);
      expect([failure, failure instanceof Error && failure.cause]).toContain(error);
      expect(await tree(directory)).toEqual([]);
      expect(files.openCount).toBe(0);
      files.tap = () => {};
      const facts = await stage(store, patterned(fault.size));
      expectBytes(await read(store, facts), patterned(fault.size));
    }
  });

  test('the first failure is the one told, also where closing and removing fail after it', async () => {
    const { store, files, directory } = await bench();
    const first = systemError('ENOSPC');
    files.tap = ({ operation }) => {
      if (operation === 'write') throw first;
      if (operation === 'close' || operation === 'remove') throw systemError('EIO');
    };
    await expect(stage(store, patterned(10))).rejects.toBe(first);
    expect(await tree(directory)).toHaveLength(1);
    files.tap = () => {};
    const { blobId } = await stage(store, patterned(10));
    expect(await tree(directory), 'what could not be removed goes with the next body').toEqual([
      `staging/${blobId}`,
    ]);
  });

  test("an id that is taken is refused and the other's bytes stay", async () => {
    const directory = await temporaryDirectory();
    const newBlobId = () => 'a'.repeat(32) as BlobId;
    const store = await openDiskBlobs({ files: tappedFiles(), directory, newBlobId });
    const facts = await stage(store, patterned(10));
    await expect(stage(store, patterned(20))).rejects.toMatchObject({ code: 'EEXIST' });
    expectBytes(await read(store, facts), patterned(10));
  });

  test('it resolves only after an fsync of the file and one of the folder that began after the create', async () => {
    const { store, files } = await bench();
    const folder = deferred();
    const begun = deferred();
    files.calls.length = 0;
    files.tap = ({ operation }) => {
      if (operation !== 'syncDirectory') return;
      begun.resolve();
      return folder.promise;
    };
    let resolved = false;
    const staging = stage(store, patterned(10)).then(() => {
      resolved = true;
    });
    await begun.promise;
    expect(resolved).toBe(false);
    folder.resolve();
    await staging;
    const order = files.calls.map((call) => call.operation);
    expect(order).toEqual(['open', 'write', 'sync', 'close', 'syncDirectory']);
  });

  test('one fsync of the folder serves all that were created before it began', async () => {
    const { store, files } = await bench();
    const first = deferred();
    const begun = deferred();
    let syncs = 0;
    let closed = 0;
    const allClosed = deferred();
    files.tap = ({ operation }) => {
      if (operation === 'close') {
        closed += 1;
        if (closed === 21) allClosed.resolve();
      }
      if (operation !== 'syncDirectory') return;
      syncs += 1;
      begun.resolve();
      return syncs === 1 ? first.promise : undefined;
    };
    const early = stage(store, patterned(1));
    await begun.promise;
    let resolved = 0;
    const late = Array.from({ length: 20 }, async () => {
      await stage(store, patterned(1));
      resolved += 1;
    });
    await allClosed.promise;
    first.resolve();
    await early;
    expect(resolved, 'the fsync that ran already does not count for later files').toBe(0);
    await Promise.all(late);
    expect(syncs).toBe(2);
  });

  test('a failed fsync of the folder fails also those that a later one would seem to cover', async () => {
    const { store, files, directory } = await bench();
    const hold = deferred();
    const begun = deferred();
    const second = deferred();
    let syncs = 0;
    files.tap = ({ operation }) => {
      if (operation === 'close' && syncs === 1) second.resolve();
      if (operation !== 'syncDirectory') return;
      syncs += 1;
      if (syncs > 1) return;
      begun.resolve();
      return hold.promise.then(() => {
        throw systemError('EIO');
      });
    };
    const early = stage(store, patterned(1));
    await begun.promise;
    const during = stage(store, patterned(2));
    await second.promise;
    hold.resolve();
    const outcomes = await Promise.allSettled([early, during]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await tree(directory)).toEqual([]);
    await expect(stage(store, patterned(3))).resolves.toMatchObject({ sizeBytes: 3 });
  });

  test('large bodies write one at a time and sync each 8 MiB', async () => {
    const { store, files } = await bench();
    let running = 0;
    let most = 0;
    const blocks = new Map<string, number>();
    let dirty = 0;
    files.tap = async ({ operation, path }) => {
      if (operation === 'dataSync' || operation === 'sync') blocks.set(path, 0);
      if (operation !== 'write') return;
      blocks.set(path, (blocks.get(path) ?? 0) + 1);
      dirty = Math.max(dirty, blocks.get(path) ?? 0);
      if ((blocks.get(path) ?? 0) <= 4 && !syncedOnce(path)) return;
      running += 1;
      most = Math.max(most, running);
      await new Promise((done) => setImmediate(done));
      running -= 1;
    };
    const syncedOnce = (path: string) =>
      files.calls.some((call) => call.path === path && call.operation === 'dataSync');
    const bytes = patterned(12 * MiB);
    const all = await Promise.all(Array.from({ length: 8 }, () => stage(store, bytes)));
    expect(most).toBe(1);
    expect(dirty, '1 MiB without a turn, then 8 MiB').toBe(4 + 32);
    for (const facts of all) expectBytes(await read(store, facts), bytes);
  });

  test('a large body that waits for its client keeps nobody waiting', async () => {
    const { store } = await bench();
    const resume = deferred();
    const stuck = deferred();
    async function* slow(): ByteStream {
      yield patterned(2 * MiB);
      stuck.resolve();
      await resume.promise;
      yield patterned(10);
    }
    const waiting = store.stage(slow(), noLimit);
    await stuck.promise;
    expect((await stage(store, patterned(3 * MiB))).sizeBytes).toBe(3 * MiB);
    resume.resolve();
    expect((await waiting).sizeBytes).toBe(2 * MiB + 10);
  });
});

import { mkdirSync, renameSync } from 'node:fs';
import { mkdir, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  BlobDamaged,
  BlobMissing,
  type BlobStore,
  type Staged,
} from '../../src/blobs/blob-store.ts';
import { openDiskBlobs } from '../../src/blobs/disk.ts';
import type { BlobId } from '../../src/domain/names.ts';
import { blobIds, collect, expectBytes, patterned } from '../support/bodies.ts';
import { deferred } from '../support/deferred.ts';
import { systemError, type TappedFiles } from '../support/tapped-files.ts';
import { blobStoreContract } from './blob-store.contract.ts';
import { bench, MiB, stage } from './disk-bench.ts';

async function read(store: BlobStore, facts: Staged): Promise<Buffer> {
  const blob = await store.open(facts);
  try {
    return Buffer.from(await collect(blob.bytes()));
  } finally {
    await blob.close();
  }
}

describe('blobs on disk', () => {
  blobStoreContract(async () => {
    const { store, staged, published } = await bench();
    return {
      store,
      async damage(blobId, offset) {
        const path = (await store.listStaged()).includes(blobId)
          ? staged(blobId)
          : published(blobId);
        const file = await open(path, 'r+');
        const byte = Buffer.alloc(1);
        await file.read(byte, 0, 1, offset);
        await file.write(Buffer.from([~(byte[0] ?? 0) & 0xff]), 0, 1, offset);
        await file.close();
      },
    };
  });
});

describe('publishing on disk', () => {
  test('a failed rename loses nothing: the blob reads from staging and publishes later', async () => {
    const { store, files } = await bench();
    const facts = await stage(store, patterned(10));
    files.tap = ({ operation }) => {
      if (operation === 'rename') throw systemError('EIO');
    };
    await expect(store.publish([facts.blobId])).rejects.toMatchObject({ code: 'EIO' });
    expectBytes(await read(store, facts), patterned(10));
    files.tap = () => {};
    expect(await store.publish([facts.blobId])).toEqual({ missing: [] });
    expect(await store.listStaged()).toEqual([]);
  });

  test('one that fails does not keep the others of the batch from being published by the next try', async () => {
    const { store, files, published } = await bench();
    const all = await Promise.all(Array.from({ length: 30 }, () => stage(store, patterned(3))));
    const bad = all[7]?.blobId ?? '';
    files.tap = ({ operation, path }) => {
      if (operation === 'rename' && path.endsWith(bad)) throw systemError('EMFILE');
    };
    const blobIdsOfAll = all.map(({ blobId }) => blobId);
    await expect(store.publish(blobIdsOfAll)).rejects.toMatchObject({ code: 'EMFILE' });
    files.tap = () => {};
    expect(await store.publish(blobIdsOfAll)).toEqual({ missing: [] });
    for (const { blobId } of all) expect(await files.stat(published(blobId))).toBeDefined();
  });

  test('publishing syncs nothing; finalizing syncs from the top down, and parents only once', async () => {
    const { store, files, directory, published } = await bench();
    const { blobId } = await stage(store, patterned(1));
    files.calls.length = 0;
    await store.publish([blobId]);
    expect(syncsOf(files)).toEqual([]);
    await store.finalize();
    const leaf = dirname(published(blobId));
    const top = [join(directory, 'blobs'), dirname(leaf)];
    expect(syncsOf(files)).toEqual([...top, leaf]);

    files.calls.length = 0;
    await store.finalize();
    expect(syncsOf(files)).toEqual([]);
    await writeFile(join(directory, 'staging', sibling(blobId)), 'x');
    await store.publish([sibling(blobId)]);
    await store.finalize();
    expect(syncsOf(files), 'the same folder, whose own name is durable').toEqual([leaf]);
  });

  test('what an earlier process published is made durable too', async () => {
    const { store, files, directory, published } = await bench();
    const { blobId } = await stage(store, patterned(1));
    await store.publish([blobId]);
    const again = await openDiskBlobs({ files, directory, newBlobId: blobIds() });
    files.calls.length = 0;
    expect(await again.publish([blobId])).toEqual({ missing: [] });
    await again.finalize();
    const leaf = dirname(published(blobId));
    expect(syncsOf(files)).toEqual([join(directory, 'blobs'), dirname(leaf), leaf]);
  });

  test.each([1, 2, 3])('after a failed fsync (%i) no later one is believed', async (failing) => {
    const { store, files } = await bench();
    const { blobId } = await stage(store, patterned(1));
    await store.publish([blobId]);
    files.calls.length = 0;
    files.tap = () => {
      if (syncsOf(files).length === failing) throw systemError('EIO');
    };
    await expect(store.finalize()).rejects.toMatchObject({ code: 'EIO' });
    files.tap = () => {};
    files.calls.length = 0;
    for (const _ of [1, 2]) {
      await expect(store.finalize()).rejects.toMatchObject({ cause: { code: 'EIO' } });
    }
    expect(syncsOf(files)).toEqual([]);
  });

  test('a finalize does not resolve before another one that syncs its names', async () => {
    const { store, files } = await bench();
    const { blobId } = await stage(store, patterned(1));
    await store.publish([blobId]);
    const hold = deferred();
    files.tap = ({ operation }) => (operation === 'syncDirectory' ? hold.promise : undefined);
    const order: number[] = [];
    const first = store.finalize().then(() => order.push(1));
    const second = store.finalize().then(() => order.push(2));
    hold.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual([1, 2]);
  });
});

describe('reading on disk', () => {
  test('a blob that is renamed between two looks is found', async () => {
    const { store, files, staged, published } = await bench();
    const facts = await stage(store, patterned(10));
    let opens = 0;
    files.tap = ({ operation }) => {
      if (operation !== 'openForReading') return;
      opens += 1;
      if (opens !== 2) return;
      mkdirSync(dirname(published(facts.blobId)), { recursive: true });
      renameSync(staged(facts.blobId), published(facts.blobId));
    };
    expectBytes(await read(store, facts), patterned(10));
    expect(opens).toBe(3);
  });

  test('a blob that is shortened while it is open is damaged', async () => {
    const { store, staged } = await bench();
    const facts = await stage(store, patterned(3 * MiB));
    const blob = await store.open(facts);
    await truncate(staged(facts.blobId), 2 * MiB + 5);
    await expect(collect(blob.bytes())).rejects.toThrow(`it ends at byte ${2 * MiB + 5}`);
    const tail = { start: 3 * MiB - 5, end: 3 * MiB - 1 };
    await expect(collect(blob.bytes(tail))).rejects.toThrow(BlobDamaged);
    await blob.close();
  });

  test('a file that was shortened, lengthened or removed is told apart', async () => {
    const { store, files, published } = await bench();
    const facts = await stage(store, patterned(10));
    await store.publish([facts.blobId]);
    for (const size of [9, 11]) {
      await truncate(published(facts.blobId), size);
      await expect(store.open(facts)).rejects.toThrow(BlobDamaged);
    }
    await rm(published(facts.blobId));
    await expect(store.open(facts)).rejects.toThrow(BlobMissing);
    expect(files.openCount).toBe(0);
  });

  test('a disk that fails to read is neither damage nor absence', async () => {
    const { store, files } = await bench();
    const facts = await stage(store, patterned(3 * MiB));
    const blob = await store.open(facts);
    files.tap = ({ operation }) => {
      if (operation === 'read' || operation === 'open') throw systemError('EIO');
    };
    await expect(collect(blob.bytes())).rejects.toMatchObject({ code: 'EIO' });
    await expect(store.open(facts)).rejects.toMatchObject({ code: 'EIO' });
    await blob.close();
  });
});

describe('after a crash', () => {
  test('clearing staging leaves it empty, whatever lay there', async () => {
    const { store, directory, newBlobId } = await bench();
    const staging = join(directory, 'staging');
    const referenced = newBlobId();
    await writeFile(join(staging, referenced), 'kept');
    await writeFile(join(staging, newBlobId()), '');
    await writeFile(join(staging, 'not-a-blob'), 'x');
    await mkdir(join(staging, 'b'.repeat(32)));
    await writeFile(join(staging, 'b'.repeat(32), 'inside'), 'x');
    expect(await store.listStaged()).toHaveLength(2);
    const report = await store.clearStaging(
      async (id) => id === referenced || id === 'b'.repeat(32),
    );
    expect(report).toEqual({ published: 1, removed: 3 });
    expect(await readdir(staging)).toEqual([]);
    expect(await store.has(referenced)).toBe(true);
  });
});

function syncsOf(files: TappedFiles): string[] {
  return files.calls.filter((call) => call.operation === 'syncDirectory').map(({ path }) => path);
}

/** Another id in the same folder. */
function sibling(blobId: BlobId): BlobId {
  return `${blobId.slice(0, 4)}${'e'.repeat(28)}` as BlobId;
}

import { describe, expect, test } from 'vitest';
import {
  BlobDamaged,
  BlobMissing,
  type BlobStore,
  type Staged,
} from '../../../src/blobs/blob-store.ts';
import type { BlobId } from '../../../src/domain/names.ts';
import { blobIds, collect, expectBytes, patterned, reusingItsChunk } from '../../support/bodies.ts';
import { deferred } from '../../support/deferred.ts';
import { createFaultyDisk, type DiskCall, type FaultyDisk } from '../../support/faulty-disk.ts';
import { type ForgetfulIndex, forgetfulIndex } from '../../support/forgetful-index.ts';
import { openWithPacks, type Place } from './store-of-packs.ts';

const directory = '/data';
const run = { signal: new AbortController().signal, throttle: async () => {} };

interface Bench {
  readonly disk: FaultyDisk;
  readonly index: ForgetfulIndex;
  readonly warnings: string[];
  readonly newBlobId: () => BlobId;
  readonly store: BlobStore;
}

async function bench(packs: Place['packs'] = {}): Promise<Bench> {
  const disk = createFaultyDisk();
  await disk.files.makeDirectory(directory);
  return openOn({ disk, index: forgetfulIndex(), newBlobId: blobIds() }, packs);
}

/** As the next process finds it. */
async function openOn(
  left: Pick<Bench, 'disk' | 'index' | 'newBlobId'>,
  packs: Place['packs'] = {},
): Promise<Bench> {
  const warnings: string[] = [];
  const store = await openWithPacks({
    files: left.disk.files,
    directory,
    ...left,
    warnings,
    packs,
  });
  return { ...left, warnings, store };
}

function stage(store: BlobStore, bytes: Uint8Array): Promise<Staged> {
  return store.stage(reusingItsChunk(bytes, 16 * 1024), { maxBytes: 1e9 });
}

async function publish(store: BlobStore, bytes: Uint8Array): Promise<Staged> {
  const facts = await stage(store, bytes);
  await store.publish([facts.blobId]);
  return facts;
}

async function expectRead(store: BlobStore, facts: Staged, bytes: Uint8Array): Promise<void> {
  const blob = await store.open(facts);
  expectBytes(await collect(blob.bytes()), bytes);
  await blob.close();
}

const packsOn = (disk: FaultyDisk) => disk.paths().filter((path) => path.includes('/packs/0'));
const filesOn = (disk: FaultyDisk) => disk.paths().filter((path) => /[0-9a-f]{32}$/.test(path));
const isPack = ({ path }: DiskCall) => path.endsWith('.pack');

describe('where a body goes', () => {
  test('up to 64 KiB into a pack, and one byte more into a file', async () => {
    const { disk, store } = await bench();
    const small = await publish(store, patterned(64 * 1024));
    expect(filesOn(disk)).toEqual([]);
    const large = await publish(store, patterned(64 * 1024 + 1));
    expect(filesOn(disk)).toHaveLength(1);
    await expectRead(store, small, patterned(64 * 1024));
    await expectRead(store, large, patterned(64 * 1024 + 1));
  });

  test('a small file of an earlier time is read, freed and set aside like any other', async () => {
    const old = await bench({ upToBytes: 0 });
    const facts = await publish(old.store, patterned(10));
    await old.store.close();
    const { store, disk } = await openOn(old);
    expect(filesOn(disk)).toHaveLength(1);
    await expectRead(store, facts, patterned(10));
    expect(await store.quarantine({ kind: 'blob', blobId: facts.blobId }, 5)).toBe(true);
    for await (const entry of store.quarantined()) expect(await store.restore(entry)).toBe(true);
    await store.remove(facts.blobId);
    expect(filesOn(disk)).toEqual([]);
  });

  test('while the index takes no rows, into files, and what was in packs is still read', async () => {
    const { disk, index, store } = await bench();
    const before = await publish(store, patterned(10));
    index.onWrite = async () => {
      throw new Error('the index fails');
    };
    const during = await publish(store, patterned(20));
    await expect(collectAll(store.published())).rejects.toThrow('could not be written');
    const after = await publish(store, patterned(30));
    expect(filesOn(disk)).toHaveLength(1);
    for (const [facts, size] of [
      [before, 10],
      [during, 20],
      [after, 30],
    ] as const) {
      await expectRead(store, facts, patterned(size));
    }
  });
});

describe('a body that was read', () => {
  test('is read from memory the next time, but by who asks for the disk, until it is removed', async () => {
    const { disk, store } = await bench();
    const facts = await publish(store, patterned(500));
    const kept = await publish(store, patterned(500, 2));
    for (const each of [facts, kept]) await (await store.open(each)).close();
    disk.record = true;
    const path = packsOn(disk)[0] ?? '';
    disk.poke(path, Buffer.alloc(disk.peek(path)?.length ?? 0));
    const blob = await store.open(facts);
    for await (const chunk of blob.bytes()) chunk.fill(0);
    await expectRead(store, facts, patterned(500));
    const range = { start: 10, end: 20 };
    expectBytes(await collect(blob.bytes(range)), patterned(500).subarray(10, 21));
    expect(disk.calls).toEqual([]);
    const fromDisk = await store.open(facts, { fromDisk: true });
    await expect(collect(fromDisk.bytes())).rejects.toThrow(BlobDamaged);
    await store.remove(facts.blobId);
    await store.quarantine({ kind: 'blob', blobId: kept.blobId }, 1);
    for (const gone of [facts, kept]) await expect(store.open(gone)).rejects.toThrow(BlobMissing);
  });

  test('is not kept where it is damaged', async () => {
    const { disk, store } = await bench();
    const facts = await publish(store, patterned(500));
    const path = packsOn(disk)[0] ?? '';
    const right = Buffer.from(disk.peek(path) ?? '');
    disk.poke(path, Buffer.alloc(right.length));
    await expect(collect((await store.open(facts)).bytes())).rejects.toThrow(BlobDamaged);
    disk.poke(path, right);
    await expectRead(store, facts, patterned(500));
  });
});

test('what is given back from quarantine stays given back after a finalize and a power cut', async () => {
  const left = await bench();
  const facts = await publish(left.store, patterned(10));
  await left.store.quarantine({ kind: 'blob', blobId: facts.blobId }, 5);
  await left.store.close();
  const back = await openOn(left);
  for await (const entry of back.store.quarantined()) await back.store.restore(entry);
  await back.store.finalize();
  left.index.powerLoss(1);
  const { store } = await openOn({ ...left, disk: left.disk.powerLoss(1) });
  await expectRead(store, facts, patterned(10));
});

describe('group commit', () => {
  test('one sync serves all that waited while another one ran', async () => {
    const { disk, store } = await bench();
    await stage(store, patterned(1));
    const begun = deferred();
    let syncs = 0;
    disk.inject = (call) => {
      if (!isPack(call) || call.operation !== 'dataSync') return undefined;
      syncs += 1;
      begun.resolve();
      return undefined;
    };
    const first = stage(store, patterned(2));
    await begun.promise;
    const late = Array.from({ length: 50 }, (_, size) => stage(store, patterned(size)));
    await Promise.all([first, ...late]);
    expect(syncs).toBeLessThanOrEqual(4);
  });

  test('a body is staged only after its bytes, the pack and its name are durable', async () => {
    const { disk, store, index, newBlobId } = await bench();
    disk.record = true;
    const facts = await stage(store, patterned(100));
    const order = disk.calls
      .filter(({ path, mutates }) => mutates && path.includes('/packs'))
      .map(({ operation }) => operation);
    expect(order).toEqual(['open create', 'write', 'sync', 'syncDirectory', 'write', 'dataSync']);
    const after = await openOn({ disk: disk.powerLoss(3), index, newBlobId });
    expect(await after.store.listStaged()).toEqual([facts.blobId]);
    await expectRead(after.store, facts, patterned(100));
  });
});

describe('a pack that fails', () => {
  test.each(['lost sync', 'error', 'short'] as const)(
    'after a %s it gets no further byte; the body fails, and the next one goes into another',
    async (kind) => {
      const { disk, store, index, newBlobId } = await bench();
      const before = await publish(store, patterned(10));
      disk.inject = (call) => {
        const hit = call.operation === (kind === 'lost sync' ? 'dataSync' : 'write');
        return isPack(call) && hit ? { kind, code: 'EIO' } : undefined;
      };
      const failing = await Promise.allSettled([
        stage(store, patterned(20)),
        stage(store, patterned(30)),
      ]);
      expect(failing.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(await store.listStaged()).toEqual([]);
      const [broken] = packsOn(disk);
      disk.inject = () => undefined;
      disk.record = true;
      const after = await publish(store, patterned(40));
      expect(disk.calls.filter(({ path, mutates }) => mutates && path === broken)).toEqual([]);
      await expectRead(store, before, patterned(10));
      const next = await openOn({ disk: disk.powerLoss(1), index, newBlobId });
      await next.store.clearStaging(async (id) => id === before.blobId || id === after.blobId);
      await expectRead(next.store, before, patterned(10));
      await expectRead(next.store, after, patterned(40));
    },
  );

  test('a full disk leaves no pack behind, however often it is tried', async () => {
    const { disk, store } = await bench();
    disk.inject = (call) =>
      isPack(call) && call.operation === 'write' ? { kind: 'short', code: 'ENOSPC' } : undefined;
    for (let count = 0; count < 5; count += 1) {
      await expect(stage(store, patterned(10))).rejects.toMatchObject({ code: 'ENOSPC' });
    }
    expect(packsOn(disk)).toEqual([]);
    disk.inject = () => undefined;
    await expectRead(store, await stage(store, patterned(10)), patterned(10));
  });

  test('too many open files fail the body or the read, and nothing else', async () => {
    const { disk, store, index, newBlobId } = await bench();
    const facts = await publish(store, patterned(10));
    await store.close();
    const { store: again } = await openOn({ disk, index, newBlobId });
    disk.inject = ({ operation }) =>
      operation.startsWith('open') ? { kind: 'error', code: 'EMFILE' } : undefined;
    await expect(again.open(facts)).rejects.toMatchObject({ code: 'EMFILE' });
    await expect(stage(again, patterned(5))).rejects.toMatchObject({ code: 'EMFILE' });
    disk.inject = () => undefined;
    await expectRead(again, facts, patterned(10));
  });
});

describe('the next start', () => {
  test('after a clean stop reads no pack, for the checkpoint vouches for them', async () => {
    const left = await bench();
    const facts = await publish(left.store, patterned(10));
    await left.store.close();
    left.disk.record = true;
    const { store } = await openOn(left);
    expect(left.disk.calls.filter(isPack)).toEqual([]);
    await expectRead(store, facts, patterned(10));
  });

  test('finds what was staged, in a pack that nobody sealed, and seals it', async () => {
    const left = await bench();
    const facts = await stage(left.store, patterned(10));
    const disk = left.disk.restart();
    const before = Buffer.from(disk.peek(packsOn(disk)[0] ?? '') ?? '');
    const { store } = await openOn({ ...left, disk });
    expect(await store.listStaged()).toEqual([facts.blobId]);
    const sealed = disk.peek(packsOn(disk)[0] ?? '');
    expect(sealed?.subarray(0, before.length), 'nothing was written over').toEqual(before);
    expect(sealed?.length).toBeGreaterThan(before.length);
    disk.record = true;
    expect(await store.publish([facts.blobId])).toEqual({ missing: [] });
    await stage(store, patterned(11));
    expect(packsOn(disk)).toHaveLength(2);
  });

  test('does not show a needle that no record refers to, and compaction frees it', async () => {
    const left = await bench();
    const facts = await stage(left.store, patterned(5000));
    const disk = left.disk.restart();
    const { store } = await openOn({ ...left, disk });
    expect(await store.clearStaging(async () => false)).toEqual({ published: 0, removed: 1 });
    expect(await store.has(facts.blobId)).toBe(false);
    await expect(store.open(facts)).rejects.toThrow(BlobMissing);
    expect(await collectAll(store.published())).toEqual([]);
    expect(await store.compact(run)).toMatchObject({ packs: 1 });
    expect(packsOn(disk)).toEqual([]);
  });

  test('builds a lost index from the packs alone', async () => {
    const left = await bench({ limits: { packBytes: 2000, packNeedles: 100 } });
    const all: Staged[] = [];
    for (let seed = 1; seed < 10; seed += 1)
      all.push(await publish(left.store, patterned(900, seed)));
    await left.store.close();
    left.index.destroy();
    const { store, warnings } = await openOn(left);
    expect(warnings.join()).toContain('built anew');
    expect(await collectAll(store.published())).toHaveLength(9);
    for (const [at, facts] of all.entries()) await expectRead(store, facts, patterned(900, at + 1));
  });

  test('sets a pack aside that has no head, and uses its number for no other', async () => {
    const left = await bench();
    await publish(left.store, patterned(10));
    await left.store.close();
    const path = packsOn(left.disk)[0] ?? '';
    left.disk.poke(path, Buffer.alloc(500, 'x'));
    left.index.destroy();
    const { store, disk } = await openOn(left);
    await publish(store, patterned(11));
    expect(packsOn(disk).sort()).toEqual([`${path}.broken`, '/data/packs/0000000002.pack']);
  });
});

describe('compaction', () => {
  async function halfDead(): Promise<Bench & { readonly kept: Staged; readonly all: Staged[] }> {
    const left = await bench({ limits: { packBytes: 4000, packNeedles: 100 } });
    const all: Staged[] = [];
    for (let seed = 1; seed <= 6; seed += 1)
      all.push(await publish(left.store, patterned(900, seed)));
    for (const { blobId } of all.slice(1, 4)) await left.store.remove(blobId);
    const [kept] = all;
    if (!kept) throw new Error('nothing was staged');
    return { ...left, kept, all };
  }

  test('copies what lives and removes the pack; who holds a blob open reads on', async () => {
    const { store, disk, kept } = await halfDead();
    const [first] = packsOn(disk);
    const held = await store.open(kept);
    expect(await store.compact(run)).toMatchObject({ packs: 1 });
    expect(packsOn(disk)).not.toContain(first);
    expectBytes(await collect(held.bytes()), patterned(900, 1));
    await expectRead(store, kept, patterned(900, 1));
    expect(await store.compact(run), 'there is nothing more to gain').toMatchObject({ packs: 0 });
  });

  test('leaves a pack alone of which half lives', async () => {
    const { store, disk } = await bench({ limits: { packBytes: 4000, packNeedles: 100 } });
    const all: Staged[] = [];
    for (let seed = 1; seed <= 6; seed += 1) all.push(await publish(store, patterned(900, seed)));
    for (const { blobId } of all.slice(0, 2)) await store.remove(blobId);
    disk.record = true;
    expect(await store.compact(run)).toEqual({ packs: 0, freedBytes: 0 });
    expect(disk.calls.filter(({ mutates }) => mutates)).toEqual([]);
  });

  test('keeps what is staged and what is in quarantine', async () => {
    const left = await bench({ limits: { packBytes: 4000, packNeedles: 100 } });
    const { store, disk } = left;
    const staged = await stage(store, patterned(10, 1));
    const aside = await publish(store, patterned(20, 2));
    await store.quarantine({ kind: 'blob', blobId: aside.blobId }, 77);
    const filler = await publish(store, patterned(4000, 3));
    await store.remove(filler.blobId);
    await publish(store, patterned(30, 4));
    expect(await store.compact(run)).toMatchObject({ packs: 1 });
    expect(packsOn(disk)).toHaveLength(1);
    expect(await store.listStaged()).toEqual([staged.blobId]);
    await expectRead(store, staged, patterned(10, 1));
    const [entry] = await collectAll(store.quarantined());
    if (!entry) throw new Error('the quarantine is empty');
    expect(entry).toMatchObject({ id: aside.blobId, arrivedMs: 77, sizeBytes: 20 });
    expect(await store.restore(entry)).toBe(true);
    await expectRead(store, aside, patterned(20, 2));
  });

  test('does not drop a needle whose row the index has lost', async () => {
    const left = await halfDead();
    const { kept } = left;
    await left.store.close();
    left.index.rows.delete(`62${kept.blobId}`);
    const { store } = await openOn(left, { limits: { packBytes: 4000, packNeedles: 100 } });
    expect(await store.compact(run)).toMatchObject({ packs: 1 });
    await expectRead(store, kept, patterned(900, 1));
  });

  test('leaves a pack where it is in which a living needle is damaged', async () => {
    const { store, disk, kept, warnings } = await halfDead();
    const path = packsOn(disk)[0] ?? '';
    const bytes = Buffer.from(disk.peek(path) ?? '');
    bytes.writeUInt8(bytes.readUInt8(500) ^ 1, 500);
    disk.poke(path, bytes);
    expect(await store.compact(run)).toEqual({ packs: 0, freedBytes: 0 });
    expect(packsOn(disk)).toContain(path);
    expect(warnings.join()).toContain(kept.blobId);
  });

  test('goes as fast as it is let, and ends where it is told to', async () => {
    const { store, disk } = await halfDead();
    const abort = new AbortController();
    const asked: number[] = [];
    const throttle = async (bytes: number) => {
      asked.push(bytes);
      abort.abort(new Error('enough'));
    };
    const before = packsOn(disk).length;
    await expect(store.compact({ signal: abort.signal, throttle })).rejects.toThrow('enough');
    expect(asked).toEqual([944]);
    expect(packsOn(disk).length).toBe(before);
  });
});

async function collectAll<T>(things: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const thing of things) all.push(thing);
  return all;
}

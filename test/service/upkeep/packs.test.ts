/** The sweep, the quarantine, the collection and the check of all bytes, where the bytes lie in packs. */
import { describe, expect, it } from 'vitest';
import type { BlobId } from '../../../src/domain/names.ts';
import {
  createBucket,
  dataDirectory,
  get,
  hourMs,
  key,
  openRig,
  put,
  type Rig,
  runJob,
  service,
  user,
} from '../../support/rig.ts';
import { needlesIn, publishedIn, quarantinedIn } from '../../support/stray.ts';

const alice = user('alice');
const body = (text: string) => Buffer.from(text.padEnd(500, text));
const packsIn = ({ disk }: Rig) => disk.paths().filter((path) => /\/packs\/\d+\.pack$/.test(path));

async function rigWith(...paths: string[]): Promise<Rig> {
  const rig = await openRig({ packLimits: { packBytes: 1200, packNeedles: 100 } });
  await createBucket(rig, alice, 'b');
  for (const path of paths) await store(rig, path);
  return rig;
}

async function store(rig: Rig, path: string, text = path): Promise<BlobId> {
  const stored = await put(rig, alice, { bucket: 'b', path, bytes: body(text) });
  if (!stored.ok) throw new Error(stored.rejection.code);
  return stored.value.object.blob_id;
}

/** A published needle that no row refers to, as a lost index brings one back. */
async function orphanIn(rig: Rig): Promise<BlobId> {
  const blobId = await store(rig, 'orphan');
  await rig.store.service.objects.remove(alice, key('b', 'orphan'));
  rig.advance(8 * 24 * hourMs);
  await runJob(rig, 'sweep');
  await store(rig, 'filler');
  await rig.close();
  rig.packIndex.destroy();
  await rig.open();
  return blobId;
}

describe('a needle that nobody refers to', () => {
  it('goes into quarantine, and is freed after its grace', async () => {
    const rig = await rigWith('a', 'b', 'c');
    const orphan = await orphanIn(rig);
    expect(publishedIn(rig)).toContain(orphan);
    expect(await runJob(rig, 'sweep')).toMatchObject({ ok: true, orphans: 1, quarantined: 1 });
    expect(quarantinedIn(rig)).toEqual([orphan]);
    rig.advance(25 * hourMs);
    expect(await runJob(rig, 'sweep')).toMatchObject({ purged: 1, purged_bytes: 500 });
    expect(quarantinedIn(rig)).toEqual([]);
    expect(await get(rig, alice, { bucket: 'b', path: 'a' })).toEqual(body('a'));
  });

  it('is listed, restored and purged by its id', async () => {
    const rig = await rigWith('a', 'b', 'c');
    const orphan = await orphanIn(rig);
    await runJob(rig, 'sweep');
    expect(await runJob(rig, 'quarantine-list')).toMatchObject({
      count: 1,
      bytes: 500,
      entries: [{ id: orphan, kind: 'blob', path: null, size: 500 }],
    });
    const ids = [orphan];
    expect(await runJob(rig, 'quarantine-restore', { ids })).toMatchObject({
      ok: true,
      restored: 1,
    });
    expect(publishedIn(rig)).toContain(orphan);
    await runJob(rig, 'sweep');
    expect(await runJob(rig, 'quarantine-purge', { ids })).toMatchObject({ ok: true, purged: 1 });
    expect([...publishedIn(rig), ...quarantinedIn(rig)]).not.toContain(orphan);
  });
});

describe('deleted objects', () => {
  it('give their room back when retention has passed and most of a pack is dead', async () => {
    const rig = await rigWith('a', 'b', 'c', 'd');
    const [first] = packsIn(rig);
    for (const path of ['a', 'b']) await rig.store.service.objects.remove(alice, key('b', path));
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 0, compacted_packs: 0 });
    rig.advance(8 * 24 * hourMs);
    const report = await runJob(rig, 'sweep');
    expect(report).toMatchObject({ ok: true, collected: 2, compacted_packs: 1, orphans: 0 });
    expect(report.compacted_bytes).toBeGreaterThan(500);
    expect(packsIn(rig)).not.toContain(first);
    for (const path of ['c', 'd']) {
      expect(await get(rig, alice, { bucket: 'b', path })).toEqual(body(path));
    }
    expect(needlesIn(rig, 2)).toEqual([]);
  });
});

describe('a disk that is full', () => {
  it('ends the compaction, after all else that a sweep looks at', async () => {
    const rig = await rigWith('a', 'b', 'c', 'd');
    await rig.store.service.objects.remove(alice, key('b', 'a'));
    rig.advance(8 * 24 * hourMs);
    rig.disk.inject = ({ operation, path }) =>
      operation === 'write' && path.endsWith('.pack')
        ? { kind: 'short', code: 'ENOSPC' }
        : undefined;
    await expect(runJob(rig, 'sweep')).rejects.toThrow('ENOSPC');
    rig.disk.inject = () => undefined;
    const status = await rig.store.service.admin.status(service);
    expect(status.ok && status.value.upkeep.last_sweep_at).toMatch(/Z$/);
    expect(await runJob(rig, 'sweep')).toMatchObject({ ok: true, compacted_packs: 1 });
  });
});

describe('the check of all bytes', () => {
  it('finds the object whose needle is damaged, the one that is cut off, and those whose pack is gone', async () => {
    const rig = await rigWith('a', 'b', 'c', 'd', 'e');
    await rig.close();
    await rig.open();
    expect(await runJob(rig, 'blobs-verify', { rate: 1e12 })).toMatchObject({ ok: true });
    const [first = '', second = ''] = packsIn(rig);
    const bytes = Buffer.from(rig.disk.peek(first) ?? '');
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(300) ^ 4, 300);
    rig.disk.poke(first, flipped);
    expect(await runJob(rig, 'blobs-verify', { rate: 1e12 })).toMatchObject({
      ok: false,
      damaged: 1,
      findings: [{ path: 'a' }],
    });
    rig.disk.poke(first, bytes.subarray(0, 300));
    expect(await runJob(rig, 'blobs-verify', { rate: 1e12 })).toMatchObject({
      ok: false,
      damaged: 2,
    });
    rig.disk.poke(first, bytes);
    expect(await runJob(rig, 'blobs-verify', { rate: 1e12 })).toMatchObject({ ok: true });
    await rig.close();
    rig.disk.poke(second, undefined);
    await rig.open();
    await rig.store.settled();
    expect(rig.store.report.missing_blobs).toBe(2);
    expect(await runJob(rig, 'blobs-verify', { rate: 1e12 })).toMatchObject({ missing: 2 });
    expect(rig.disk.paths()).toContain(`${dataDirectory}/packs/checkpoint`);
  });
});

import { describe, expect, it } from 'vitest';
import type { BlobId } from '../../../src/domain/names.ts';
import {
  createBucket,
  get,
  hourMs,
  key,
  openRig,
  put,
  type Rig,
  type RigOptions,
  runJob,
  user,
} from '../../support/rig.ts';
import { blobPath, publishedIn, quarantinedIn } from '../../support/stray.ts';

const alice = user('alice');
const day = 24 * hourMs;

async function bucketWith(
  upkeep: Partial<NonNullable<NonNullable<RigOptions['store']>['upkeep']>> = {},
): Promise<Rig> {
  const rig = await openRig({
    packUpToBytes: 0,
    store: { upkeep: { orphanGraceMs: day, retentionMs: 7 * day, ...upkeep } },
  });
  await createBucket(rig, alice, 'b');
  return rig;
}

async function store(rig: Rig, path: string, text: string): Promise<BlobId> {
  const stored = await put(rig, alice, { bucket: 'b', path, bytes: Buffer.from(text) });
  if (!stored.ok) throw new Error(stored.rejection.code);
  return stored.value.object.blob_id;
}

describe('the bytes of what was overwritten or deleted', () => {
  it('stay for the retention, and then go, while what is current stays', async () => {
    const rig = await bucketWith();
    const old = await store(rig, 'a', 'old');
    const current = await store(rig, 'a', 'current');
    const deleted = await store(rig, 'c', 'deleted');
    await rig.store.service.objects.remove(alice, key('b', 'c'));
    rig.advance(7 * day - hourMs);
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 0, orphans: 0 });
    expect(publishedIn(rig).sort()).toEqual([old, current, deleted].sort());
    rig.advance(2 * hourMs);
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 2, orphans: 0 });
    expect(publishedIn(rig)).toEqual([current]);
    expect(await get(rig, alice, { bucket: 'b', path: 'a' })).toEqual(Buffer.from('current'));
    expect(quarantinedIn(rig)).toEqual([]);
  });

  it('go in the order of their age, each at its time', async () => {
    const rig = await bucketWith();
    const first = await store(rig, 'a', '1');
    const second = await store(rig, 'a', '2');
    rig.advance(day);
    const third = await store(rig, 'a', '3');
    rig.advance(6 * day + hourMs);
    await runJob(rig, 'sweep');
    expect(publishedIn(rig).sort()).toEqual([second, third].sort());
    rig.advance(day);
    await runJob(rig, 'sweep');
    expect(publishedIn(rig)).toEqual([third]);
    expect(first).not.toBe(second);
  });

  it('stay for good with "keep", and nothing is appended', async () => {
    const rig = await bucketWith({ retentionMs: 'keep' });
    await store(rig, 'a', 'old');
    await store(rig, 'a', 'current');
    rig.advance(10_000 * day);
    const before = rig.store.views.applied;
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 0, orphans: 0 });
    expect(publishedIn(rig)).toHaveLength(2);
    expect(rig.store.views.applied).toBe(before);
  });

  it('go once: a sweep with nothing due appends nothing', async () => {
    const rig = await bucketWith();
    await store(rig, 'a', 'old');
    await store(rig, 'a', 'current');
    rig.advance(8 * day);
    await runJob(rig, 'sweep');
    const before = rig.store.views.applied;
    await runJob(rig, 'sweep');
    expect(rig.store.views.applied).toBe(before);
  });

  it('reach a reader that holds them open', async () => {
    const rig = await bucketWith();
    await store(rig, 'a', 'old');
    const found = await rig.store.service.objects.read(alice, key('b', 'a'));
    if (!found.ok) throw new Error(found.rejection.code);
    const blob = await found.value.open();
    await store(rig, 'a', 'current');
    rig.advance(8 * day);
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 1 });
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.bytes()) chunks.push(chunk);
    await blob.close();
    expect(Buffer.concat(chunks).toString()).toBe('old');
  });

  it('wait a moment even without retention, for who has read the row and not yet opened the blob', async () => {
    const rig = await bucketWith({ retentionMs: 0 });
    const old = await store(rig, 'a', 'old');
    const found = await rig.store.service.objects.read(alice, key('b', 'a'));
    if (!found.ok) throw new Error(found.rejection.code);
    await store(rig, 'a', 'current');
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 0 });
    const blob = await found.value.open();
    await blob.close();
    rig.advance(5_000);
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 1 });
    expect(publishedIn(rig)).not.toContain(old);
  });

  it('end in quarantine where the removal failed', async () => {
    const rig = await bucketWith();
    const old = await store(rig, 'a', 'old');
    await store(rig, 'a', 'current');
    rig.advance(8 * day);
    rig.disk.inject = ({ operation, path }) =>
      operation === 'remove' && path === blobPath(old) ? { kind: 'error', code: 'EIO' } : undefined;
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 0, orphans: 1 });
    expect(publishedIn(rig)).not.toContain(old);
    expect(quarantinedIn(rig)).toHaveLength(1);
  });

  it('end in quarantine where a crash came between the record and the removal', async () => {
    const rig = await bucketWith();
    const old = await store(rig, 'a', 'old');
    await store(rig, 'a', 'current');
    rig.advance(8 * day);
    rig.disk.inject = ({ operation, path }) =>
      operation === 'remove' && path === blobPath(old) ? { kind: 'stop', before: true } : undefined;
    await runJob(rig, 'sweep').catch(() => {});
    await rig.kill();
    await rig.open();
    await rig.store.settled();
    expect(publishedIn(rig)).toContain(old);
    expect(await runJob(rig, 'sweep')).toMatchObject({ collected: 0, orphans: 1 });
    rig.advance(2 * day);
    expect(await runJob(rig, 'sweep')).toMatchObject({ purged: 1 });
    expect([...publishedIn(rig), ...quarantinedIn(rig)]).toHaveLength(1);
  });

  it('stay where the record could not be written', async () => {
    const rig = await bucketWith();
    await store(rig, 'a', 'old');
    await store(rig, 'a', 'current');
    rig.advance(8 * day);
    rig.disk.inject = ({ operation, path }) =>
      operation === 'write' && path.endsWith('.wal') ? { kind: 'error', code: 'EIO' } : undefined;
    await runJob(rig, 'sweep').catch(() => {});
    expect(publishedIn(rig)).toHaveLength(2);
  });
});

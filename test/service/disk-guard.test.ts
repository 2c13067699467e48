/** A disk that fills up: what is refused at which mark, and that it comes back by itself. */
import { describe, expect, it } from 'vitest';
import { createBucket, get, key, openRig, put, type Rig, user } from '../support/rig.ts';

const alice = user('alice');
const bytes = Buffer.from('hello');
const diskMarks = {
  low: { kind: 'share', share: 0.05 },
  hard: { kind: 'bytes', bytes: 10_000 },
} as const;

async function filledRig(packUpToBytes = 100_000): Promise<Rig> {
  const rig = await openRig({ packUpToBytes, store: { diskMarks } });
  await createBucket(rig, alice, 'b');
  for (const path of ['1', '2', '3']) await put(rig, alice, { bucket: 'b', path, bytes });
  return rig;
}

async function leave(rig: Rig, freeBytes: number): Promise<void> {
  rig.disk.space = { freeBytes, totalBytes: 1_000_000 };
  await rig.store.diskGuard.look();
}

const outcome = (result: { ok: boolean; rejection?: { code: string } }) =>
  result.ok ? 'done' : result.rejection?.code;
const upload = async (rig: Rig, path = 'n') =>
  outcome(await put(rig, alice, { bucket: 'b', path, bytes }));
const remove = async (rig: Rig, path: string) =>
  outcome(await rig.store.service.objects.remove(alice, key('b', path)));
const create = async (rig: Rig, name: string) => outcome(await createBucket(rig, alice, name));
const staged = (rig: Rig) => rig.disk.paths().filter((path) => path.includes('/staging/'));

describe('a disk that fills up', () => {
  it('refuses uploads below the low mark, while what takes no room goes on', async () => {
    const rig = await filledRig();
    await leave(rig, 50_000);
    expect(await upload(rig)).toBe('done');
    await leave(rig, 49_999);
    expect(await upload(rig)).toBe('InsufficientStorage');
    expect(await remove(rig, '1')).toBe('done');
    expect(await create(rig, 'c')).toBe('done');
    expect(await get(rig, alice, { bucket: 'b', path: '2' })).toEqual(bytes);
    expect(rig.store.service.health()).toEqual({
      status: 'degraded',
      reasons: ['the disk is almost full: uploads are refused'],
    });
    expect(staged(rig)).toEqual([]);
  });

  it('refuses every write below the hard mark, and is not ready, while reads go on', async () => {
    const rig = await filledRig();
    await leave(rig, 9_999);
    expect(await upload(rig)).toBe('ReadOnly');
    expect(await remove(rig, '1')).toBe('ReadOnly');
    expect(await create(rig, 'c')).toBe('ReadOnly');
    expect(await get(rig, alice, { bucket: 'b', path: '1' })).toEqual(bytes);
    expect(rig.store.service.health()).toEqual({
      status: 'not_ready',
      reasons: ['the disk is full: the store is read-only'],
    });
  });

  it('comes back by itself, but not at the mark itself', async () => {
    const rig = await filledRig();
    await leave(rig, 9_999);
    await leave(rig, 10_500);
    expect(await remove(rig, '1')).toBe('ReadOnly');
    await leave(rig, 11_000);
    expect(await remove(rig, '1')).toBe('done');
    expect(await upload(rig)).toBe('InsufficientStorage');
    await leave(rig, 54_000);
    expect(await upload(rig)).toBe('InsufficientStorage');
    await leave(rig, 55_001);
    expect(await upload(rig)).toBe('done');
    expect(rig.store.service.health()).toEqual({ status: 'ready', reasons: [] });
  });

  it('begins read-only where the disk was full before', async () => {
    const rig = await filledRig();
    await rig.close();
    await rig.kill();
    rig.disk.space = { freeBytes: 100, totalBytes: 1_000_000 };
    await rig.open();
    expect(await upload(rig)).toBe('ReadOnly');
    expect(await get(rig, alice, { bucket: 'b', path: '1' })).toEqual(bytes);
  });

  it('goes on draining once there is room again', async () => {
    const rig = await filledRig();
    const { buckets } = rig.store.service;
    await buckets.remove(alice, key('b', 'x').bucket, { force: true });
    await rig.kill();
    rig.disk.space = { freeBytes: 0, totalBytes: 1_000_000 };
    await rig.open();
    await rig.store.settled();
    expect(await rig.store.views.drains()).toHaveLength(1);
    await leave(rig, 900_000);
    await rig.store.settled();
    expect(await rig.store.views.drains()).toEqual([]);
  });

  it.each([
    { place: '/staging/', packUpToBytes: 0 },
    { place: '/packs/', packUpToBytes: 100_000 },
  ])(
    'lets uploads rest when the disk refuses a body in $place although its figures are fine',
    async ({ place, packUpToBytes }) => {
      const rig = await filledRig(packUpToBytes);
      rig.disk.inject = ({ operation, path }) =>
        operation === 'write' && path.includes(place)
          ? { kind: 'short', code: 'ENOSPC' }
          : undefined;
      expect(await upload(rig)).toBe('InsufficientStorage');
      rig.disk.inject = () => undefined;
      expect(staged(rig)).toEqual([]);
      expect(await upload(rig)).toBe('InsufficientStorage');
      expect(await remove(rig, '1')).toBe('done');
      await rig.store.diskGuard.look();
      expect(await upload(rig)).toBe('done');
    },
  );

  it('is not stopped by a disk that does not tell its space', async () => {
    const rig = await filledRig();
    rig.disk.inject = ({ operation }) =>
      operation === 'space' ? { kind: 'error', code: 'EIO' } : undefined;
    await rig.store.diskGuard.look();
    expect(await upload(rig)).toBe('done');
    expect(rig.alarms.some((alarm) => alarm.includes('space on the disk is not known'))).toBe(true);
  });
});

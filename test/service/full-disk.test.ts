/** A disk without any room left: at start-up, while it runs, and at the end. */
import { describe, expect, it } from 'vitest';
import type { DiskCall, Fault } from '../support/faulty-disk.ts';
import {
  createBucket,
  dataDirectory,
  get,
  openRig,
  pathsIn,
  put,
  type Rig,
  user,
} from '../support/rig.ts';

const alice = user('alice');
const bytes = Buffer.from('hello');
const reserve = `${dataDirectory}/reserve`;

async function filledRig(): Promise<Rig> {
  const rig = await openRig();
  await createBucket(rig, alice, 'b');
  for (const path of ['1', '2']) await put(rig, alice, { bucket: 'b', path, bytes });
  return rig;
}

const full: Fault = { kind: 'short', code: 'ENOSPC' };
const takesRoom = ({ operation }: DiskCall) => operation === 'write' || operation === 'open create';
const inLog = ({ path }: DiskCall) => path.startsWith(`${dataDirectory}/wal/`);
const upload = (rig: Rig, path: string) => put(rig, alice, { bucket: 'b', path, bytes });
const codeOf = (result: { ok: boolean; rejection?: { code: string } }) => result.rejection?.code;

async function withReserve(rig: Rig): Promise<void> {
  await rig.store.diskGuard.look();
  await expect.poll(() => rig.disk.peek(reserve)?.length).toBe(4096);
}

describe('a disk that is full at start-up', () => {
  it('recovers with the reserve, which is filled again later', async () => {
    const rig = await filledRig();
    await withReserve(rig);
    await rig.kill();
    rig.disk.inject = (call) =>
      takesRoom(call) && rig.disk.peek(reserve) !== undefined ? full : undefined;
    await rig.open();
    expect(rig.disk.peek(reserve)).toBeUndefined();
    expect(rig.alarms.some((alarm) => alarm.includes('the reserve is given up'))).toBe(true);
    expect((await upload(rig, '3')).ok).toBe(true);
    rig.disk.inject = () => undefined;
    await withReserve(rig);
    await rig.close();
  });

  it.each(['kill', 'cutPower'] as const)(
    'begins read-only in the old epoch, and writes in a new one once there is room (%s)',
    async (ending) => {
      const rig = await filledRig();
      const before = await rig.store.service.admin.status({
        caller: { kind: 'service', id: null },
        requestId: 'test',
      });
      await rig[ending](1);
      rig.disk.inject = (call) => (takesRoom(call) && inLog(call) ? full : undefined);
      await rig.open();
      const status = () =>
        rig.store.service.admin.status({ caller: { kind: 'service', id: null }, requestId: 't' });
      const epochOf = (found: Awaited<ReturnType<typeof status>>) => found.ok && found.value.epoch;
      expect(await get(rig, alice, { bucket: 'b', path: '1' })).toEqual(bytes);
      expect(codeOf(await upload(rig, '3'))).toBe('ReadOnly');
      expect(epochOf(await status())).toBe(epochOf(before));
      expect(rig.store.service.health()).toEqual({
        status: 'not_ready',
        reasons: ['the log can not be written: the disk is full'],
      });
      await rig.store.diskGuard.look();
      expect(codeOf(await upload(rig, '3'))).toBe('ReadOnly');
      rig.disk.inject = () => undefined;
      await rig.store.diskGuard.look();
      await expect.poll(() => rig.store.service.health().status).toBe('ready');
      expect((await upload(rig, '3')).ok).toBe(true);
      expect(Number(epochOf(await status()))).toBeGreaterThan(Number(epochOf(before)));
      const digest = await rig.store.views.digest();
      await rig.close();
      await rig.kill();
      await rig.open();
      expect(rig.store.report.views).toBe('clean');
      expect(await rig.store.views.digest()).toBe(digest);
      expect(await pathsIn(rig, alice, 'b')).toEqual(['1', '2', '3']);
    },
  );

  it('is still read after a stop without ever having been written to', async () => {
    const rig = await filledRig();
    await rig.kill();
    rig.disk.inject = (call) => (takesRoom(call) ? full : undefined);
    await rig.open();
    expect(await pathsIn(rig, alice, 'b')).toEqual(['1', '2']);
    await rig.close();
    rig.disk.inject = () => undefined;
    await rig.open();
    expect(await pathsIn(rig, alice, 'b')).toEqual(['1', '2']);
    expect((await upload(rig, '3')).ok).toBe(true);
  });
});

describe('a disk that becomes full', () => {
  it('under the log ends the process, and the next one has all that was answered', async () => {
    const rig = await filledRig();
    rig.disk.inject = (call) => (call.operation === 'write' && inLog(call) ? full : undefined);
    expect(codeOf(await upload(rig, '3'))).toBe('OutcomeUnknown');
    await expect(rig.store.failed).resolves.toBeDefined();
    await rig.kill();
    rig.disk.inject = () => undefined;
    await rig.open();
    expect(await pathsIn(rig, alice, 'b')).toEqual(['1', '2']);
    expect((await upload(rig, '3')).ok).toBe(true);
  });

  it('does not keep a stop from ending in good order: the reserve is for that', async () => {
    const rig = await openRig({
      store: {
        diskMarks: { low: { kind: 'bytes', bytes: 20 }, hard: { kind: 'bytes', bytes: 10 } },
      },
    });
    await createBucket(rig, alice, 'b');
    await withReserve(rig);
    rig.disk.space = { freeBytes: 5, totalBytes: 1000 };
    await rig.store.diskGuard.look();
    rig.disk.inject = (call) =>
      takesRoom(call) && rig.disk.peek(reserve) !== undefined ? full : undefined;
    await rig.close();
    rig.disk.inject = () => undefined;
    await rig.kill();
    rig.disk.space = { freeBytes: 1e9, totalBytes: 1e9 };
    await rig.open();
    expect(rig.store.report.views).toBe('clean');
  });
});

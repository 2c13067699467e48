/** Bytes that are gone or wrong are said at once, wherever it is that someone meets them. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BlobDamaged } from '../../src/blobs/blob-store.ts';
import type { BlobId } from '../../src/domain/names.ts';
import { createBucket, dataDirectory, get, openRig, put, type Rig, user } from '../support/rig.ts';
import { blobPath } from '../support/stray.ts';

const alice = user('alice');
const place = { bucket: 'b', path: 'a' };

let rig: Rig;
beforeEach(async () => {
  rig = await openRig({ packUpToBytes: 0 });
  await createBucket(rig, alice, 'b');
});
afterEach(() => rig.close());

async function stored(path = 'a') {
  const done = await put(rig, alice, { bucket: 'b', path, bytes: Buffer.from('the bytes') });
  if (!done.ok) throw new Error(done.rejection.code);
  return done.value.object;
}

/** The log's lines that tell of it. */
const linesOf = (text: string) => rig.alarms.filter((alarm) => alarm.includes(text));

it('a flipped bit that a reader meets is said once, with the object, and shown in the health', async () => {
  const { id, blob_id: blobId } = await stored();
  rig.disk.poke(blobPath(blobId), Buffer.from('The bytes'));
  await expect(get(rig, alice, place)).rejects.toThrow(BlobDamaged);
  expect(linesOf(id)).toHaveLength(1);
  expect(rig.store.service.health()).toEqual({
    status: 'degraded',
    reasons: ['objects with damaged bytes'],
  });
});

it('a blob that is gone when its record is applied shows in the health before anyone reads', async () => {
  const staging = `${dataDirectory}/staging/`;
  // The record's write is where the bytes are staged and not published.
  rig.disk.inject = ({ operation, path }) => {
    if (operation !== 'write' || !path.includes('/wal/')) return undefined;
    for (const name of rig.disk.paths()) {
      if (name.startsWith(staging)) rig.disk.poke(name, undefined);
    }
    return undefined;
  };
  await stored();
  rig.disk.inject = () => undefined;
  expect(rig.store.service.health()).toEqual({
    status: 'degraded',
    reasons: ['objects without their bytes'],
  });
});

it('names that could not be made durable show in the health', async () => {
  await stored('before');
  await rig.store.settled();
  rig.disk.inject = ({ operation, path }) =>
    operation === 'syncDirectory' && path.startsWith(`${dataDirectory}/blobs`)
      ? { kind: 'lost sync' }
      : undefined;
  await stored();
  await expect.poll(() => rig.store.service.health().status).toBe('degraded');
  expect(rig.store.service.health().reasons).toEqual([
    'blobs that only a restart brings to their place',
  ]);
  rig.disk.inject = () => undefined;
});

it('a start keeps a committed blob that lies in staging, also where a row about it is lost', async () => {
  const { blob_id: blobId } = await stored();
  await rig.store.settled();
  const lost = [...rig.views.rows.keys()].filter((name) => name.startsWith('k'));
  expect(lost).toHaveLength(1);
  await rig.views.poke(lost[0] ?? '', undefined);
  await rig.close();
  await rig.disk.files.rename(blobPath(blobId as BlobId), `${dataDirectory}/staging/${blobId}`);
  await rig.open();
  expect(rig.store.report).toMatchObject({ views: 'clean', removed_staging: 0 });
  expect(rig.disk.peek(blobPath(blobId))?.toString()).toBe('the bytes');
});

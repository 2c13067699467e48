/** Copy, move, metadata and delete many on a whole store: what is there afterwards, and after a rebuild. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BucketName, ObjectPath } from '../../../src/domain/names.ts';
import type { ObjectRow } from '../../../src/domain/object.ts';
import type { Result } from '../../../src/domain/result.ts';
import type { Call, Patch, Transfer } from '../../../src/service/service.ts';
import {
  createBucket,
  get,
  key,
  openRig,
  pathsIn,
  put,
  type Rig,
  service,
  user,
} from '../../support/rig.ts';

const alice = user('alice');
const bob = user('bob');
const text = Buffer.from('some text');
const html = Buffer.from('<!doctype html><html><script>1</script></html>');

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
  await createBucket(rig, alice, 'a', { policy: 'public', write_policy: 'authenticated' });
  await createBucket(rig, bob, 'b', { write_policy: 'authenticated' });
});
afterEach(() => rig.close());

const bucket = (name: string) => name as BucketName;

function upload(call: Call, at: string, bytes = text, metadata?: string) {
  const [name = '', path = ''] = at.split('/', 2);
  return put(rig, call, {
    bucket: name,
    path,
    bytes,
    ...(metadata === undefined ? {} : { metadata }),
  });
}

function transfer(from: string, to: string, more: Partial<Transfer> = {}): Transfer {
  const place = (at: string) => {
    const [name = '', path = ''] = at.split('/', 2);
    return key(name, path);
  };
  return { source: place(from), target: place(to), overwrite: false, ...more };
}

const copy = (call: Call, from: string, to: string, more: Partial<Transfer> = {}) =>
  rig.store.service.objects.copy(call, transfer(from, to, more));
const move = (call: Call, from: string, to: string, more: Partial<Transfer> = {}) =>
  rig.store.service.objects.move(call, transfer(from, to, more));
const patch = (call: Call, path: string, asked: Patch) =>
  rig.store.service.objects.patch(call, key('a', path), asked);
const removeMany = (call: Call, name: string, paths: string[]) =>
  rig.store.service.objects.removeMany(call, bucket(name), paths as ObjectPath[]);

function codeOf(result: Result<unknown>): string {
  return result.ok ? 'ok' : result.rejection.code;
}
function done<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.rejection)}`);
  return result.value;
}
function row(name: string, path: string): ObjectRow | undefined {
  const found = rig.store.views.bucket(bucket(name));
  return found && rig.store.views.object(found.keyspace, path as ObjectPath);
}
const totals = (name: string) => {
  const found = rig.store.views.bucket(bucket(name));
  return found && rig.store.views.totals(found.keyspace);
};
/** The rows are a function of the log: built anew, they are the same. */
async function rebuiltIsTheSame() {
  const digest = await rig.store.views.digest();
  await rig.close();
  rig.views.destroy();
  await rig.open();
  // store.opened is the only record since, and it makes no row.
  expect(await rig.store.views.digest()).toBe(digest);
}

describe('a copy', () => {
  it('shares the bytes and belongs to its maker', async () => {
    await upload(alice, 'a/one', text, '{"k":1}');
    const { object } = done(await copy(bob, 'a/one', 'b/two'));
    const source = row('a', 'one');
    expect(object).toMatchObject({
      path: 'two',
      owner_id: 'bob',
      etag: source?.etag,
      blob_id: source?.blob_id,
      metadata: '{"k":1}',
    });
    expect(object.id).not.toBe(source?.id);
    expect(object.version).not.toBe(source?.version);
    expect(await get(rig, bob, { bucket: 'b', path: 'two' })).toEqual(text);
    await rebuiltIsTheSame();
  });

  it('outlives its source', async () => {
    await upload(alice, 'a/one');
    done(await copy(bob, 'a/one', 'b/two'));
    done(await rig.store.service.objects.remove(alice, key('a', 'one')));
    expect(await get(rig, bob, { bucket: 'b', path: 'two' })).toEqual(text);
  });

  it('takes other metadata, or none', async () => {
    await upload(alice, 'a/one', text, '{"k":1}');
    expect(done(await copy(bob, 'a/one', 'b/2', { metadata: '{"l":2}' })).object.metadata).toBe(
      '{"l":2}',
    );
    expect(done(await copy(bob, 'a/one', 'b/3', { metadata: null })).object.metadata).toBeNull();
  });

  it('overwrites only where it is told to, and then keeps id and owner of what was there', async () => {
    await upload(alice, 'a/one');
    await upload(alice, 'a/two', Buffer.from('old'));
    const before = row('a', 'two');
    expect(codeOf(await copy(alice, 'a/one', 'a/two'))).toBe('KeyAlreadyExists');
    const { object } = done(await copy(alice, 'a/one', 'a/two', { overwrite: true }));
    expect(object).toMatchObject({
      id: before?.id,
      created_at: before?.created_at,
      owner_id: 'alice',
      etag: row('a', 'one')?.etag,
    });
    expect(totals('a')).toEqual({ count: 2, bytes: 2 * text.length, foreign: 0 });
  });

  it('onto itself is an overwrite with the same bytes', async () => {
    await upload(alice, 'a/one');
    expect(codeOf(await copy(alice, 'a/one', 'a/one'))).toBe('KeyAlreadyExists');
    const more = { overwrite: true, metadata: '{"n":1}' };
    const { object } = done(await copy(alice, 'a/one', 'a/one', more));
    expect(object.metadata).toBe('{"n":1}');
    expect(await get(rig, alice, { bucket: 'a', path: 'one' })).toEqual(text);
    expect(totals('a')?.count).toBe(1);
    await rebuiltIsTheSame();
  });

  it('needs a readable source and a target that may be written', async () => {
    await upload(bob, 'b/secret');
    await upload(bob, 'a/his');
    expect(codeOf(await copy(alice, 'b/secret', 'a/x'))).toBe('NoSuchKey');
    expect(codeOf(await copy(alice, 'b/none', 'a/x'))).toBe('NoSuchKey');
    expect(codeOf(await copy(alice, 'none/x', 'a/x'))).toBe('NoSuchBucket');
    expect(codeOf(await copy(alice, 'a/his', 'none/x'))).toBe('NoSuchBucket');
    await upload(alice, 'a/hers');
    expect(codeOf(await copy(alice, 'a/hers', 'a/his', { overwrite: true }))).toBe('AccessDenied');
    expect(codeOf(await copy(alice, 'a/hers', 'a/his'))).toBe('AccessDenied');
    expect(codeOf(await copy(service, 'b/secret', 'a/x'))).toBe('ok');
    expect(row('a', 'x')?.owner_id).toBeNull();
  });

  it('meets the rules of the target as an upload does, its bytes included', async () => {
    await createBucket(rig, alice, 'tiny', { max_file_size: text.length - 1 });
    await createBucket(rig, alice, 'images', { allowed_mime_types: ['image/*'] });
    await upload(alice, 'a/one');
    expect(codeOf(await copy(alice, 'a/one', 'tiny/one'))).toBe('EntityTooLarge');
    expect(codeOf(await copy(alice, 'a/one', 'images/one'))).toBe('InvalidMimeType');
    await put(rig, alice, { bucket: 'a', path: 'fake', bytes: html, contentType: 'image/png' });
    expect(codeOf(await copy(alice, 'a/fake', 'images/fake'))).toBe('InvalidMimeType');
    expect(codeOf(await move(alice, 'a/fake', 'images/fake'))).toBe('InvalidMimeType');
    expect(await pathsIn(rig, alice, 'images')).toEqual([]);
  });
});

describe('a move', () => {
  it('keeps id, owner, version and age, and takes the totals along', async () => {
    await upload(alice, 'a/one');
    const before = row('a', 'one');
    const { object } = done(await move(alice, 'a/one', 'b/two'));
    expect(object).toMatchObject({
      ...before,
      path: 'two',
      updated_at: object.updated_at,
      position: object.position,
    });
    expect(row('a', 'one')).toBeUndefined();
    expect(await get(rig, alice, { bucket: 'b', path: 'two' })).toEqual(text);
    expect(totals('a')).toEqual({ count: 0, bytes: 0, foreign: 0 });
    // Alice's object lies in Bob's bucket now.
    expect(totals('b')).toEqual({ count: 1, bytes: text.length, foreign: 1 });
    await rebuiltIsTheSame();
  });

  it('is one record', async () => {
    await upload(alice, 'a/one');
    const before = rig.store.views.applied;
    const { position } = done(await move(alice, 'a/one', 'b/two'));
    expect(position - before).toBe(1);
  });

  it('replaces what the target holds only where it is told to', async () => {
    await upload(alice, 'a/one');
    await upload(alice, 'a/two', Buffer.from('old'));
    const moved = row('a', 'one');
    expect(codeOf(await move(alice, 'a/one', 'a/two'))).toBe('KeyAlreadyExists');
    const { object } = done(await move(alice, 'a/one', 'a/two', { overwrite: true }));
    expect(object.id).toBe(moved?.id);
    expect(await pathsIn(rig, alice, 'a')).toEqual(['two']);
    expect(totals('a')).toEqual({ count: 1, bytes: text.length, foreign: 0 });
    await rebuiltIsTheSame();
  });

  it('onto itself changes nothing, or the metadata', async () => {
    await upload(alice, 'a/one');
    expect(codeOf(await move(alice, 'a/one', 'a/one'))).toBe('KeyAlreadyExists');
    const before = rig.store.views.applied;
    done(await move(alice, 'a/one', 'a/one', { overwrite: true }));
    expect(rig.store.views.applied).toBe(before);
    const more = { overwrite: true, metadata: '{"n":1}' };
    expect(done(await move(alice, 'a/one', 'a/one', more)).object.metadata).toBe('{"n":1}');
    expect(await get(rig, alice, { bucket: 'a', path: 'one' })).toEqual(text);
    expect(totals('a')?.count).toBe(1);
    await rebuiltIsTheSame();
  });

  it('is for the owner: others are told as much as they may read', async () => {
    await upload(bob, 'a/his');
    await upload(bob, 'b/secret');
    expect(codeOf(await move(alice, 'a/his', 'a/x'))).toBe('AccessDenied');
    expect(codeOf(await move(alice, 'b/secret', 'a/x'))).toBe('NoSuchKey');
    done(await move(service, 'b/secret', 'a/x'));
    expect(row('a', 'x')?.owner_id).toBe('bob');
  });

  it.each([20])('of %i rivals for one object, one wins', async (count) => {
    await upload(alice, 'a/one');
    const rivals = Array.from({ length: count }, (_, index) => move(alice, 'a/one', `b/${index}`));
    const codes = (await Promise.all(rivals)).map(codeOf);
    expect(codes.filter((code) => code === 'ok')).toHaveLength(1);
    expect(codes.filter((code) => code === 'NoSuchKey')).toHaveLength(count - 1);
    expect(await pathsIn(rig, service, 'b')).toHaveLength(1);
  });
});

describe('a change of metadata', () => {
  it('replaces what is given and clears what is null', async () => {
    await upload(alice, 'a/pic.png', text, '{"k":1}');
    const before = row('a', 'pic.png');
    const changes = { metadata: null, cache_control: 'max-age=1', content_type: null };
    const { object } = done(await patch(alice, 'pic.png', { changes }));
    expect(object).toEqual({
      ...before,
      metadata: null,
      cache_control: 'max-age=1',
      content_type: 'image/png',
      updated_at: object.updated_at,
      position: object.position,
    });
    await rebuiltIsTheSame();
  });

  it('writes no record where nothing changes', async () => {
    await upload(alice, 'a/x', text, '{"k":1}');
    const before = rig.store.views.applied;
    const changed = done(await patch(alice, 'x', { changes: { metadata: '{"k":1}' } }));
    expect(changed.position).toBe(before);
    expect(rig.store.views.applied).toBe(before);
  });

  it('holds only under its conditions', async () => {
    await upload(alice, 'a/x');
    const stored = row('a', 'x');
    const changes = { metadata: '{"k":1}' };
    const other = [{ tag: 'other', weak: false }];
    expect(codeOf(await patch(alice, 'x', { changes, ifMatch: other }))).toBe('PreconditionFailed');
    expect(codeOf(await patch(alice, 'x', { changes, ifVersion: 'other' }))).toBe(
      'PreconditionFailed',
    );
    const ifVersion = stored?.version;
    expect(codeOf(await patch(alice, 'x', { changes, ifVersion }))).toBe('ok');
  });

  it('does not call forbidden bytes by an allowed name', async () => {
    const images = { allowed_mime_types: ['image/*', 'text/plain'] };
    done(await rig.store.service.buckets.update(alice, bucket('a'), images));
    await put(rig, alice, { bucket: 'a', path: 'x', bytes: html, contentType: 'text/plain' });
    const as = (content_type: string) => patch(alice, 'x', { changes: { content_type } });
    expect(codeOf(await as('text/html'))).toBe('InvalidMimeType');
    expect(codeOf(await as('image/png'))).toBe('InvalidMimeType');
    expect(row('a', 'x')?.content_type).toBe('text/plain');
  });

  it('is for the owner', async () => {
    await upload(bob, 'a/his');
    const changes = { metadata: null };
    expect(codeOf(await patch(alice, 'his', { changes }))).toBe('AccessDenied');
    expect(codeOf(await patch(alice, 'none', { changes }))).toBe('NoSuchKey');
  });
});

describe('delete many', () => {
  it('deletes what may be deleted, once, and skips the rest', async () => {
    await upload(alice, 'a/1');
    await upload(alice, 'a/2');
    await upload(bob, 'b/his');
    await upload(alice, 'b/hers');
    const gone = done(await removeMany(alice, 'a', ['2', 'none', '1', '2']));
    expect(gone).toMatchObject({ deleted: 2, skipped: 1 });
    expect(gone.rows.map(({ path }) => path)).toEqual(['2', '1']);
    // In Bob's closed bucket she has her own and no more.
    expect(done(await removeMany(alice, 'b', ['his', 'hers']))).toMatchObject({
      deleted: 1,
      skipped: 1,
    });
    expect(await pathsIn(rig, bob, 'b')).toEqual(['his']);
    await rebuiltIsTheSame();
  });

  it('shows the owner of the bucket no rows that they could not read', async () => {
    await upload(alice, 'b/hers');
    const gone = done(await removeMany(bob, 'b', ['hers']));
    expect(gone).toMatchObject({ deleted: 1, skipped: 0, rows: [] });
  });

  it('tells nobody of a bucket that they do not see', async () => {
    done(await rig.store.service.buckets.update(bob, bucket('b'), { write_policy: 'owner' }));
    await upload(bob, 'b/his');
    expect(codeOf(await removeMany(alice, 'b', ['his']))).toBe('NoSuchBucket');
    expect(codeOf(await removeMany(alice, 'none', ['his']))).toBe('NoSuchBucket');
  });

  it('takes a thousand of the longest paths in one frame', async () => {
    const long = (index: number) => `${String(index).padStart(4, '0')}${'é'.repeat(510)}`;
    const paths = Array.from({ length: 1000 }, (_, index) => long(index));
    await upload(alice, 'a/seed');
    await Promise.all(paths.map((path) => copy(alice, 'a/seed', `a/${path}`)));
    const before = rig.store.views.applied;
    const gone = done(await removeMany(alice, 'a', paths));
    expect(gone).toMatchObject({ deleted: 1000, skipped: 0 });
    expect(gone.position - before).toBe(1000);
    expect(await pathsIn(rig, alice, 'a')).toEqual(['seed']);
  });
});

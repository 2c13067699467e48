/** How events make rows. Times and positions are those of the commit. */
import { describe, expect, test } from 'vitest';
import { bucketAfter } from '../../src/domain/bucket.ts';
import { anonymous, callerId } from '../../src/domain/caller.ts';
import { newBlobOf } from '../../src/domain/events.ts';
import type { ObjectId } from '../../src/domain/names.ts';
import { objectAfter, objectFacts, previousOf } from '../../src/domain/object.ts';
import { given } from './decider.ts';
import { bucketCreated, bucketOf, contentOf, objectStored, path, position } from './samples.ts';

const at = { position: position(9), timeMs: 9_000 };

describe('a bucket after', () => {
  test('it was created: its keyspace is the position of that record', () => {
    expect(bucketAfter(bucketCreated(), at)).toEqual(
      bucketOf({ keyspace: position(9), created_at: 9_000, updated_at: 9_000 }),
    );
  });

  test('an update: changed then, created as before', () => {
    const { updated_at: _updated, ...bucket } = bucketOf({ policy: 'public' });
    const event = { type: 'bucket.updated', bucket, previous: bucketOf(), changed: ['policy'] };
    expect(bucketAfter({ ...event, type: 'bucket.updated' }, at)).toEqual(
      bucketOf({ policy: 'public', updated_at: 9_000 }),
    );
  });

  const held = { bucket: bucketOf(), old_keyspace: position(1), count: 1, bytes: 5 };

  test('it was emptied: a fresh keyspace', () => {
    expect(bucketAfter({ type: 'bucket.emptied', ...held }, at)).toEqual(
      bucketOf({ keyspace: position(9) }),
    );
  });

  test('a switch: the keyspace that was made ready', () => {
    const switched = { new_keyspace: position(5), as_of: position(3), cause: 'restore' };
    expect(bucketAfter({ type: 'bucket.switched', ...held, ...switched }, at)).toEqual(
      bucketOf({ keyspace: position(5) }),
    );
  });

  test('it was deleted: none', () => {
    expect(bucketAfter({ type: 'bucket.deleted', ...held }, at)).toBeUndefined();
  });
});

describe('an object after', () => {
  const row = given(bucketCreated(), objectStored('olga', 'first')).state.object;
  if (!row) throw new Error('the world has one');
  const { updated_at: _updated, position: _position, ...carried } = row;

  test('its first upload: created and updated then, without the checksums', () => {
    expect(objectAfter(objectStored('olga', 'first'), at)).toEqual({
      size: 5,
      etag: 'etag-first',
      blob_id: 'blob-first',
      id: 'id-first',
      path: 'a.txt',
      owner_id: 'olga',
      content_type: 'text/plain',
      version: 'version-first',
      cache_control: null,
      metadata: null,
      created_at: 9_000,
      updated_at: 9_000,
      position: 9,
    });
  });

  test('an overwrite: created as before', () => {
    const event = objectStored('olga', 'second', { created_at: 2_000 });
    expect(objectAfter(event, at)).toMatchObject({ created_at: 2_000, updated_at: 9_000 });
  });

  test('a first upload at the epoch: created at 0, not at the commit', () => {
    const event = objectStored('olga', 'second', { created_at: 0 });
    expect(objectAfter(event, at)).toMatchObject({ created_at: 0 });
  });

  test('a change of its metadata: the given row, updated then', () => {
    const event = {
      type: 'object.patched' as const,
      bucket: bucketOf(),
      keyspace: position(1),
      object: { ...carried, metadata: '{"a":1}' },
      previous: previousOf(row),
      changed: ['metadata'],
    };
    expect(objectAfter(event, at)).toEqual({
      ...row,
      metadata: '{"a":1}',
      updated_at: 9_000,
      position: 9,
    });
  });

  test('a move: the same object under another path', () => {
    const place = { bucket: bucketOf(), keyspace: position(1), path: path('a.txt') };
    const event = {
      type: 'object.moved' as const,
      from: place,
      to: { ...place, path: path('b.txt') },
      object: { ...carried, path: path('b.txt') },
      from_position: row.position,
      previous: null,
    };
    expect(objectAfter(event, at)).toEqual({
      ...row,
      path: 'b.txt',
      updated_at: 9_000,
      position: 9,
    });
  });

  test('a restore: the row as it was, at the position of the restore', () => {
    const event = {
      type: 'object.restored' as const,
      bucket: bucketOf(),
      keyspace: null,
      object: { ...row, crcs: new Uint8Array(4) },
    };
    expect(objectAfter(event, at)).toEqual({ ...row, position: 9 });
  });

  test('is told by its facts, and what it was by its place in history', () => {
    expect({ ...objectFacts(row), created_at: 1, updated_at: 1, position: position(1) }).toEqual({
      ...row,
      created_at: 1,
      updated_at: 1,
      position: 1,
    });
    expect(Object.keys(objectFacts(row))).not.toContain('position');
    expect(previousOf(row)).toMatchObject({
      version: 'version-first',
      created_at: 2_000,
      position: 2,
    });
    expect(Object.keys(previousOf(row))).not.toContain('metadata');
  });
});

describe('the blob that an event makes final', () => {
  const { blob_id } = contentOf('first');

  test('is that of an upload', () => {
    expect(newBlobOf(objectStored('olga', 'first'))).toBe(blob_id);
  });

  test('was final before where the object is a copy or was brought back', () => {
    const source = {
      bucket: bucketOf(),
      path: path('a.txt'),
      id: 'id-first' as ObjectId,
      owner_id: 'olga',
    };
    expect(newBlobOf({ ...objectStored('olga', 'first'), source })).toBeUndefined();
    expect(newBlobOf({ ...objectStored('olga', 'first'), restored_from: '7' })).toBeUndefined();
  });

  test('is none where nothing was uploaded', () => {
    expect(newBlobOf(bucketCreated())).toBeUndefined();
  });
});

test('what a caller makes belongs to their id', () => {
  expect(callerId({ kind: 'user', id: 'olga' })).toBe('olga');
  expect(callerId({ kind: 'service', id: 'robot' })).toBe('robot');
  expect(callerId({ kind: 'service', id: null })).toBeNull();
  expect(callerId(anonymous)).toBeNull();
});

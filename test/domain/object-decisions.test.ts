import { describe, expect, test } from 'vitest';
import type { BucketRow } from '../../src/domain/bucket.ts';
import { bucketFacts } from '../../src/domain/bucket.ts';
import { decideDeleteBucket } from '../../src/domain/bucket-decisions.ts';
import type { Caller } from '../../src/domain/caller.ts';
import type { BucketUpdated } from '../../src/domain/events.ts';
import type { ObjectId } from '../../src/domain/names.ts';
import { previousOf } from '../../src/domain/object.ts';
import {
  admitUpload,
  decideDelete,
  decideStore,
  deletion,
} from '../../src/domain/object-decisions.ts';
import { decided, given } from './decider.ts';
import {
  boris,
  bucketCreated,
  bucketOf,
  contentOf,
  nobody,
  objectStored,
  olga,
  path,
  position,
  service,
  storeOf,
  uid,
  uma,
  uploadOf,
} from './samples.ts';

/** A bucket of Boris that every signed-in user may write, with an object of Olga at `a.txt`. */
const open = bucketCreated({ write_policy: 'authenticated' });
const withObject = () => given(open, objectStored('olga', 'first'));

const updatedTo = (fields: Partial<BucketRow>): BucketUpdated => ({
  type: 'bucket.updated',
  bucket: { ...bucketOf(), write_policy: 'authenticated', ...fields },
  previous: bucketOf({ write_policy: 'authenticated' }),
  changed: Object.keys(fields),
});

describe('an upload before its bytes', () => {
  test('is admitted with the bucket and the lower of both limits', () => {
    const limited = given(bucketCreated({ max_file_size: 10 }));
    limited
      .when(admitUpload, uploadOf(boris))
      .thenMatching({ bucket: { uid: 'uid-1' }, maxBytes: 10 });
    limited
      .when(admitUpload, uploadOf(boris, { maxFileSizeBytes: 5 }))
      .thenMatching({ maxBytes: 5 });
    given(open).when(admitUpload, uploadOf(uma)).thenMatching({ maxBytes: 1_000 });
  });

  test('may be as large as the limit, and not a byte larger', () => {
    const limited = given(bucketCreated({ max_file_size: 10 }));
    limited.when(admitUpload, uploadOf(boris, { sizeBytes: 10 })).thenMatching({ maxBytes: 10 });
    limited
      .when(admitUpload, uploadOf(boris, { sizeBytes: 11 }))
      .thenRefused('EntityTooLarge', { max_bytes: 10 });
    given(bucketCreated({ max_file_size: 0 }))
      .when(admitUpload, uploadOf(boris, { sizeBytes: 1 }))
      .thenRefused('EntityTooLarge', { max_bytes: 0 });
  });

  test('of a type that the bucket does not allow is refused', () => {
    const images = given(bucketCreated({ allowed_mime_types: ['image/*'] }));
    images
      .when(admitUpload, uploadOf(boris, { contentType: 'Image/PNG; q=1' }))
      .thenMatching({ maxBytes: 1_000 });
    images
      .when(admitUpload, uploadOf(boris, { contentType: 'Text/HTML; charset=utf-8' }))
      .thenRefused('InvalidMimeType');
    const refused = admitUpload(images.state, uploadOf(boris, { contentType: 'Text/HTML;a=b' }));
    expect(refused).toMatchObject({
      rejection: { message: 'mime type text/html is not supported' },
    });
  });

  test('is refused by its conditions', () => {
    const conditions = { overwrite: false };
    withObject().when(admitUpload, uploadOf(olga, { conditions })).thenRefused('KeyAlreadyExists');
    given(open)
      .when(admitUpload, uploadOf(olga, { conditions: { overwrite: true, ifMatch: '*' } }))
      .thenRefused('PreconditionFailed');
  });

  test('is refused for access before anything else is told', () => {
    const hopeless = {
      contentType: 'x/y',
      sizeBytes: 9_999,
      conditions: { overwrite: false, ifMatch: '*' as const },
    };
    const closed = given(bucketCreated({ allowed_mime_types: ['image/*'], max_file_size: 1 }));
    closed.when(admitUpload, uploadOf(nobody, hopeless)).thenRefused('MissingAuthorization');
    closed.when(admitUpload, uploadOf(uma, hopeless)).thenRefused('NoSuchBucket');
    given().when(admitUpload, uploadOf(uma, hopeless)).thenRefused('NoSuchBucket');
    given(bucketCreated({ policy: 'public', max_file_size: 1 }))
      .when(admitUpload, uploadOf(uma, hopeless))
      .thenRefused('AccessDenied');
  });

  test.each([
    ['none', { overwrite: true }],
    ['x-upsert: false', { overwrite: false }],
    ['if-none-match: *', { overwrite: true, ifNoneMatch: '*' as const }],
    ['a matching if-match', { overwrite: true, ifMatch: [{ tag: 'etag-first', weak: false }] }],
    ['a failing if-match', { overwrite: true, ifMatch: [{ tag: 'nope', weak: false }] }],
  ])("onto someone else's object is denied whatever the headers: %s", (_name, conditions) => {
    for (const caller of [uma, boris]) {
      withObject().when(admitUpload, uploadOf(caller, { conditions })).thenRefused('AccessDenied');
      withObject()
        .when(decideStore, storeOf(caller, 'second', { conditions }))
        .thenRefused('AccessDenied');
    }
  });
});

describe('storing', () => {
  test('a new object tells all that was uploaded', () => {
    given(open)
      .when(
        decideStore,
        storeOf(uma, 'first', {
          contentType: 'Image/PNG; q=1',
          cacheControl: 'no-store',
          metadata: '{"a":1}',
        }),
      )
      .thenExactly({
        ...objectStored('uma', 'first', {
          content_type: 'Image/PNG; q=1',
          cache_control: 'no-store',
          metadata: '{"a":1}',
        }),
        bucket: bucketFacts(bucketOf()),
        keyspace: position(1),
      });
  });

  test('by a service token without sub makes what nobody owns', () => {
    given(open)
      .when(decideStore, storeOf(service, 'first'))
      .thenExactly(objectStored(null, 'first'));
  });

  test('over an object keeps its id, owner and creation, and replaces the rest', () => {
    const world = withObject();
    const row = world.state.object;
    world
      .when(
        decideStore,
        storeOf(olga, 'second', {
          contentType: 'image/png',
          cacheControl: 'no-store',
          metadata: '{"b":2}',
        }),
      )
      .thenExactly({
        ...objectStored('olga', 'second', {
          id: 'id-first' as ObjectId,
          created_at: 2_000,
          content_type: 'image/png',
          cache_control: 'no-store',
          metadata: '{"b":2}',
        }),
        previous: row ? previousOf(row) : null,
      });
  });

  test('over an object by the service role leaves it to its owner', () => {
    withObject()
      .when(decideStore, storeOf({ kind: 'service', id: 'robot' }, 'second'))
      .thenMatching({ object: { owner_id: 'olga', id: 'id-first' } });
  });

  test('again and again keeps the first creation and tells the version before', () => {
    const second = decided(decideStore(withObject().state, storeOf(olga, 'second')));
    const third = given(open, objectStored('olga', 'first'), second);
    third.when(decideStore, storeOf(olga, 'third')).thenMatching({
      object: { id: 'id-first', created_at: 2_000, version: 'version-third' },
      previous: {
        version: 'version-second',
        blob_id: 'blob-second',
        created_at: 2_000,
        position: 3,
      },
    });
  });

  test('where an object was deleted makes another one', () => {
    const gone = decided(decideDelete(withObject().state, { caller: olga, ifMatch: undefined }));
    given(open, objectStored('olga', 'first'), gone)
      .when(decideStore, storeOf(uma, 'second'))
      .thenExactly(objectStored('uma', 'second'));
  });

  test('goes into the keyspace of today', () => {
    const emptied = {
      type: 'bucket.emptied' as const,
      bucket: bucketOf({ write_policy: 'authenticated' }),
      old_keyspace: position(1),
      count: 0,
      bytes: 0,
    };
    given(open, emptied)
      .when(decideStore, storeOf(uma, 'first'))
      .thenMatching({ keyspace: 2, bucket: { uid: 'uid-1' } });
  });
});

describe('the second decision, after the bytes came', () => {
  const admitted = (caller: Caller) =>
    given(open).when(admitUpload, uploadOf(caller)).thenMatching({});

  test('refuses an upload into a bucket that was deleted', () => {
    admitted(uma);
    const deleted = decided(decideDeleteBucket(given(open).state, { caller: boris, force: false }));
    given(open, deleted).when(decideStore, storeOf(uma, 'first')).thenRefused('NoSuchBucket');
  });

  test.each([uma, boris, service])(
    'refuses to %j an upload into a bucket that was deleted and made again',
    (caller) => {
      admitted(caller);
      const deleted = decided(
        decideDeleteBucket(given(open).state, { caller: boris, force: false }),
      );
      const again = bucketCreated({
        uid: uid('uid-2'),
        owner_id: 'uma',
        write_policy: 'authenticated',
      });
      const world = given(open, deleted, again);
      world.when(decideStore, storeOf(caller, 'first')).thenRefused('NoSuchBucket');
      world
        .when(decideStore, storeOf(caller, 'first', { bucketUid: uid('uid-2') }))
        .thenMatching({ bucket: { uid: 'uid-2' }, keyspace: 3 });
    },
  );

  test('refuses what the policy does not allow any more', () => {
    admitted(uma);
    given(open, updatedTo({ write_policy: 'owner' }))
      .when(decideStore, storeOf(uma, 'first'))
      .thenRefused('NoSuchBucket');
    given(open, updatedTo({ write_policy: 'owner', policy: 'public' }))
      .when(decideStore, storeOf(uma, 'first'))
      .thenRefused('AccessDenied');
    given(open, updatedTo({ write_policy: 'owner' }))
      .when(decideStore, storeOf(boris, 'first'))
      .thenMatching({ type: 'object.stored' });
  });

  test('refuses a type that is not allowed any more', () => {
    admitted(uma);
    given(open, updatedTo({ allowed_mime_types: ['image/*'] }))
      .when(decideStore, storeOf(uma, 'first'))
      .thenRefused('InvalidMimeType');
  });

  test('refuses a size that is not allowed any more, by the bytes that came', () => {
    admitted(uma);
    const world = given(open, updatedTo({ max_file_size: 5 }));
    const sized = (size: number) =>
      storeOf(uma, 'first', { sizeBytes: 1, content: contentOf('first', size) });
    world.when(decideStore, sized(5)).thenMatching({ object: { size: 5 } });
    world.when(decideStore, sized(6)).thenRefused('EntityTooLarge', { max_bytes: 5 });
  });

  test('refuses more bytes than the server takes, though fewer were declared', () => {
    given(open)
      .when(
        decideStore,
        storeOf(uma, 'first', { sizeBytes: 1, content: contentOf('first', 1_001) }),
      )
      .thenRefused('EntityTooLarge', { max_bytes: 1_000 });
  });

  test('refuses to overwrite what someone else put there meanwhile', () => {
    admitted(uma);
    withObject().when(decideStore, storeOf(uma, 'late')).thenRefused('AccessDenied');
  });

  test('refuses by conditions on what is there now', () => {
    const first = storeOf(olga, 'late', { conditions: { overwrite: true, ifNoneMatch: '*' } });
    given(open).when(decideStore, first).thenMatching({ type: 'object.stored' });
    withObject().when(decideStore, first).thenRefused('PreconditionFailed');
    const never = storeOf(olga, 'late', { conditions: { overwrite: false } });
    withObject().when(decideStore, never).thenRefused('KeyAlreadyExists');
    const tags = [{ tag: 'etag-first', weak: false }];
    const matched = storeOf(olga, 'late', { conditions: { overwrite: true, ifMatch: tags } });
    withObject().when(decideStore, matched).thenMatching({ type: 'object.stored' });
    given(open).when(decideStore, matched).thenRefused('PreconditionFailed');
    given(open, objectStored('olga', 'changed'))
      .when(decideStore, matched)
      .thenRefused('PreconditionFailed');
  });

  test('refuses an overwrite whose object is gone, to one who may not add', () => {
    const closed = bucketCreated({ policy: 'public' });
    given(closed, objectStored('olga', 'first'))
      .when(admitUpload, uploadOf(olga))
      .thenMatching({ maxBytes: 1_000 });
    given(closed).when(decideStore, storeOf(olga, 'second')).thenRefused('AccessDenied');
  });
});

describe('deleting an object', () => {
  const command = (caller: Caller, ifMatch?: '*' | { tag: string; weak: boolean }[]) => ({
    caller,
    ifMatch,
  });

  test.each([olga, boris, service])('by %j tells what it was', (caller) => {
    const world = withObject();
    const { bucket, object } = world.state;
    if (!bucket || !object) throw new Error('the world has both');
    world.when(decideDelete, command(caller)).thenExactly(deletion(bucket, object, null));
    world.when(decideDelete, command(caller)).thenMatching({
      type: 'object.deleted',
      keyspace: 1,
      id: 'id-first',
      path: 'a.txt',
      previous: { blob_id: 'blob-first', size: 5, owner_id: 'olga', position: 2 },
      cause: null,
    });
  });

  test('carries no user metadata', () => {
    const secret = { metadata: '{"secret":1}', cache_control: 'secret' };
    const world = given(open, objectStored('olga', 'first', secret));
    const event = decided(decideDelete(world.state, command(olga)));
    expect(JSON.stringify(event)).not.toContain('secret');
  });

  test('is refused by what the caller may see', () => {
    withObject().when(decideDelete, command(nobody)).thenRefused('MissingAuthorization');
    withObject().when(decideDelete, command(uma)).thenRefused('NoSuchKey');
    given(open).when(decideDelete, command(uma)).thenRefused('NoSuchKey');
    given(open).when(decideDelete, command(boris)).thenRefused('NoSuchKey');
    given(open).when(decideDelete, command(service)).thenRefused('NoSuchKey');
    given(bucketCreated({ policy: 'public' }), objectStored('olga', 'first'))
      .when(decideDelete, command(uma))
      .thenRefused('AccessDenied');
    given(bucketCreated(), objectStored('olga', 'first'))
      .when(decideDelete, command(uma))
      .thenRefused('NoSuchBucket');
    given().when(decideDelete, command(service)).thenRefused('NoSuchBucket');
  });

  test('is by the tag that was asked for', () => {
    const tag = (text: string) => [{ tag: text, weak: false }];
    withObject()
      .when(decideDelete, command(olga, tag('etag-first')))
      .thenMatching({ type: 'object.deleted' });
    withObject()
      .when(decideDelete, command(olga, tag('nope')))
      .thenRefused('PreconditionFailed');
    withObject()
      .when(decideDelete, command(uma, tag('etag-first')))
      .thenRefused('NoSuchKey');
  });

  test('with its bucket names the cause', () => {
    const { bucket, object } = withObject().state;
    if (!bucket || !object) throw new Error('the world has both');
    const cause = { type: 'bucket.deleted', position: position(9) };
    expect(deletion(bucket, object, cause)).toMatchObject({ cause, path: path('a.txt') });
  });
});

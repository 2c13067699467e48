import { describe, expect, test } from 'vitest';
import {
  type BucketPolicy,
  type BucketSettings,
  bucketPolicies,
  widens,
} from '../../src/domain/bucket.ts';
import {
  type CreateBucket,
  decideCreate,
  decideDeleteBucket,
  decideEmpty,
  decideUpdate,
} from '../../src/domain/bucket-decisions.ts';
import type { Caller } from '../../src/domain/caller.ts';
import type { BucketDeleted, BucketUpdated } from '../../src/domain/events.ts';
import type { BucketName } from '../../src/domain/names.ts';
import { decided, given } from './decider.ts';
import {
  boris,
  bucketCreated,
  bucketOf,
  nobody,
  objectStored,
  olga,
  path,
  position,
  service,
  uid,
  uma,
} from './samples.ts';

const settings: BucketSettings = {
  policy: 'private',
  write_policy: 'owner',
  allowed_mime_types: null,
  max_file_size: null,
};

const create = (caller: Caller, fields: Partial<CreateBucket> = {}): CreateBucket => ({
  caller,
  name: 'photos' as BucketName,
  settings,
  uid: uid('uid-1'),
  bucketCreators: 'authenticated',
  ...fields,
});

/** A bucket of Boris with an object of Olga. */
const shared = (fields: Parameters<typeof bucketCreated>[0] = {}) =>
  given(bucketCreated({ write_policy: 'authenticated', ...fields }), objectStored('olga', 'first'));

describe('create', () => {
  test('makes a bucket that belongs to the caller', () => {
    given().when(decideCreate, create(boris)).thenExactly(bucketCreated());
  });

  test('by a service token without sub makes a bucket that nobody owns', () => {
    given()
      .when(decideCreate, create(service))
      .thenExactly(bucketCreated({ owner_id: null }));
  });

  test('by a service token with sub makes a bucket of that id', () => {
    const caller = { kind: 'service', id: 'robot' } as const;
    given()
      .when(decideCreate, create(caller))
      .thenExactly(bucketCreated({ owner_id: 'robot' }));
  });

  test('keeps all settings', () => {
    const all: BucketSettings = {
      policy: 'public',
      write_policy: 'authenticated',
      allowed_mime_types: ['image/*'],
      max_file_size: 10,
    };
    given()
      .when(decideCreate, create(boris, { settings: all }))
      .thenExactly(bucketCreated(all));
  });

  test('is refused without credentials, before the name is looked up', () => {
    given().when(decideCreate, create(nobody)).thenRefused('MissingAuthorization');
    given(bucketCreated()).when(decideCreate, create(nobody)).thenRefused('MissingAuthorization');
  });

  test('is for the service role alone where so configured', () => {
    const bucketCreators = 'service';
    given().when(decideCreate, create(boris, { bucketCreators })).thenRefused('AccessDenied');
    given(bucketCreated())
      .when(decideCreate, create(uma, { bucketCreators }))
      .thenRefused('AccessDenied');
    given()
      .when(decideCreate, create(service, { bucketCreators }))
      .thenMatching({ type: 'bucket.created' });
  });

  test.each([boris, uma, service])('of a taken name is refused to %j', (caller) => {
    given(bucketCreated()).when(decideCreate, create(caller)).thenRefused('BucketAlreadyExists');
  });

  test('of a name that was deleted makes another bucket', () => {
    given(bucketCreated(), deletedBy(given(bucketCreated()).state))
      .when(decideCreate, create(uma, { uid: uid('uid-2') }))
      .thenExactly(bucketCreated({ uid: uid('uid-2'), owner_id: 'uma' }));
  });
});

describe('update', () => {
  const row = given(bucketCreated()).state.bucket;

  test('changes what is given and keeps the rest', () => {
    const { updated_at: _updated, ...before } = bucketOf();
    given(bucketCreated())
      .when(decideUpdate, { caller: boris, changes: { max_file_size: 10 } })
      .thenExactly({
        type: 'bucket.updated',
        bucket: { ...before, max_file_size: 10 },
        previous: bucketOf(),
        changed: ['max_file_size'],
      });
  });

  test('names all that changed and only that', () => {
    given(bucketCreated({ allowed_mime_types: ['image/*'] }))
      .when(decideUpdate, {
        caller: boris,
        changes: {
          policy: 'public',
          write_policy: 'owner',
          allowed_mime_types: ['image/*', 'text/plain'],
        },
      })
      .thenMatching({ changed: ['policy', 'allowed_mime_types'] });
  });

  test('to null clears a limit', () => {
    given(bucketCreated({ max_file_size: 10, allowed_mime_types: ['image/*'] }))
      .when(decideUpdate, {
        caller: boris,
        changes: { max_file_size: null, allowed_mime_types: null },
      })
      .thenMatching({
        bucket: { max_file_size: null, allowed_mime_types: null },
        changed: ['allowed_mime_types', 'max_file_size'],
      });
  });

  test.each([{}, { policy: 'private' as const }, { max_file_size: null }])(
    'to %j, as it is already, makes no event',
    (changes) => {
      given(bucketCreated()).when(decideUpdate, { caller: boris, changes }).thenNothing();
    },
  );

  test('never changes uid, name, owner, keyspace or creation', () => {
    const event = decided<BucketUpdated>(
      decideUpdate(shared().state, { caller: boris, changes: { max_file_size: 1 } }),
    );
    const { max_file_size: _limit, ...kept } = event.bucket;
    expect(row).toMatchObject({ ...kept, write_policy: 'owner' });
  });

  test('is refused to others, by what they may see', () => {
    const command = (caller: Caller) => ({ caller, changes: { max_file_size: 1 } });
    given(bucketCreated()).when(decideUpdate, command(nobody)).thenRefused('MissingAuthorization');
    given(bucketCreated()).when(decideUpdate, command(uma)).thenRefused('NoSuchBucket');
    given().when(decideUpdate, command(uma)).thenRefused('NoSuchBucket');
    given(bucketCreated({ policy: 'public' }))
      .when(decideUpdate, command(uma))
      .thenRefused('AccessDenied');
    given().when(decideUpdate, command(service)).thenRefused('NoSuchBucket');
    given(bucketCreated())
      .when(decideUpdate, command(service))
      .thenMatching({ changed: ['max_file_size'] });
  });
});

describe('the word public', () => {
  const said = (policy: BucketPolicy, isPublic: boolean) => {
    const { state } = given(bucketCreated({ policy }));
    const decision = decideUpdate(state, { caller: boris, changes: { public: isPublic } });
    return decision.ok ? (decision.value?.bucket.policy ?? 'unchanged') : decision.rejection.code;
  };

  test('opens a bucket, closes a public one, and leaves an authenticated one alone', () => {
    expect([said('private', true), said('authenticated', true), said('public', true)]).toEqual([
      'public',
      'public',
      'unchanged',
    ]);
    expect([said('private', false), said('authenticated', false), said('public', false)]).toEqual([
      'unchanged',
      'unchanged',
      'private',
    ]);
  });

  test('opens nothing that holds objects of others', () => {
    given(bucketCreated(), objectStored('olga', 'x'))
      .when(decideUpdate, { caller: boris, changes: { public: true } })
      .thenRefused('AccessDenied');
  });
});

describe('widening a bucket that holds objects of others', () => {
  const steps = bucketPolicies.flatMap((from) =>
    bucketPolicies.map((to) => ({ from, to, wider: widens(from, to) })),
  );

  test('private < authenticated < public', () => {
    expect(steps.filter(({ wider }) => wider).map(({ from, to }) => `${from} → ${to}`)).toEqual([
      'private → authenticated',
      'private → public',
      'authenticated → public',
    ]);
  });

  test.each(steps.filter(({ wider }) => wider))(
    '$from → $to is refused to its owner, with how many',
    ({ from, to }) => {
      shared({ policy: from })
        .when(decideUpdate, { caller: boris, changes: { policy: to } })
        .thenRefused('AccessDenied', { objects_of_others: 1 });
      shared({ policy: from })
        .when(decideUpdate, { caller: service, changes: { policy: to } })
        .thenMatching({ bucket: { policy: to }, changed: ['policy'] });
    },
  );

  test.each(steps.filter(({ from, to, wider }) => !wider && from !== to))(
    '$from → $to narrows it, which its owner may',
    ({ from, to }) => {
      shared({ policy: from })
        .when(decideUpdate, { caller: boris, changes: { policy: to } })
        .thenMatching({ changed: ['policy'] });
    },
  );

  test('is refused together with what else was asked for', () => {
    shared()
      .when(decideUpdate, { caller: boris, changes: { policy: 'public', max_file_size: 1 } })
      .thenRefused('AccessDenied');
  });

  test('leaves its owner all other settings', () => {
    shared()
      .when(decideUpdate, {
        caller: boris,
        changes: { policy: 'private', write_policy: 'owner', max_file_size: 1 },
      })
      .thenMatching({ changed: ['write_policy', 'max_file_size'] });
  });

  test('counts what nobody owns as of others, and own objects not', () => {
    given(bucketCreated(), objectStored('boris', 'own'))
      .when(decideUpdate, { caller: boris, changes: { policy: 'public' } })
      .thenMatching({ changed: ['policy'] });
    given(bucketCreated(), objectStored(null, 'of the service'))
      .when(decideUpdate, { caller: boris, changes: { policy: 'public' } })
      .thenRefused('AccessDenied');
  });

  test('is fine again once they are gone', () => {
    const emptied = decided(decideEmpty(shared().state, { caller: boris }));
    given(bucketCreated(), objectStored('olga', 'first'), emptied)
      .when(decideUpdate, { caller: boris, changes: { policy: 'public' } })
      .thenMatching({ changed: ['policy'] });
  });
});

describe('empty', () => {
  test('tells what the old keyspace held', () => {
    const world = given(
      bucketCreated(),
      objectStored('boris', 'a'),
      objectStored('olga', 'b', { path: path('b.txt'), size: 7 }),
    );
    world.when(decideEmpty, { caller: boris }).thenExactly({
      type: 'bucket.emptied',
      bucket: bucketOf(),
      old_keyspace: position(1),
      count: 2,
      bytes: 12,
    });
  });

  test('of an empty bucket is an event too', () => {
    given(bucketCreated())
      .when(decideEmpty, { caller: boris })
      .thenMatching({ count: 0, bytes: 0 });
  });

  test('opens a keyspace at its own position and keeps the rest of the bucket', () => {
    const emptied = decided(decideEmpty(shared().state, { caller: boris }));
    const { bucket } = given(bucketCreated(), objectStored('olga', 'first'), emptied).state;
    expect(bucket).toEqual({
      ...shared().state.bucket,
      keyspace: 3,
      write_policy: 'authenticated',
    });
  });

  test('is for the bucket owner, whatever objects the caller owns', () => {
    shared().when(decideEmpty, { caller: olga }).thenRefused('AccessDenied');
    given(bucketCreated(), objectStored('olga', 'first'))
      .when(decideEmpty, { caller: olga })
      .thenRefused('NoSuchBucket');
    given().when(decideEmpty, { caller: service }).thenRefused('NoSuchBucket');
  });
});

describe('delete', () => {
  test('removes an empty bucket', () => {
    given(bucketCreated())
      .when(decideDeleteBucket, { caller: boris, force: false })
      .thenExactly({
        type: 'bucket.deleted',
        bucket: bucketOf(),
        old_keyspace: position(1),
        count: 0,
        bytes: 0,
      });
  });

  test('of one that holds something needs force', () => {
    shared()
      .when(decideDeleteBucket, { caller: boris, force: false })
      .thenRefused('BucketNotEmpty');
    shared()
      .when(decideDeleteBucket, { caller: boris, force: true })
      .thenMatching({ type: 'bucket.deleted', count: 1, bytes: 5 });
  });

  test('does not tell a stranger whether it is empty', () => {
    for (const force of [true, false]) {
      shared().when(decideDeleteBucket, { caller: uma, force }).thenRefused('AccessDenied');
      given(bucketCreated(), objectStored('boris', 'a'))
        .when(decideDeleteBucket, { caller: uma, force })
        .thenRefused('NoSuchBucket');
    }
  });

  test('leaves nothing behind', () => {
    const deleted = deletedBy(shared().state);
    const after = given(bucketCreated(), objectStored('olga', 'first'), deleted);
    expect(after.state).toMatchObject({ bucket: undefined, object: undefined });
    after.when(decideDeleteBucket, { caller: boris, force: true }).thenRefused('NoSuchBucket');
  });
});

function deletedBy(state: Parameters<typeof decideDeleteBucket>[0]): BucketDeleted {
  return decided(decideDeleteBucket(state, { caller: boris, force: true }));
}

/** One record of every type with all of its fields, as the golden files hold them. */
import type { BucketRow } from '../../src/domain/bucket.ts';
import type { Actor, EventType, NewRecord, StoreEvent } from '../../src/domain/events.ts';
import type {
  BlobId,
  BucketName,
  BucketUid,
  ObjectId,
  ObjectPath,
  Position,
} from '../../src/domain/names.ts';

const uid = '0198c0de-0000-7000-8000-000000000001' as BucketUid;
const bucket = { uid, name: 'photos' as BucketName, policy: 'private', owner_id: 'alice' } as const;
const at = (position: number) => position as Position;

const row: BucketRow = {
  ...bucket,
  write_policy: 'owner',
  allowed_mime_types: ['image/png', 'text/*'],
  max_file_size: 5_368_709_120,
  keyspace: at(2),
  created_at: 1_750_000_000_000,
  updated_at: 1_750_000_000_001,
};
const { keyspace: _k, created_at: _c, updated_at: _u, ...newBucket } = row;
const { updated_at: _updated, ...updatedBucket } = row;

const facts = {
  size: 4_294_967_296,
  etag: 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
  blob_id: '00112233445566778899aabbccddeeff' as BlobId,
  id: '0198c0de-0000-7000-8000-000000000002' as ObjectId,
  path: 'été/写真 🎈.png' as ObjectPath,
  owner_id: 'alice',
  content_type: 'image/png',
  version: '0198c0de-0000-7000-8000-000000000003',
  cache_control: 'max-age=60',
  metadata: '{"__proto__":1,"lone":"\\ud800"}',
};
const crcs = Uint8Array.from([1, 2, 3, 4, 252, 253, 254, 255]);
const previous = {
  size: 0,
  etag: facts.etag,
  blob_id: 'ffeeddccbbaa99887766554433221100' as BlobId,
  owner_id: null,
  content_type: 'text/plain',
  version: '0198c0de-0000-7000-8000-000000000004',
  created_at: 1_749_999_999_999,
  position: at(3),
};
const filter = { bucket: 'photos', prefix: 'a/', types: ['object.stored'] };
const oldKeyspace = { bucket: row, old_keyspace: at(2), count: 7, bytes: 4096 };

const events: { readonly [T in EventType]: Extract<StoreEvent, { type: T }> } = {
  'store.opened': {
    type: 'store.opened',
    version: '0.1.0',
    node_id: 'node-1',
    recovery: { segments: 3, torn_bytes: 0 },
  },
  'bucket.created': { type: 'bucket.created', bucket: newBucket },
  'bucket.updated': {
    type: 'bucket.updated',
    bucket: updatedBucket,
    previous: { ...row, policy: 'public', max_file_size: null, allowed_mime_types: null },
    changed: ['policy', 'max_file_size', 'allowed_mime_types'],
  },
  'bucket.emptied': { type: 'bucket.emptied', ...oldKeyspace },
  'bucket.deleted': { type: 'bucket.deleted', ...oldKeyspace },
  'bucket.switched': {
    type: 'bucket.switched',
    ...oldKeyspace,
    new_keyspace: at(9),
    as_of: at(5),
    cause: 'restore',
  },
  'object.stored': {
    type: 'object.stored',
    bucket,
    keyspace: at(2),
    object: { ...facts, crcs, created_at: previous.created_at },
    previous,
    source: {
      bucket,
      path: 'source.png' as ObjectPath,
      id: '0198c0de-0000-7000-8000-000000000005' as ObjectId,
      owner_id: 'bob',
    },
    restored_from: '3',
    token: { jti: 'jti-1', once: true, expires_at: 1_750_000_100_000 },
  },
  'object.patched': {
    type: 'object.patched',
    bucket,
    keyspace: at(2),
    object: { ...facts, created_at: previous.created_at },
    previous,
    changed: ['metadata'],
  },
  'object.moved': {
    type: 'object.moved',
    from: { bucket, keyspace: at(2), path: 'from.png' as ObjectPath },
    to: { bucket, keyspace: at(4), path: facts.path },
    object: { ...facts, created_at: previous.created_at },
    from_position: at(3),
    previous: { ...previous, id: '0198c0de-0000-7000-8000-000000000006' as ObjectId },
  },
  'object.deleted': {
    type: 'object.deleted',
    bucket,
    keyspace: at(2),
    id: facts.id,
    path: facts.path,
    previous,
    cause: { type: 'bucket.emptied', position: at(6) },
  },
  'object.restored': {
    type: 'object.restored',
    bucket,
    keyspace: null,
    object: {
      ...facts,
      crcs,
      created_at: previous.created_at,
      updated_at: 1_750_000_000_002,
      position: at(3),
    },
  },
  'token.used': {
    type: 'token.used',
    jti: 'jti-1',
    bucket_uid: uid,
    path: facts.path,
    expires_at: 1_750_000_100_000,
  },
  'token.revoked': {
    type: 'token.revoked',
    jti: null,
    bucket_uid: uid,
    path: facts.path,
    issued_before: 1_750_000_050_000,
    expires_at: 1_750_000_100_000,
  },
  'consumer.defined': {
    type: 'consumer.defined',
    owner_role: 'user',
    owner_id: 'alice',
    id: 'consumer-1',
    name: 'indexer',
    filter,
    from: at(0),
    created_at: 1_750_000_000_000,
  },
  'consumer.removed': {
    type: 'consumer.removed',
    owner_role: 'user',
    owner_id: 'alice',
    name: 'indexer',
  },
  'webhook.defined': {
    type: 'webhook.defined',
    owner_role: 'service',
    owner_id: null,
    id: 'hook-1',
    url: 'https://example.com/hook',
    filter: { bucket: null, prefix: null, types: null },
    state: 'disabled',
    reason: 'gone',
    secrets: [
      { id: 'secret-2', until: null },
      { id: 'secret-1', until: 1_750_000_100_000 },
    ],
    from: at(4),
    created_at: null,
  },
  'webhook.removed': { type: 'webhook.removed', id: 'hook-1', owner_id: null },
  'request.answered': {
    type: 'request.answered',
    answer: '{"deleted":[[0,5,1]],"skipped":2}',
  },
  'retention.advanced': { type: 'retention.advanced', position: at(5), time: 1_750_000_000_000 },
  'checkpoint.signed': {
    type: 'checkpoint.signed',
    position: at(5),
    chain: Uint8Array.from({ length: 32 }, (_, index) => index),
    key_id: 'key-1',
    signature: Uint8Array.from({ length: 64 }, (_, index) => 255 - index),
  },
};

const actor: Actor = { sub: 'alice', role: 'user', request_id: 'req-1' };

export const samples: ReadonlyMap<EventType, NewRecord> = new Map(
  Object.values(events).map((event) => [
    event.type,
    { event, actor, idempotency: { key: 'key-1', request_hash: facts.etag } },
  ]),
);

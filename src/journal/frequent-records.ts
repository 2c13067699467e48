/**
 * The records of which a log has millions, read straight from their bytes into the events that they
 * are: a replay spends most of its time on them. What is read here is exactly what the codec's long
 * way reads, schema and all (test/journal/frequent-records.test.ts holds the one against the other);
 * whatever looks different in any way is none of this file's business, and goes that way.
 */

import type { BucketFacts } from '../domain/bucket.ts';
import { bucketPolicies } from '../domain/bucket.ts';
import type {
  Actor,
  EventType,
  Idempotency,
  NewRecord,
  ObjectDeleted,
  ObjectStored,
  StoreEvent,
} from '../domain/events.ts';
import type { PreviousObject } from '../domain/object.ts';
import { mark, RecordReader } from './record-reader.ts';
import { currentVersion } from './upcasts.ts';

/** undefined where the record has to go the long way. */
export function readFrequent(bytes: Uint8Array): NewRecord | undefined {
  const reader = new RecordReader(bytes);
  const size = reader.map();
  reader.field(field.type);
  const kind = frequent.get(reader.text());
  if (!kind) return undefined;
  reader.field(field.v);
  if (reader.whole() !== kind.version) return undefined;
  reader.field(field.actor);
  const actor = readActor(reader);
  // Behind type, v and actor stands an idempotency key, or not, then what the event has.
  const isIdempotent = size === kind.fields + 4;
  if (!isIdempotent && size !== kind.fields + 3) return undefined;
  const idempotency = isIdempotent ? readIdempotency(reader) : undefined;
  const event = kind.read(reader);
  if (!reader.isSound) return undefined;
  return idempotency ? { event, actor, idempotency } : { event, actor };
}

interface Kind {
  /** The version that is read here; where another is written, nothing is. */
  readonly version: number;
  /** How many fields it has besides the type. */
  readonly fields: number;
  readonly read: (reader: RecordReader) => StoreEvent;
}

const kinds: { readonly [T in EventType]?: Kind } = {
  'object.stored': { version: 1, fields: 7, read: readStored },
  'object.deleted': { version: 1, fields: 6, read: readDeleted },
};

const frequent: ReadonlyMap<string, Kind> = new Map(
  Object.entries(kinds).filter(([type, { version }]) => currentVersion(type) === version),
);

/** Those that are read here. */
export const frequentTypes = [...frequent.keys()] as readonly EventType[];

const field = {
  actor: mark('actor'),
  blob_id: mark('blob_id'),
  bucket: mark('bucket'),
  cache_control: mark('cache_control'),
  cause: mark('cause'),
  content_type: mark('content_type'),
  crcs: mark('crcs'),
  created_at: mark('created_at'),
  etag: mark('etag'),
  expires_at: mark('expires_at'),
  id: mark('id'),
  idempotency: mark('idempotency'),
  jti: mark('jti'),
  key: mark('key'),
  keyspace: mark('keyspace'),
  metadata: mark('metadata'),
  name: mark('name'),
  object: mark('object'),
  once: mark('once'),
  owner_id: mark('owner_id'),
  path: mark('path'),
  policy: mark('policy'),
  position: mark('position'),
  previous: mark('previous'),
  request_hash: mark('request_hash'),
  request_id: mark('request_id'),
  restored_from: mark('restored_from'),
  role: mark('role'),
  size: mark('size'),
  source: mark('source'),
  sub: mark('sub'),
  token: mark('token'),
  type: mark('type'),
  uid: mark('uid'),
  v: mark('v'),
  version: mark('version'),
} as const;

const roles: readonly Actor['role'][] = ['anonymous', 'user', 'service', 'system'];

function readActor(reader: RecordReader): Actor {
  reader.mapFrom(3, field.sub);
  const sub = reader.nullableText();
  reader.field(field.role);
  const role = reader.word(roles);
  reader.field(field.request_id);
  return { sub, role, request_id: reader.nullableText() };
}

function readIdempotency(reader: RecordReader): Idempotency {
  reader.field(field.idempotency);
  reader.mapFrom(2, field.key);
  const key = reader.text();
  reader.field(field.request_hash);
  return { key, request_hash: reader.text() };
}

function readStored(reader: RecordReader): ObjectStored {
  reader.field(field.bucket);
  const bucket = readBucketFacts(reader);
  reader.field(field.keyspace);
  const keyspace = reader.whole<ObjectStored['keyspace']>();
  reader.field(field.object);
  const object = readStoredObject(reader);
  reader.field(field.previous);
  const previous = reader.isNull() ? null : readPrevious(reader);
  reader.field(field.source);
  const source = reader.isNull() ? null : readSource(reader);
  reader.field(field.restored_from);
  const restored_from = reader.nullableText();
  reader.field(field.token);
  const token = reader.isNull() ? null : readToken(reader);
  const type = 'object.stored';
  return { type, bucket, keyspace, object, previous, source, restored_from, token };
}

function readStoredObject(reader: RecordReader): ObjectStored['object'] {
  reader.mapFrom(12, field.size);
  const size = reader.whole();
  reader.field(field.etag);
  const etag = reader.text();
  reader.field(field.blob_id);
  const blob_id = reader.text<ObjectStored['object']['blob_id']>();
  reader.field(field.id);
  const id = reader.text<ObjectStored['object']['id']>();
  reader.field(field.path);
  const path = reader.text<ObjectStored['object']['path']>();
  reader.field(field.owner_id);
  const owner_id = reader.nullableText();
  reader.field(field.content_type);
  const content_type = reader.text();
  reader.field(field.version);
  const version = reader.text();
  reader.field(field.cache_control);
  const cache_control = reader.nullableText();
  reader.field(field.metadata);
  const metadata = reader.nullableText();
  reader.field(field.crcs);
  const crcs = reader.bytes();
  reader.field(field.created_at);
  const created_at = reader.nullableWhole();
  return {
    size,
    etag,
    blob_id,
    id,
    path,
    owner_id,
    content_type,
    version,
    cache_control,
    metadata,
    crcs,
    created_at,
  };
}

function readSource(reader: RecordReader): NonNullable<ObjectStored['source']> {
  reader.mapFrom(4, field.bucket);
  const bucket = readBucketFacts(reader);
  reader.field(field.path);
  const path = reader.text<ObjectStored['object']['path']>();
  reader.field(field.id);
  const id = reader.text<ObjectStored['object']['id']>();
  reader.field(field.owner_id);
  return { bucket, path, id, owner_id: reader.nullableText() };
}

function readToken(reader: RecordReader): NonNullable<ObjectStored['token']> {
  reader.mapFrom(3, field.jti);
  const jti = reader.text();
  reader.field(field.once);
  const once = reader.flag();
  reader.field(field.expires_at);
  return { jti, once, expires_at: reader.whole() };
}

function readDeleted(reader: RecordReader): ObjectDeleted {
  reader.field(field.bucket);
  const bucket = readBucketFacts(reader);
  reader.field(field.keyspace);
  const keyspace = reader.whole<ObjectDeleted['keyspace']>();
  reader.field(field.id);
  const id = reader.text<ObjectDeleted['id']>();
  reader.field(field.path);
  const path = reader.text<ObjectDeleted['path']>();
  reader.field(field.previous);
  const previous = readPrevious(reader);
  reader.field(field.cause);
  const cause = reader.isNull() ? null : readCause(reader);
  return { type: 'object.deleted', bucket, keyspace, id, path, previous, cause };
}

function readCause(reader: RecordReader): NonNullable<ObjectDeleted['cause']> {
  reader.mapFrom(2, field.type);
  const type = reader.text();
  reader.field(field.position);
  return { type, position: reader.whole<ObjectDeleted['keyspace']>() };
}

function readBucketFacts(reader: RecordReader): BucketFacts {
  reader.mapFrom(4, field.uid);
  const uid = reader.text<BucketFacts['uid']>();
  reader.field(field.name);
  const name = reader.text<BucketFacts['name']>();
  reader.field(field.policy);
  const policy = reader.word(bucketPolicies);
  reader.field(field.owner_id);
  return { uid, name, policy, owner_id: reader.nullableText() };
}

function readPrevious(reader: RecordReader): PreviousObject {
  reader.mapFrom(8, field.size);
  const size = reader.whole();
  reader.field(field.etag);
  const etag = reader.text();
  reader.field(field.blob_id);
  const blob_id = reader.text<PreviousObject['blob_id']>();
  reader.field(field.owner_id);
  const owner_id = reader.nullableText();
  reader.field(field.content_type);
  const content_type = reader.text();
  reader.field(field.version);
  const version = reader.text();
  reader.field(field.created_at);
  const created_at = reader.whole();
  reader.field(field.position);
  const position = reader.whole<PreviousObject['position']>();
  return { size, etag, blob_id, owner_id, content_type, version, created_at, position };
}

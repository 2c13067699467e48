/** The people and things of the domain's tests. */
import { type BucketRow, bucketFacts } from '../../src/domain/bucket.ts';
import { anonymous, type Caller } from '../../src/domain/caller.ts';
import type { BucketCreated, ObjectStored } from '../../src/domain/events.ts';
import type {
  BlobId,
  BucketName,
  BucketUid,
  ObjectId,
  ObjectPath,
  Position,
} from '../../src/domain/names.ts';
import type { Content } from '../../src/domain/object.ts';
import type { StoreObject, Upload } from '../../src/domain/object-decisions.ts';

/** Boris owns the bucket, Olga the object, Uma neither. */
export const boris: Caller = { kind: 'user', id: 'boris' };
export const olga: Caller = { kind: 'user', id: 'olga' };
export const uma: Caller = { kind: 'user', id: 'uma' };
export const service: Caller = { kind: 'service', id: null };
export const nobody = anonymous;

/** By the columns of API.md "Who may do what". */
export const callers = {
  anonymous: nobody,
  user: uma,
  'object owner': olga,
  'bucket owner': boris,
  service,
} as const satisfies Record<string, Caller>;

export const position = (value: number): Position => value as Position;
export const uid = (text: string): BucketUid => text as BucketUid;
export const path = (text: string): ObjectPath => text as ObjectPath;

/** Boris's bucket `photos`. */
export function bucketOf(fields: Partial<BucketRow> = {}): BucketRow {
  return {
    uid: uid('uid-1'),
    name: 'photos' as BucketName,
    policy: 'private',
    write_policy: 'owner',
    owner_id: 'boris',
    allowed_mime_types: null,
    max_file_size: null,
    keyspace: position(1),
    created_at: 1_000,
    updated_at: 1_000,
    ...fields,
  };
}

export function contentOf(name: string, size = 5): Content & { readonly crcs: Uint8Array } {
  return { size, etag: `etag-${name}`, blob_id: `blob-${name}` as BlobId, crcs: new Uint8Array(4) };
}

export function uploadOf(caller: Caller, fields: Partial<Upload> = {}): Upload {
  return {
    caller,
    contentType: 'text/plain',
    sizeBytes: undefined,
    conditions: { overwrite: true },
    maxFileSizeBytes: 1_000,
    ...fields,
  };
}

/** `name` tells one upload from another: it stands in etag, blob, version and the id if it is new. */
export function storeOf(
  caller: Caller,
  name: string,
  fields: Partial<StoreObject> = {},
): StoreObject {
  return {
    ...uploadOf(caller),
    bucketUid: uid('uid-1'),
    path: path('a.txt'),
    content: contentOf(name),
    cacheControl: null,
    metadata: null,
    version: `version-${name}`,
    newId: `id-${name}` as ObjectId,
    ...fields,
  };
}

/** Boris made his bucket; committed first, its keyspace is 1. */
export function bucketCreated(fields: Partial<BucketRow> = {}): BucketCreated {
  const { keyspace: _keyspace, created_at: _created, updated_at: _updated, ...bucket } = bucketOf();
  return { type: 'bucket.created', bucket: { ...bucket, ...fields } };
}

/** `owner` put 5 bytes at `a.txt`. */
export function objectStored(
  owner: string | null,
  name: string,
  fields: Partial<ObjectStored['object']> = {},
): ObjectStored {
  return {
    type: 'object.stored',
    bucket: bucketFacts(bucketOf()),
    keyspace: position(1),
    object: {
      ...contentOf(name),
      id: `id-${name}` as ObjectId,
      path: path('a.txt'),
      owner_id: owner,
      content_type: 'text/plain',
      version: `version-${name}`,
      cache_control: null,
      metadata: null,
      created_at: null,
      ...fields,
    },
    previous: null,
    source: null,
    restored_from: null,
    token: null,
  };
}

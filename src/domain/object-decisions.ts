/**
 * What may become of an object: command and state in, an event or a refusal out. Pure.
 *
 * An upload is decided twice: `admitUpload` before its bytes are read, so that a refusal costs
 * nothing, and `decideStore` under the locks, because the bucket may be another one by then.
 */
import { type BucketRow, bucketFacts } from './bucket.ts';
import { type Caller, callerId } from './caller.ts';
import type { Crcs, ObjectDeleted, ObjectStored } from './events.ts';
import type { BucketUid, ObjectId, ObjectPath } from './names.ts';
import { type Content, type ObjectRow, previousOf } from './object.ts';
import { authorize } from './policy.ts';
import { type EntityTags, refuseWrite, type WriteConditions } from './preconditions.ts';
import { type Rejection, rejection } from './rejection.ts';
import { ok, type Result, refuse } from './result.ts';
import { allowsMime, essenceOf } from './values/mime.ts';

export interface ObjectState {
  readonly bucket: BucketRow | undefined;
  readonly object: ObjectRow | undefined;
}

/** What is known of an upload before its bytes are. */
export interface Upload {
  readonly caller: Caller;
  readonly contentType: string;
  /** Bytes, as declared; undefined where the body has no declared length. */
  readonly sizeBytes: number | undefined;
  readonly conditions: WriteConditions;
  /** The server's own limit, bytes. */
  readonly maxFileSizeBytes: number;
}

/** The bucket that admits the upload, and the most bytes that it may have. */
export function admitUpload(
  state: ObjectState,
  upload: Upload,
): Result<{ readonly bucket: BucketRow; readonly maxBytes: number }> {
  const { bucket, object } = state;
  const action = object ? 'object.overwrite' : 'object.add';
  const { refusal } = authorize({ caller: upload.caller, action, bucket, object });
  if (refusal) return refuse(refusal);
  if (!bucket) return refuse(rejection('NoSuchBucket'));
  const maxBytes = Math.min(upload.maxFileSizeBytes, bucket.max_file_size ?? Infinity);
  if (upload.sizeBytes !== undefined && upload.sizeBytes > maxBytes) {
    return refuse(tooLarge(maxBytes));
  }
  if (!allowsMime(bucket.allowed_mime_types, upload.contentType)) {
    return refuse(unsupportedType(upload.contentType));
  }
  const unmet = refuseWrite(object, upload.conditions);
  return unmet ? refuse(unmet) : ok({ bucket, maxBytes });
}

export interface StoreObject extends Upload {
  /** The bucket that admitted the upload: one created since under the same name is another. */
  readonly bucketUid: BucketUid;
  readonly path: ObjectPath;
  readonly content: Content & { readonly crcs: Crcs };
  readonly cacheControl: string | null;
  /** JSON text. */
  readonly metadata: string | null;
  readonly version: string;
  /** The id of the object where it is a new one; an overwrite keeps its own. */
  readonly newId: ObjectId;
}

export function decideStore(state: ObjectState, command: StoreObject): Result<ObjectStored> {
  if (state.bucket?.uid !== command.bucketUid) return refuse(rejection('NoSuchBucket'));
  const admitted = admitUpload(state, { ...command, sizeBytes: command.content.size });
  if (!admitted.ok) return admitted;
  const { bucket } = admitted.value;
  const { object } = state;
  return ok({
    type: 'object.stored',
    bucket: bucketFacts(bucket),
    keyspace: bucket.keyspace,
    object: {
      ...command.content,
      id: object?.id ?? command.newId,
      path: command.path,
      owner_id: object ? object.owner_id : callerId(command.caller),
      content_type: command.contentType,
      version: command.version,
      cache_control: command.cacheControl,
      metadata: command.metadata,
      created_at: object?.created_at ?? null,
    },
    previous: object ? previousOf(object) : null,
    source: null,
    restored_from: null,
    token: null,
  });
}

export interface DeleteObject {
  readonly caller: Caller;
  readonly ifMatch: EntityTags | undefined;
}

export function decideDelete(
  { bucket, object }: ObjectState,
  { caller, ifMatch }: DeleteObject,
): Result<ObjectDeleted> {
  const { refusal } = authorize({ caller, action: 'object.delete', bucket, object });
  if (refusal) return refuse(refusal);
  if (!bucket || !object) return refuse(rejection('NoSuchKey'));
  const unmet = refuseWrite(object, { overwrite: true, ifMatch });
  if (unmet) return refuse(unmet);
  return ok(deletion(bucket, object, null));
}

/** The record that deletes `object`; `cause` where it goes with its bucket. */
export function deletion(
  bucket: Pick<BucketRow, 'uid' | 'name' | 'policy' | 'owner_id' | 'keyspace'>,
  object: ObjectRow,
  cause: ObjectDeleted['cause'],
): ObjectDeleted {
  return {
    type: 'object.deleted',
    bucket: bucketFacts(bucket),
    keyspace: bucket.keyspace,
    id: object.id,
    path: object.path,
    previous: previousOf(object),
    cause,
  };
}

export function tooLarge(maxBytes: number): Rejection {
  return rejection('EntityTooLarge', undefined, { facts: { max_bytes: maxBytes } });
}

/** `contentType` is what was declared, or what the bytes turned out to be. */
export function unsupportedType(contentType: string): Rejection {
  return rejection('InvalidMimeType', `mime type ${essenceOf(contentType)} is not supported`);
}

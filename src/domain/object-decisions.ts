/**
 * What may become of an object: command and state in, an event or a refusal out. Pure.
 *
 * An upload is decided twice: `admitUpload` before its bytes are read, so that a refusal costs
 * nothing, and `decideStore` under the locks, because the bucket may be another one by then.
 */
import { type BucketRow, bucketFacts } from './bucket.ts';
import { type Caller, callerId } from './caller.ts';
import type { Crcs, ObjectDeleted, ObjectPatched, ObjectStored } from './events.ts';
import type { BucketUid, ObjectId, ObjectPath } from './names.ts';
import { type Content, type ObjectFacts, type ObjectRow, previousOf } from './object.ts';
import { authorize, decide } from './policy.ts';
import { type Expected, refuseWrite, type WriteConditions } from './preconditions.ts';
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
  const limited = withinRules(bucket, upload);
  if (!limited.ok) return limited;
  const unmet = refuseWrite(object, upload.conditions);
  return unmet ? refuse(unmet) : ok({ bucket, ...limited.value });
}

/** The size and type rules of the bucket, which a copy, a move and a change of metadata meet too. */
function withinRules(
  bucket: BucketRow,
  content: Pick<Upload, 'contentType' | 'sizeBytes' | 'maxFileSizeBytes'>,
): Result<{ readonly maxBytes: number }> {
  const { contentType, sizeBytes, maxFileSizeBytes } = content;
  const maxBytes = Math.min(maxFileSizeBytes, bucket.max_file_size ?? Infinity);
  if (sizeBytes !== undefined && sizeBytes > maxBytes) return refuse(tooLarge(maxBytes));
  return allowsMime(bucket.allowed_mime_types, contentType)
    ? ok({ maxBytes })
    : refuse(unsupportedType(contentType));
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

/** What can be changed without an upload; what is left out stays. */
export type ObjectChanges = Partial<
  Pick<ObjectFacts, 'metadata' | 'cache_control' | 'content_type'>
>;

export interface PatchObject extends Expected {
  readonly caller: Caller;
  readonly changes: ObjectChanges;
  readonly ifVersion?: string | undefined;
  /** The server's own limit, bytes. */
  readonly maxFileSizeBytes: number;
}

/** The event, or undefined where the object is what was asked for already. */
export function decidePatch(
  { bucket, object }: ObjectState,
  { caller, changes, ifVersion, maxFileSizeBytes, ...expected }: PatchObject,
): Result<ObjectPatched | undefined> {
  const { refusal } = authorize({ caller, action: 'object.patch', bucket, object });
  if (refusal) return refuse(refusal);
  if (!bucket || !object) return refuse(rejection('NoSuchKey'));
  const { updated_at: _updated, position: _position, ...row } = object;
  const next = { ...row, ...changes };
  const { content_type: contentType, size: sizeBytes } = next;
  const limited = withinRules(bucket, { contentType, sizeBytes, maxFileSizeBytes });
  if (!limited.ok) return limited;
  const unmet = refuseWrite(object, { overwrite: true, ...expected });
  if (unmet) return refuse(unmet);
  if (ifVersion !== undefined && ifVersion !== object.version) {
    return refuse(rejection('PreconditionFailed', 'If-Version is not the stored version'));
  }
  const changed = changeable.filter((name) => next[name] !== object[name]);
  if (changed.length === 0) return ok(undefined);
  return ok({
    type: 'object.patched',
    bucket: bucketFacts(bucket),
    keyspace: bucket.keyspace,
    object: next,
    previous: previousOf(object),
    changed,
  });
}

const changeable = ['metadata', 'cache_control', 'content_type'] as const;

export interface DeleteObject extends Expected {
  readonly caller: Caller;
}

export function decideDelete(
  { bucket, object }: ObjectState,
  { caller, ...expected }: DeleteObject,
): Result<ObjectDeleted> {
  const { refusal } = authorize({ caller, action: 'object.delete', bucket, object });
  if (refusal) return refuse(refusal);
  if (!bucket || !object) return refuse(rejection('NoSuchKey'));
  const unmet = refuseWrite(object, { overwrite: true, ...expected });
  if (unmet) return refuse(unmet);
  return ok(deletion(bucket, object, null));
}

export interface ManyState {
  readonly bucket: BucketRow | undefined;
  /** Those of the named paths that hold one. */
  readonly objects: readonly ObjectRow[];
  /** True where the caller owns an object of the bucket, for those who do not see it. */
  readonly ownsObjects: boolean;
}

/** Deletes what the caller may delete and leaves the rest, as if it were not there. */
export function decideDeleteMany(
  { bucket, objects, ownsObjects }: ManyState,
  { caller }: { readonly caller: Caller },
): Result<{
  readonly events: readonly ObjectDeleted[];
  /** Of the deleted, those that the caller may read. */
  readonly readable: readonly ObjectRow[];
}> {
  // The bucket is there for those to whom a list of it would be.
  const { refusal } = authorize({ caller, action: 'object.list', bucket, ownsObjects });
  if (refusal) return refuse(refusal);
  if (!bucket) return refuse(rejection('NoSuchBucket'));
  const may = (action: 'object.delete' | 'object.read') => (object: ObjectRow) =>
    decide({ caller, action, bucket, object }).allowed;
  const deletable = objects.filter(may('object.delete'));
  return ok({
    events: deletable.map((object) => deletion(bucket, object, null)),
    readable: deletable.filter(may('object.read')),
  });
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

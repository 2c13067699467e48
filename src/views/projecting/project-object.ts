/** What the events of objects change in the views. */
import type { BucketFacts } from '../../domain/bucket.ts';
import type {
  Crcs,
  ObjectDeleted,
  ObjectMoved,
  ObjectPatched,
  ObjectRestored,
  ObjectStored,
} from '../../domain/events.ts';
import type { KeyspaceId, ObjectId, ObjectPath, Position } from '../../domain/names.ts';
import { type ObjectRow, objectAfter, type PreviousObject } from '../../domain/object.ts';
import {
  crcsKey,
  createdKey,
  historyKey,
  objectKey,
  ownedKey,
  referenceKey,
  tokenUseKey,
} from '../keys.ts';
import type { Change } from './change.ts';

export interface CommittedAt {
  readonly position: Position;
  readonly timeMs: number;
}

/** A path in a keyspace of a bucket. */
interface Spot {
  readonly bucket: BucketFacts;
  readonly keyspace: KeyspaceId;
  readonly path: ObjectPath;
}

/** A row that leaves its spot. */
type Leaving = PreviousObject & { readonly id: ObjectId };

export function storeObject(change: Change, event: ObjectStored, at: CommittedAt): void {
  const { bucket, keyspace, object, previous, token } = event;
  const spot = { bucket, keyspace, path: object.path };
  const row = objectAfter(event, at);
  // An overwrite keeps the object's id.
  if (previous) displace(change, spot, { leaving: { ...previous, id: object.id }, by: row });
  place(change, spot, row);
  keepCrcs(change, object);
  if (token?.once) {
    change.put(tokenUseKey(token.jti), {
      bucket_uid: bucket.uid,
      path: object.path,
      expires_at: token.expires_at,
    });
  }
}

export function patchObject(change: Change, event: ObjectPatched, at: CommittedAt): void {
  const { bucket, keyspace, object, previous } = event;
  const spot = { bucket, keyspace, path: object.path };
  const row = objectAfter(event, at);
  displace(change, spot, { leaving: { ...previous, id: object.id }, by: row });
  place(change, spot, row);
}

/**
 * All that leaves goes before anything comes: within one keyspace the reference that is taken away
 * at the source is the one that is put at the target. The blob stays, so nothing releases it.
 */
export function moveObject(change: Change, event: ObjectMoved, at: CommittedAt): void {
  const { from, to, object, previous, from_position } = event;
  const row = objectAfter(event, at);
  const leaving = { ...object, position: from_position };
  bury(change, from, { leaving, at });
  if (previous) displace(change, to, { leaving: previous, by: row });
  place(change, to, row);
}

export function deleteObject(change: Change, event: ObjectDeleted, at: CommittedAt): void {
  bury(change, event, { leaving: { ...event.previous, id: event.id }, at });
  change.release(event.previous.blob_id);
}

export function restoreObject(change: Change, event: ObjectRestored, at: CommittedAt): void {
  const { bucket, object } = event;
  const keyspace = event.keyspace ?? at.position;
  place(change, { bucket, keyspace, path: object.path }, objectAfter(event, at));
  keepCrcs(change, object);
}

/** The row comes to stand at the spot. */
function place(change: Change, spot: Spot, row: ObjectRow): void {
  const { keyspace, path, bucket } = spot;
  change.put(objectKey(keyspace, path), row);
  change.put(historyKey({ keyspace, path, position: row.position }), row);
  if (row.owner_id !== null) change.put(ownedKey(row.owner_id, keyspace, path), null);
  change.put(createdKey(keyspace, row.created_at, row.id), path);
  change.put(referenceKey(row.blob_id, keyspace, row.id), null);
  change.count(keyspace, row, { sign: 1, bucketOwner: bucket.owner_id });
}

/** A row leaves the spot to another that takes its place; only what that one won't put goes. */
function displace(
  change: Change,
  spot: Spot,
  { leaving, by }: { readonly leaving: Leaving; readonly by: ObjectRow },
): void {
  const { keyspace, path, bucket } = spot;
  if (leaving.owner_id !== null && leaving.owner_id !== by.owner_id) {
    change.remove(ownedKey(leaving.owner_id, keyspace, path));
  }
  if (leaving.id !== by.id || leaving.created_at !== by.created_at) {
    change.remove(createdKey(keyspace, leaving.created_at, leaving.id));
  }
  if (leaving.id !== by.id || leaving.blob_id !== by.blob_id) {
    change.remove(referenceKey(leaving.blob_id, keyspace, leaving.id));
  }
  if (leaving.blob_id !== by.blob_id) change.release(leaving.blob_id);
  change.expire({ key: historyKey({ keyspace, path, position: leaving.position }) });
  change.count(keyspace, leaving, { sign: -1, bucketOwner: bucket.owner_id });
}

/** A row leaves the spot and nothing takes its place: history remembers that by a tombstone. */
function bury(
  change: Change,
  spot: Spot,
  { leaving, at }: { readonly leaving: Leaving; readonly at: CommittedAt },
): void {
  const { keyspace, path, bucket } = spot;
  change.remove(objectKey(keyspace, path));
  if (leaving.owner_id !== null) change.remove(ownedKey(leaving.owner_id, keyspace, path));
  change.remove(createdKey(keyspace, leaving.created_at, leaving.id));
  change.remove(referenceKey(leaving.blob_id, keyspace, leaving.id));
  const tombstone = historyKey({ keyspace, path, position: at.position });
  change.put(tombstone, null);
  change.expire({ key: historyKey({ keyspace, path, position: leaving.position }) });
  change.expire({ key: tombstone });
  change.count(keyspace, leaving, { sign: -1, bucketOwner: bucket.owner_id });
}

/** Copies and restored rows carry the CRCs of their blob too, so that the row is always there. */
function keepCrcs(
  change: Change,
  blob: { readonly blob_id: ObjectRow['blob_id']; readonly crcs: Crcs },
) {
  change.put(crcsKey(blob.blob_id), blob.crcs);
}

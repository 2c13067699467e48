/** Objects: read and list (O1, O3); what changes them is in objects/ and upload/. */
import { BlobDamaged, BlobMissing, type BlobStore, type OpenBlob } from '../blobs/blob-store.ts';
import type { BucketRow } from '../domain/bucket.ts';
import { callerId } from '../domain/caller.ts';
import type { Observe } from '../domain/effects.ts';
import type { ObjectRow } from '../domain/object.ts';
import type { ObjectState } from '../domain/object-decisions.ts';
import { readableRows, seesBucket } from '../domain/policy.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import type { ListPage, Views } from '../views/views.ts';
import type { Access } from './access.ts';
import type { Commit } from './commit.ts';
import type { Call, ObjectKey, ObjectListing, Objects, ReadableObject } from './service.ts';
import type { BlobTroubles } from './upkeep/blob-troubles.ts';

export interface ObjectParts {
  readonly views: Views;
  readonly commit: Commit;
  readonly access: Access;
  readonly blobs: BlobStore;
  readonly observe: Observe;
  readonly troubles: BlobTroubles;
}

export type ObjectReads = Pick<Objects, 'read' | 'list'>;

/** The rows that a key names today. */
export function stateOf(views: Views, { bucket: name, path }: ObjectKey): ObjectState {
  const bucket = views.bucket(name);
  return { bucket, object: bucket && views.object(bucket.keyspace, path) };
}

export function createObjects(parts: ObjectParts): ObjectReads {
  const { views, access } = parts;
  return {
    async read(call, key, { publicOnly = false } = {}): Promise<Result<ReadableObject>> {
      const { bucket, object } = stateOf(views, key);
      if (publicOnly && bucket?.policy !== 'public') return refuse(rejection('NoSuchBucket'));
      const refusal = access(call, { action: 'object.read', bucket, object, about: key.path });
      if (refusal) return refuse(refusal);
      if (!bucket || !object) return refuse(rejection('NoSuchKey'));
      return ok({ bucket, object, open: () => openBlob(parts, { bucket, object }) });
    },

    list: (call, listing) => list(parts, call, listing),
  };
}

async function list(
  { views, access }: ObjectParts,
  call: Call,
  { bucket: name, ...listing }: ObjectListing,
): Promise<Result<ListPage>> {
  const bucket = views.bucket(name);
  const id = callerId(call.caller);
  // Someone to whom the bucket does not exist still has what they own in it.
  const hidden = bucket && !seesBucket(call.caller, bucket);
  const ownsObjects = hidden && id !== null && (await views.ownsAny(bucket.keyspace, id));
  const refusal = access(call, {
    action: 'object.list',
    bucket,
    ...(ownsObjects ? { ownsObjects } : {}),
  });
  if (refusal) return refuse(refusal);
  const readable = bucket && readableRows(call.caller, bucket);
  if (!bucket || !readable) return refuse(rejection('NoSuchBucket'));
  return ok(
    await views.list({
      ...listing,
      keyspace: bucket.keyspace,
      ...(readable.rows === 'own' ? { ownerId: readable.ownerId } : {}),
    }),
  );
}

/** A current row without its bytes is an alarm: said in the log and in the health (M3). */
export async function openBlob(
  { blobs, views, observe, troubles }: ObjectParts,
  { bucket, object }: { readonly bucket: BucketRow; readonly object: ObjectRow },
): Promise<OpenBlob> {
  const { blob_id: blobId, size: sizeBytes, etag: blake3 } = object;
  try {
    const crcs = views.crcs(blobId);
    if (!crcs) throw new BlobDamaged(`no checksums are known of blob ${blobId}`);
    return await blobs.open({ blobId, sizeBytes, blake3, crcs });
  } catch (fault) {
    if (fault instanceof BlobMissing || fault instanceof BlobDamaged) {
      observe.count('missing_blob');
      observe.error('an object has lost its bytes', {
        bucket: bucket.name,
        path: object.path,
        object_id: object.id,
        blob_id: blobId,
        fault: fault.message,
      });
      troubles.found(blobId, fault instanceof BlobMissing ? 'missing' : 'damaged');
    }
    throw fault;
  }
}

/** Objects: read and list (O1, O3); what changes them is in objects/ and upload/. */
import {
  BlobDamaged,
  BlobMissing,
  type BlobStore,
  type ByteStream,
  type OpenBlob,
} from '../blobs/blob-store.ts';
import type { BucketRow } from '../domain/bucket.ts';
import { callerId } from '../domain/caller.ts';
import type { Observe } from '../domain/effects.ts';
import type { BucketName, KeyspaceId } from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import type { ObjectState } from '../domain/object-decisions.ts';
import { readableRows, seesBucket } from '../domain/policy.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import { browsable } from '../views/reading/browse.ts';
import type { BrowsePage, ListPage, Views } from '../views/views.ts';
import type { Access } from './access.ts';
import type { Commit } from './commit.ts';
import type {
  Call,
  ObjectBrowsing,
  ObjectKey,
  ObjectListing,
  Objects,
  ReadableObject,
} from './service.ts';
import type { BlobTroubles } from './upkeep/blob-troubles.ts';

export interface ObjectParts {
  readonly views: Views;
  readonly commit: Commit;
  readonly access: Access;
  readonly blobs: BlobStore;
  readonly observe: Observe;
  readonly troubles: BlobTroubles;
}

export type ObjectReads = Pick<Objects, 'read' | 'list' | 'browse'>;

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
    browse: (call, browsing) => browseObjects(parts, call, browsing),
  };
}

async function list(
  parts: ObjectParts,
  call: Call,
  { bucket, ...listing }: ObjectListing,
): Promise<Result<ListPage>> {
  const rows = await rowsShown(parts, call, bucket);
  return rows.ok ? ok(await parts.views.list({ ...listing, ...rows.value })) : rows;
}

async function browseObjects(
  parts: ObjectParts,
  call: Call,
  { bucket, ...browsing }: ObjectBrowsing,
): Promise<Result<BrowsePage>> {
  const rows = await rowsShown(parts, call, bucket);
  if (!rows.ok) return rows;
  const page = await parts.views.browse({ ...browsing, ...rows.value });
  return page ? ok(page) : refuse(tooMuch);
}

const tooMuch = rejection('InvalidRequest', 'There is too much below the prefix to sort or skip', {
  hint: 'Name a longer prefix, or sort by name and go on with the cursor of list-v2.',
  facts: { parameter: 'sortBy, offset', max_rows: browsable },
});

/** Where the rows lie that a list shows to the caller. */
async function rowsShown(
  { views, access }: ObjectParts,
  call: Call,
  name: BucketName,
): Promise<Result<{ readonly keyspace: KeyspaceId; readonly ownerId?: string }>> {
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
  const { keyspace } = bucket;
  return ok(readable.rows === 'own' ? { keyspace, ownerId: readable.ownerId } : { keyspace });
}

/** A current row without its bytes is an alarm: said in the log and in the health (M3). */
export async function openBlob(
  { blobs, views, observe, troubles }: ObjectParts,
  { bucket, object }: { readonly bucket: BucketRow; readonly object: ObjectRow },
): Promise<OpenBlob> {
  const { blob_id: blobId, size: sizeBytes, etag: blake3 } = object;
  const tell = (fault: unknown) => {
    if (!(fault instanceof BlobMissing || fault instanceof BlobDamaged)) return;
    observe.count('missing_blob');
    observe.error('an object has lost its bytes', {
      bucket: bucket.name,
      path: object.path,
      object_id: object.id,
      blob_id: blobId,
      fault: fault.message,
    });
    troubles.found(blobId, fault instanceof BlobMissing ? 'missing' : 'damaged');
  };
  try {
    const crcs = views.crcs(blobId);
    if (!crcs) throw new BlobDamaged(`no checksums are known of blob ${blobId}`);
    const blob = await blobs.open({ blobId, sizeBytes, blake3, crcs });
    const { file } = blob;
    return {
      ...(file === undefined ? {} : { file }),
      bytes: (range) => telling(blob.bytes(range), tell),
      close: () => blob.close(),
    };
  } catch (fault) {
    tell(fault);
    throw fault;
  }
}

/** Most damage shows only while the bytes go out. */
async function* telling(
  bytes: ByteStream,
  tell: (fault: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (fault) {
    tell(fault);
    throw fault;
  }
}

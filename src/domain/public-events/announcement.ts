/**
 * Which records are public, and what of: the one event that a committed change of a bucket or an
 * object is announced by. Everything here comes from the record alone, so the log says the same
 * to whoever reads it again (E1).
 *
 * Not public: what is not about a bucket or an object, rows written into a keyspace that nobody can
 * see yet, and the draining of a keyspace that a restore replaced or that was never shown.
 */
import type { BucketFacts, WritePolicy } from '../bucket.ts';
import type {
  BucketEvent,
  CommittedRecord,
  ObjectDeleted,
  ObjectMoved,
  ObjectPatched,
  ObjectStored,
} from '../events.ts';
import type { ObjectPath, Position } from '../names.ts';

export const publicTypes = [
  'storage.object.created',
  'storage.object.updated',
  'storage.object.deleted',
  'storage.object.moved',
  'storage.bucket.created',
  'storage.bucket.updated',
  'storage.bucket.emptied',
  'storage.bucket.deleted',
  'storage.bucket.restored',
] as const;
export type PublicType = (typeof publicTypes)[number];

/** Something that a policy decides on: a bucket, or an object at a path of it, as it was then. */
export interface Side {
  readonly bucket: BucketFacts & { readonly write_policy: WritePolicy };
  /** null for the bucket itself. */
  readonly path: ObjectPath | null;
  /** Of the object; of the bucket where there is no path. */
  readonly owner_id: string | null;
}

export type PublicRecord = BucketEvent | ObjectStored | ObjectPatched | ObjectMoved | ObjectDeleted;

export interface Announcement {
  readonly type: PublicType;
  readonly position: Position;
  readonly epoch: number;
  /** Unix ms. */
  readonly timeMs: number;
  /** The record that it is derived from. */
  readonly record: PublicRecord;
  /** Where it happened; of a move, where the object is now. */
  readonly place: Side;
  /** Of a move: where the object was. */
  readonly from?: Side;
  /** Of a copy: what was copied. */
  readonly source?: Side;
  readonly cause?: { readonly type: PublicType; readonly position: Position };
}

/** undefined for a record that is not public. */
export function announcementOf(record: CommittedRecord): Announcement | undefined {
  const { event, position, epoch, timeMs } = record;
  // Field by field: a subscriber who catches up makes one for every record there is.
  switch (event.type) {
    case 'bucket.created':
    case 'bucket.updated':
    case 'bucket.emptied':
    case 'bucket.deleted':
    case 'bucket.switched': {
      const { bucket } = event;
      const place = { bucket, path: null, owner_id: bucket.owner_id };
      return { type: bucketTypes[event.type], position, epoch, timeMs, record: event, place };
    }
    case 'object.stored': {
      const { source } = event;
      const type = event.previous === null ? 'storage.object.created' : 'storage.object.updated';
      const place = objectSide(event.bucket, event.object);
      if (source === null) return { type, position, epoch, timeMs, record: event, place };
      const copied = objectSide(source.bucket, source);
      return { type, position, epoch, timeMs, record: event, place, source: copied };
    }
    case 'object.patched': {
      const type = 'storage.object.updated';
      const place = objectSide(event.bucket, event.object);
      return { type, position, epoch, timeMs, record: event, place };
    }
    case 'object.moved': {
      const { owner_id } = event.object;
      const place = objectSide(event.to.bucket, { path: event.to.path, owner_id });
      const from = objectSide(event.from.bucket, { path: event.from.path, owner_id });
      return {
        type: 'storage.object.moved',
        position,
        epoch,
        timeMs,
        record: event,
        place,
        from,
      };
    }
    case 'object.deleted': {
      const { cause } = event;
      const type = 'storage.object.deleted';
      const owned = { path: event.path, owner_id: event.previous.owner_id };
      const place = objectSide(event.bucket, owned);
      if (cause === null) return { type, position, epoch, timeMs, record: event, place };
      const told = publicCause(cause);
      return told && { type, position, epoch, timeMs, record: event, place, cause: told };
    }
    case 'object.restored':
    case 'store.opened':
    case 'token.used':
    case 'token.revoked':
    case 'consumer.defined':
    case 'consumer.removed':
    case 'webhook.defined':
    case 'webhook.removed':
    case 'retention.advanced':
    case 'request.answered':
    case 'checkpoint.signed':
      return undefined;
    default:
      return event satisfies never;
  }
}

const bucketTypes: Readonly<Record<BucketEvent['type'], PublicType>> = {
  'bucket.created': 'storage.bucket.created',
  'bucket.updated': 'storage.bucket.updated',
  'bucket.emptied': 'storage.bucket.emptied',
  'bucket.deleted': 'storage.bucket.deleted',
  'bucket.switched': 'storage.bucket.restored',
};

/** Who may add objects plays no part in who may read one. */
function objectSide(
  bucket: BucketFacts,
  { path, owner_id }: { readonly path: ObjectPath; readonly owner_id: string | null },
): Side {
  const { uid, name, policy, owner_id: bucketOwner } = bucket;
  return {
    bucket: { uid, name, policy, owner_id: bucketOwner, write_policy: 'owner' },
    path,
    owner_id,
  };
}

/** Of a drain only that which follows what its bucket's own event told. */
function publicCause({ type, position }: NonNullable<ObjectDeleted['cause']>) {
  if (type !== 'bucket.emptied' && type !== 'bucket.deleted') return undefined;
  return { type: bucketTypes[type], position };
}

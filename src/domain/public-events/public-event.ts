/** An announcement as a caller is told of it: the JSON of docs/events.md, with what they may see of it. */
import type { BucketName, ObjectId, ObjectPath, Position } from '../names.ts';
import { type ObjectRow, objectAfter } from '../object.ts';
import { instantText } from '../values/instants.ts';
import type { Announcement, PublicType, Side } from './announcement.ts';
import type { Sight } from './visibility.ts';

export interface PreviousState {
  /** Of a move: where the object was. */
  readonly bucket?: BucketName;
  readonly path?: ObjectPath;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
}

export interface PublicEvent {
  /** `evt_<epoch>_<position>` */
  readonly id: string;
  readonly type: PublicType;
  /** Of a move: where the object is now; null where the caller may not see it there. */
  readonly bucket: BucketName | null;
  /** null of a bucket, and as `bucket`. */
  readonly path: ObjectPath | null;
  /** null of a bucket. */
  readonly object_id: ObjectId | null;
  readonly owner_id: string | null;
  readonly timestamp: string;
  readonly position: Position;
  readonly object?: ReturnType<typeof objectJson>;
  readonly previous?: PreviousState;
  /** The names of the fields that have another value now. */
  readonly changed?: readonly string[];
  readonly copied_from?: {
    readonly bucket: BucketName;
    readonly path: ObjectPath;
    readonly object_id: ObjectId;
  };
  readonly restored_from?: string;
  /** Of what went with its bucket: the path may live again by now. */
  readonly cause?: { readonly type: PublicType; readonly position: Position };
}

export function publicEvent(announcement: Announcement, sight: Sight): PublicEvent {
  const { type, place, position, epoch, timeMs } = announcement;
  const event: Writable<PublicEvent> = {
    id: `evt_${epoch}_${position}`,
    type,
    bucket: sight.place ? place.bucket.name : null,
    path: sight.place ? place.path : null,
    object_id: objectIdOf(announcement),
    owner_id: place.owner_id,
    timestamp: instantText(timeMs),
    position,
  };
  addDetails(event, announcement, sight);
  if (announcement.cause) event.cause = announcement.cause;
  return event;
}

type Writable<T> = { -readonly [Field in keyof T]: T[Field] };

/** An object as the API shows it. */
export function objectJson(bucket: BucketName, row: ObjectRow) {
  return {
    id: row.id,
    bucket,
    path: row.path,
    size: row.size,
    content_type: row.content_type,
    owner_id: row.owner_id,
    etag: row.etag,
    version: row.version,
    cache_control: row.cache_control,
    metadata: row.metadata === null ? {} : (JSON.parse(row.metadata) as unknown),
    created_at: instantText(row.created_at),
    updated_at: instantText(row.updated_at),
  };
}

function objectIdOf({ record }: Announcement): ObjectId | null {
  if (record.type === 'object.deleted') return record.id;
  return 'object' in record ? record.object.id : null;
}

function addDetails(event: Writable<PublicEvent>, announcement: Announcement, sight: Sight): void {
  const { record, place, from } = announcement;
  switch (record.type) {
    case 'bucket.updated':
      event.changed = record.changed;
      return;
    case 'object.stored': {
      const { previous, source, restored_from } = record;
      event.object = objectJson(place.bucket.name, objectAfter(record, announcement));
      if (previous) event.previous = stateOf(previous);
      if (source && sight.source) {
        const { bucket, path, id } = source;
        event.copied_from = { bucket: bucket.name, path, object_id: id };
      }
      if (restored_from !== null) event.restored_from = restored_from;
      return;
    }
    case 'object.patched':
      event.object = objectJson(place.bucket.name, objectAfter(record, announcement));
      event.changed = record.changed;
      return;
    case 'object.moved':
      if (from && sight.from) event.previous = { ...placeOf(from), ...stateOf(record.object) };
      return;
    case 'object.deleted':
      event.previous = stateOf(record.previous);
      return;
    case 'bucket.created':
    case 'bucket.emptied':
    case 'bucket.deleted':
    case 'bucket.switched':
      return;
    default:
      record satisfies never;
  }
}

function stateOf({ version, size, etag }: PreviousState): PreviousState {
  return { version, size, etag };
}

function placeOf({ bucket, path }: Side): Pick<PreviousState, 'bucket' | 'path'> {
  return { bucket: bucket.name, ...(path === null ? {} : { path }) };
}

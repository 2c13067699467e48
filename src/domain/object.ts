/** An object: its row, and how events make it. */
import type { ObjectMoved, ObjectPatched, ObjectRestored, ObjectStored } from './events.ts';
import type { BlobId, ObjectId, ObjectPath, Position } from './names.ts';

/** Where an object's bytes are and what they are. */
export interface Content {
  readonly size: number;
  /** BLAKE3 of the bytes, hex. */
  readonly etag: string;
  readonly blob_id: BlobId;
}

/** What records tell of an object; times and position are added when the record is committed. */
export interface ObjectFacts extends Content {
  readonly id: ObjectId;
  readonly path: ObjectPath;
  readonly owner_id: string | null;
  readonly content_type: string;
  /** A string that changes with every upload. */
  readonly version: string;
  readonly cache_control: string | null;
  /** User metadata as its JSON text, `null` when there is none. */
  readonly metadata: string | null;
}

export interface ObjectRow extends ObjectFacts {
  /** Commit times, Unix ms: of the first upload, and of the last change. */
  readonly created_at: number;
  readonly updated_at: number;
  /** The position of the record that made this row. */
  readonly position: Position;
}

/** What an overwritten, moved or deleted row was. `position` finds its history row. */
export interface PreviousObject extends Content {
  readonly owner_id: string | null;
  readonly content_type: string;
  readonly version: string;
  readonly created_at: number;
  readonly position: Position;
}

export function previousOf(row: ObjectRow): PreviousObject {
  const { size, etag, blob_id, owner_id, content_type, version, created_at, position } = row;
  return { size, etag, blob_id, owner_id, content_type, version, created_at, position };
}

/** The row's facts without its times, as a record carries them. */
export function objectFacts(row: ObjectRow): ObjectFacts {
  const { created_at: _created, updated_at: _updated, position: _position, ...facts } = row;
  return facts;
}

/** The object's row after `event`, committed at `at`. */
export function objectAfter(
  event: ObjectStored | ObjectPatched | ObjectMoved | ObjectRestored,
  at: { readonly position: Position; readonly timeMs: number },
): ObjectRow {
  switch (event.type) {
    case 'object.stored': {
      // Field by field, in the order of the record: a rebuild makes this row for every upload there was.
      const { object } = event;
      return {
        size: object.size,
        etag: object.etag,
        blob_id: object.blob_id,
        id: object.id,
        path: object.path,
        owner_id: object.owner_id,
        content_type: object.content_type,
        version: object.version,
        cache_control: object.cache_control,
        metadata: object.metadata,
        created_at: object.created_at ?? at.timeMs,
        updated_at: at.timeMs,
        position: at.position,
      };
    }
    case 'object.restored': {
      const { crcs: _crcs, ...row } = event.object;
      return { ...row, position: at.position };
    }
    case 'object.patched':
    case 'object.moved':
      return { ...event.object, updated_at: at.timeMs, position: at.position };
    default:
      return event satisfies never;
  }
}

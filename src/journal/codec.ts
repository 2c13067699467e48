/**
 * Records as bytes. A record on disk is one flat MessagePack map: `type`, `v`, `actor`,
 * `idempotency` where one was given, and the event's fields beside them. No structure is shared
 * between records: each can be read alone, by any decoder, forever.
 *
 * `encode` throws `RecordInvalid` for what its own program should not have made; `decode` throws
 * `RecordUnreadable` for what it can't understand. Neither changes a value: what was encoded is
 * what is decoded.
 */
import { Packr } from 'msgpackr';
import type { CommittedRecord, NewRecord, StoreEvent } from '../domain/events.ts';
import type { Position } from '../domain/names.ts';
import { readFrequent } from './frequent-records.ts';
import { nestsDeeperThan } from './nesting.ts';
import { schemas } from './schemas.ts';
import {
  currentVersion,
  type RawRecord,
  type UpcastTable,
  upcast,
  upcastTable,
} from './upcasts.ts';

/** The deepest record nests three levels; a decoder recurses, so depth is bounded before it runs. */
const MAX_NESTING = 8;

/** 'auto' is documented, but missing in the types: a number where it is exact, else a bigint. */
const int64AsType = 'auto' as 'number';

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType });

/** Where a record was found. */
export interface RecordPlace {
  readonly position: Position;
  /** The frame's commit time, Unix ms. */
  readonly timeMs: number;
  readonly epoch: number;
}

/** A record that this program does not understand; of a newer program, or not a record at all. */
export class RecordUnreadable extends Error {
  override readonly name = 'RecordUnreadable';
  readonly code = 'RECORD_UNREADABLE';
  readonly position: Position;
  /** As far as they could be read. */
  readonly type: string | undefined;
  readonly v: number | undefined;

  constructor(
    position: Position,
    reason: string,
    more: { type?: string; v?: number; cause?: unknown } = {},
  ) {
    const what = more.type === undefined ? '' : ` (${more.type} v${more.v ?? '?'})`;
    super(`record at position ${position}${what} can't be read: ${reason}`, {
      ...(more.cause === undefined ? {} : { cause: more.cause }),
    });
    this.position = position;
    this.type = more.type;
    this.v = more.v;
  }
}

/** An event that has not the shape of its type: a fault of the program, nothing was written. */
export class RecordInvalid extends Error {
  override readonly name = 'RecordInvalid';
}

export function encode(record: NewRecord): Uint8Array {
  const { type, ...own } = record.event;
  const flat = {
    type,
    v: currentVersion(type),
    actor: record.actor,
    ...(record.idempotency ? { idempotency: record.idempotency } : {}),
    ...own,
  };
  const checked = schemas.get(type)?.safeParse(flat);
  if (!checked?.success) {
    throw new RecordInvalid(`${type} is not valid: ${checked?.error.message}`, {
      cause: checked?.error,
    });
  }
  // Its fields are in the order of the schema, by which frequent records are read.
  return packr.pack(checked.data);
}

export function decode(
  bytes: Uint8Array,
  at: RecordPlace,
  table: UpcastTable = upcastTable,
): CommittedRecord {
  const record = table === upcastTable ? readFrequent(bytes) : undefined;
  return record ? committed(record, at) : decodeAny(bytes, at, table);
}

/** As `decode`, for a record of any type and form. */
export function decodeAny(
  bytes: Uint8Array,
  at: RecordPlace,
  table: UpcastTable = upcastTable,
): CommittedRecord {
  const raw = unpack(bytes, at.position);
  const { type, v } = raw;
  const schema = schemas.get(type);
  if (!schema) throw new RecordUnreadable(at.position, 'its type is not known', { type, v });
  const current = upcast(raw, table);
  if (!current) {
    throw new RecordUnreadable(at.position, 'its version is not known', { type, v });
  }
  const parsed = schema.safeParse(current);
  if (!parsed.success) {
    const cause = parsed.error;
    throw new RecordUnreadable(at.position, cause.message, { type, v, cause });
  }
  const { v: _v, actor, idempotency, ...event } = parsed.data;
  const record = { event: event as StoreEvent, actor, ...(idempotency ? { idempotency } : {}) };
  return committed(record, at);
}

function unpack(bytes: Uint8Array, position: Position): RawRecord {
  if (nestsDeeperThan(bytes, MAX_NESTING)) {
    throw new RecordUnreadable(position, 'it is cut short or nests too deep');
  }
  const value = unpackValue(bytes, position);
  if (!isRaw(value)) throw new RecordUnreadable(position, 'it has no type or version');
  return value;
}

function unpackValue(bytes: Uint8Array, position: Position): unknown {
  try {
    return packr.unpack(bytes);
  } catch (cause) {
    throw new RecordUnreadable(position, 'it is not MessagePack', { cause });
  }
}

function isRaw(value: unknown): value is RawRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { type, v } = value as Partial<RawRecord>;
  return typeof type === 'string' && Number.isSafeInteger(v);
}

function committed({ event, actor, idempotency }: NewRecord, at: RecordPlace): CommittedRecord {
  const { position, timeMs, epoch } = at;
  return idempotency
    ? { event, actor, idempotency, position, timeMs, epoch }
    : { event, actor, position, timeMs, epoch };
}

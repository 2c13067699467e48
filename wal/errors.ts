/**
 * The faults of a log. Each carries a stable `code`; none of them is a refusal that a caller could
 * correct by itself except RecordTooLarge, BatchTooLarge and LogOverloaded.
 */
import type { Position } from './log.ts';

/** Where a log is damaged and how that shows. */
export interface Damage {
  /** The name of the segment's file inside the log's directory. */
  readonly file: string;
  /** Bytes from the start of that file. */
  readonly offset: number;
  /** The position that was expected there. */
  readonly position: Position;
  readonly reason: string;
}

/** The log holds something that no crash of its writer can explain. Nothing was changed. */
export class LogCorrupt extends Error {
  readonly code = 'LOG_CORRUPT';
  readonly file: string;
  readonly offset: number;
  readonly position: Position;
  readonly reason: string;

  constructor(damage: Damage, options?: ErrorOptions) {
    const { file, offset, position, reason } = damage;
    super(`log corrupt: ${file} at byte ${offset}, position ${position}: ${reason}`, options);
    this.name = 'LogCorrupt';
    this.file = file;
    this.offset = offset;
    this.position = position;
    this.reason = reason;
  }
}

/** Where the last segment ends. */
export interface LogEnd {
  readonly file: string;
  readonly offset: number;
}

/** A witness remembers records that the log does not hold. Nothing was changed. */
export class LogBehindWitness extends Error {
  readonly code = 'LOG_BEHIND_WITNESS';
  readonly witness: string;
  readonly position: Position;
  readonly head: Position;

  constructor(facts: { witness: string; position: Position; head: Position; end?: LogEnd }) {
    const { witness, position, head, end } = facts;
    const place = end ? ` (${end.file}, byte ${end.offset})` : '';
    super(`log ends at position ${head}${place}, but ${witness} knows of position ${position}`);
    this.name = 'LogBehindWitness';
    this.witness = witness;
    this.position = position;
    this.head = head;
  }
}

/** A write or sync failed (`cause`); no further append is possible in this process. */
export class LogPoisoned extends Error {
  readonly code = 'LOG_POISONED';
  /** Whether the records may be in the log; false where they were never given to the disk. */
  readonly outcomeUnknown: boolean;

  constructor(cause: unknown, outcomeUnknown: boolean) {
    super('log poisoned: a write or sync failed', { cause });
    this.name = 'LogPoisoned';
    this.outcomeUnknown = outcomeUnknown;
  }
}

/** The queue of appends is full. Nothing was written; try again later. */
export class LogOverloaded extends Error {
  readonly code = 'LOG_OVERLOADED';

  constructor() {
    super('log overloaded: too many records wait to be written');
    this.name = 'LogOverloaded';
  }
}

/** The log was closed. Nothing was written. */
export class LogClosed extends Error {
  readonly code = 'LOG_CLOSED';

  constructor() {
    super('log closed');
    this.name = 'LogClosed';
  }
}

/** The records after `after` begin before the oldest position that the log still holds. */
export class LogTruncated extends Error {
  readonly code = 'LOG_TRUNCATED';
  readonly after: Position;
  readonly oldest: Position;

  constructor(after: Position, oldest: Position) {
    super(`log begins at position ${oldest}: what lies after ${after} can't be read`);
    this.name = 'LogTruncated';
    this.after = after;
    this.oldest = oldest;
  }
}

/** One record is larger than `recordBytes` of the limits. */
export class RecordTooLarge extends Error {
  readonly code = 'RECORD_TOO_LARGE';
  readonly sizeBytes: number;
  readonly limitBytes: number;

  constructor(sizeBytes: number, limitBytes: number) {
    super(`record of ${sizeBytes} bytes: the limit is ${limitBytes}`);
    this.name = 'RecordTooLarge';
    this.sizeBytes = sizeBytes;
    this.limitBytes = limitBytes;
  }
}

/** The records of one append don't fit into one frame of `frameBytes` of the limits. */
export class BatchTooLarge extends Error {
  readonly code = 'BATCH_TOO_LARGE';
  readonly sizeBytes: number;
  readonly limitBytes: number;

  constructor(sizeBytes: number, limitBytes: number) {
    super(`frame of ${sizeBytes} bytes: the limit is ${limitBytes}`);
    this.name = 'BatchTooLarge';
    this.sizeBytes = sizeBytes;
    this.limitBytes = limitBytes;
  }
}

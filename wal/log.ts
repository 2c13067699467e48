/**
 * The contract of a log, whatever it lies on. Two implementations exist: on disk (`openLog`) and in
 * memory (`openMemoryLog`); test/wal/log.contract.ts runs on both.
 *
 * A log is an ordered sequence of records, written in frames. A frame is atomic: all of its records
 * are there after a crash or none. Positions are dense whole numbers from 1 inside this log; above
 * it they are opaque and growing, and nothing outside of wal/ adds one to a position.
 */

/** The place of a record. 0 is before the first record. */
export type Position = number & { readonly brand: 'Position' };

/** A log has one partition today; a replicated log may have more. */
export type Partition = 'main';

/** The position and chain value of the last record of a log: what a witness remembers. */
export interface ChainHead {
  readonly position: Position;
  /** SHA-256, 32 bytes. */
  readonly chain: Uint8Array;
}

export interface Frame {
  readonly first: Position;
  readonly last: Position;
  /** The start time (Unix ms) of the process that wrote the frame's segment; strictly growing. */
  readonly epoch: number;
  /** The commit time, Unix ms, never before the frame ahead of it. */
  readonly timeMs: number;
  /** The chain value of its last record, SHA-256, 32 bytes: what a witness of `last` remembers. */
  readonly chain: Uint8Array;
  /** The records as they were appended, `last - first + 1` of them. */
  readonly records: readonly Uint8Array[];
}

export interface Appended {
  readonly kind: 'appended';
  readonly first: Position;
  readonly last: Position;
  /** The commit time of the frame that holds the records, Unix ms. */
  readonly timeMs: number;
  readonly epoch: number;
}

/** Nothing was written: the head was not `expected`, or the writer's epoch is over. */
export interface Conflict {
  readonly kind: 'conflict';
  readonly head: Position;
  readonly epoch: number;
}

export interface AppendOptions {
  /** Append only if the last appended position is this one. */
  readonly expected?: Position;
  /** Append only if the log still writes in this epoch. */
  readonly epoch?: number;
}

export interface Log {
  /** 16 random bytes in hex, made when the log was. */
  readonly id: string;
  /** The epoch in which this process writes. */
  readonly epoch: number;
  /** The last durable position; 0 in an empty log. */
  readonly head: Position;
  /** The first position that can still be read; `head` + 1 in an empty log. */
  readonly oldest: Position;
  /** The head with its chain value. */
  readonly chainHead: ChainHead;

  /**
   * Appends `records` as one indivisible run: all in one frame. Resolves once they are durable.
   * Rejects with RecordTooLarge or BatchTooLarge (limits of format.ts), LogOverloaded (the queue is
   * full: try again later) or LogClosed before anything is written, and with LogPoisoned when a
   * write or sync failed: whether the records are in the log is then unknown until recovery.
   */
  append(
    partition: Partition,
    records: readonly Uint8Array[],
    options?: AppendOptions,
  ): Promise<Appended | Conflict>;

  /**
   * The frames with records after `after`, up to the head of now. The first may begin before it.
   * Throws LogTruncated where `after` lies before what is held, LogCorrupt for a frame that is
   * damaged on disk, and the signal's reason when it aborts.
   */
  read(partition: Partition, after: Position, signal?: AbortSignal): AsyncIterable<Frame>;

  /**
   * As `read`, then the frames to come, each as soon as it is durable, until `signal` aborts or the
   * log closes. A follower that is slow reads from the segments: nothing is queued for it.
   * Throws LogTruncated and LogCorrupt as `read`, and LogPoisoned.
   */
  follow(partition: Partition, after: Position, signal: AbortSignal): AsyncIterable<Frame>;

  /** Resolves once the head is at `position` or beyond. Rejects with LogClosed or LogPoisoned. */
  waitFor(position: Position, signal?: AbortSignal): Promise<void>;

  /** The epoch in which the record at `position` was written; undefined where it is not held. */
  epochAt(position: Position): number | undefined;

  /** How many records lie after `from` up to `to`. */
  distance(from: Position, to: Position): number;

  /** Removes the segments that lie wholly before `position`. The last segment always stays. */
  truncateBefore(partition: Partition, position: Position): Promise<void>;

  /** Resolves when the log is poisoned, with the cause; stays pending in a log that is well. */
  readonly poisoned: Promise<unknown>;

  /** Waits for what was appended, seals the last segment and closes. Resolves to the final head. */
  close(): Promise<ChainHead>;
}

export const MAIN: Partition = 'main';

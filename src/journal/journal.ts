/**
 * The typed log: events in, committed records out. It owns the record codec and the only import of
 * #wal below the roof. Nothing above it knows frames, segments or files.
 */
import type { CommittedRecord, NewRecord } from '../domain/events.ts';
import type { Position } from '../domain/names.ts';
import type { Result } from '../domain/result.ts';

/** Where and when an append was committed. */
export interface Committed {
  readonly first: Position;
  readonly last: Position;
  /** Unix ms. */
  readonly timeMs: number;
  readonly epoch: number;
}

/** The records of one atomic frame, in position order. */
export interface CommittedFrame extends Committed {
  /** The chain value at `last`, hex: what a witness of it remembers. */
  readonly chain: string;
  readonly records: readonly CommittedRecord[];
}

/** What start-up recovery of the log found and did. */
export interface JournalRecovery {
  readonly segments: number;
  /** Bytes of a torn last frame that were cut off; the original is kept as `.broken`. */
  readonly tornBytes: number;
  /** Files set aside as `.broken`. */
  readonly setAside: readonly string[];
}

export interface Journal {
  readonly epoch: number;
  /** The last durable position. */
  readonly head: Position;
  readonly oldest: Position;
  /** Before the oldest record: what comes after it is all that the log holds. */
  readonly beginning: Position;
  /** The head and its chain value in hex, as witnesses keep them. */
  readonly chainHead: { readonly position: Position; readonly chain: string };
  readonly recovery: JournalRecovery;

  /**
   * Appends `records` in one frame; resolves once they are durable. Refused with Overloaded before
   * anything is written, or with OutcomeUnknown when a write or sync failed.
   */
  append(records: readonly NewRecord[]): Promise<Result<Committed>>;
  /** The frames after `after` up to the head of now, trimmed to records after `after`. */
  read(after: Position, signal?: AbortSignal): AsyncIterable<CommittedFrame>;
  /** As `read`, then those to come, until `signal` aborts or the journal closes. */
  follow(after: Position, signal: AbortSignal): AsyncIterable<CommittedFrame>;
  /** The epoch in which the record at `position` was written; undefined where the log does not have it. */
  epochAt(position: Position): number | undefined;
  /** How many records lie after `from` up to `to`; 0 where `to` is before. */
  distance(from: Position, to: Position): number;
  /** Resolves, with the cause, when a write or sync failed: the process must end. */
  readonly poisoned: Promise<unknown>;
  close(): Promise<{ readonly position: Position; readonly chain: string }>;
}

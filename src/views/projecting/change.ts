/**
 * What one record changes: puts and deletes in order, and the totals it leads to. All of it is
 * written blindly, without reading what is there, so that applying a record again, over rows that
 * are already ahead of it, and then all that follow it, ends in the same bytes.
 */
import { noTotals, type Totals } from '../../domain/bucket.ts';
import type { BlobId, KeyspaceId, Position } from '../../domain/names.ts';
import { drainKey, expiryKey, lastReleaseKey, releaseKey } from '../keys.ts';

/** Puts `value` at `key`; undefined deletes. */
export interface Operation {
  readonly key: Buffer;
  readonly value: unknown;
}

/** The keyspaces that hold something, as they are before the record. */
export type RunningTotals = ReadonlyMap<KeyspaceId, Totals>;

/** What `q` and `x` rows hold besides: when their record was committed. */
export interface Dated {
  /** Unix ms; never less than in a row of a lower position. */
  readonly time: number;
}

/** History that is no longer needed once `retention.advanced` passes the position of its row. */
export type Expiry =
  /** One row … */
  | { readonly key: Buffer }
  /** … or all of a bucket's timeline before this key. */
  | { readonly before: Buffer };

/** What counts in the totals of a keyspace. */
export interface Counted {
  readonly size: number;
  readonly owner_id: string | null;
}

export class Change {
  readonly operations: Operation[] = [];
  /** Absolute totals of the keyspaces that the record changed. */
  readonly totals = new Map<KeyspaceId, Totals>();
  readonly #position: Position;
  readonly #dated: Dated;
  readonly #before: RunningTotals;
  #expiries = 0;

  constructor(
    { position, timeMs }: { readonly position: Position; readonly timeMs: number },
    before: RunningTotals,
  ) {
    this.#position = position;
    this.#dated = { time: timeMs };
    this.#before = before;
  }

  put(key: Buffer, value: unknown): void {
    this.operations.push({ key, value });
  }

  remove(key: Buffer): void {
    this.operations.push({ key, value: undefined });
  }

  /** The blob lost a reference here: collection looks at it once retention has passed. */
  release(blobId: BlobId): void {
    this.put(releaseKey(this.#position, blobId), this.#dated);
    this.put(lastReleaseKey(blobId), this.#position);
  }

  expire(expiry: Expiry): void {
    this.put(expiryKey(this.#position, this.#expiries), { ...expiry, ...this.#dated });
    this.#expiries += 1;
  }

  totalsOf(keyspace: KeyspaceId): Totals {
    return this.totals.get(keyspace) ?? this.#before.get(keyspace) ?? noTotals;
  }

  /** Adds or takes away (`sign`) one object of a bucket that `bucketOwner` owns. */
  count(
    keyspace: KeyspaceId,
    object: Counted,
    { sign, bucketOwner }: { readonly sign: 1 | -1; readonly bucketOwner: string | null },
  ): void {
    const { count, bytes, foreign } = this.totalsOf(keyspace);
    this.totals.set(keyspace, {
      count: count + sign,
      bytes: bytes + sign * object.size,
      foreign: foreign + (object.owner_id === bucketOwner ? 0 : sign),
    });
  }

  /** To be called last: an old keyspace that is empty now needs no draining any more. */
  finish(): this {
    for (const [keyspace, { count, bytes, foreign }] of this.totals) {
      if (count < 0 || bytes < 0 || foreign < 0) {
        throw new Error(
          `totals of keyspace ${keyspace} fall below zero at position ${this.#position}`,
        );
      }
      if (count === 0) this.remove(drainKey(keyspace));
    }
    return this;
  }
}

/**
 * A bucket: its row, and how events change it. Rows and records use the same snake_case names as the
 * API, so that a fact has one name from the wire to the disk.
 */
import type { BucketEvent } from './events.ts';
import type { BucketName, BucketUid, KeyspaceId, Position } from './names.ts';

export const bucketPolicies = ['private', 'authenticated', 'public'] as const;
export type BucketPolicy = (typeof bucketPolicies)[number];

export const writePolicies = ['owner', 'authenticated'] as const;
export type WritePolicy = (typeof writePolicies)[number];

/** What the owner may set. */
export interface BucketSettings {
  readonly policy: BucketPolicy;
  readonly write_policy: WritePolicy;
  /** `image/png` or `image/*`, lower case; null allows every type. */
  readonly allowed_mime_types: readonly string[] | null;
  /** Bytes; null leaves the server's limit alone. */
  readonly max_file_size: number | null;
}

/** The facts that a later policy decision needs; every record about a bucket or an object has them. */
export interface BucketFacts {
  readonly uid: BucketUid;
  readonly name: BucketName;
  readonly policy: BucketPolicy;
  readonly owner_id: string | null;
}

export interface BucketRow extends BucketFacts, BucketSettings {
  readonly keyspace: KeyspaceId;
  /** Commit times, Unix ms. */
  readonly created_at: number;
  readonly updated_at: number;
}

/** What a keyspace holds. `foreign` counts objects whose owner is not the bucket's. */
export interface Totals {
  readonly count: number;
  readonly bytes: number;
  readonly foreign: number;
}

export const noTotals: Totals = { count: 0, bytes: 0, foreign: 0 };

export function bucketFacts(bucket: BucketFacts): BucketFacts {
  const { uid, name, policy, owner_id } = bucket;
  return { uid, name, policy, owner_id };
}

/** True where `to` lets more callers read than `from`. */
export function widens(from: BucketPolicy, to: BucketPolicy): boolean {
  return bucketPolicies.indexOf(to) > bucketPolicies.indexOf(from);
}

/** The bucket's row after `event`, committed at `at`; undefined once it is deleted. */
export function bucketAfter(
  event: BucketEvent,
  at: { readonly position: Position; readonly timeMs: number },
): BucketRow | undefined {
  switch (event.type) {
    case 'bucket.created':
      return {
        ...event.bucket,
        keyspace: at.position,
        created_at: at.timeMs,
        updated_at: at.timeMs,
      };
    case 'bucket.updated':
      return { ...event.bucket, updated_at: at.timeMs };
    case 'bucket.emptied':
      return { ...event.bucket, keyspace: at.position };
    case 'bucket.switched':
      return { ...event.bucket, keyspace: event.new_keyspace };
    case 'bucket.deleted':
      return undefined;
    default:
      return event satisfies never;
  }
}

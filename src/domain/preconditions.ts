/** Conditional requests (RFC 9110 §13), evaluated on what is stored; dates and tags are parsed at the door. */
import { type Rejection, rejection } from './rejection.ts';

/** The tags of an If-Match or If-None-Match: `*`, or opaque tags without quotes. */
export type EntityTags = '*' | readonly EntityTag[];

export interface EntityTag {
  readonly tag: string;
  readonly weak: boolean;
}

export interface WriteConditions {
  /** False refuses to overwrite (`x-upsert: false`). */
  readonly overwrite: boolean;
  readonly ifMatch?: EntityTags | undefined;
  readonly ifNoneMatch?: EntityTags | undefined;
}

export interface ReadConditions {
  readonly ifMatch?: EntityTags | undefined;
  readonly ifNoneMatch?: EntityTags | undefined;
  /** Unix ms, whole seconds. */
  readonly ifModifiedSinceMs?: number | undefined;
  readonly ifUnmodifiedSinceMs?: number | undefined;
}

interface Validators {
  readonly etag: string;
  /** Unix ms. */
  readonly updated_at: number;
}

/** Why the write may not go on, or undefined. */
export function refuseWrite(
  stored: { readonly etag: string } | undefined,
  conditions: WriteConditions,
): Rejection | undefined {
  if (conditions.ifMatch && !matchesStrongly(stored, conditions.ifMatch)) {
    return rejection('PreconditionFailed', 'If-Match does not match the stored object');
  }
  if (conditions.ifNoneMatch && matchesWeakly(stored, conditions.ifNoneMatch)) {
    return rejection('PreconditionFailed', 'If-None-Match matches the stored object');
  }
  if (!conditions.overwrite && stored) return rejection('KeyAlreadyExists');
  return undefined;
}

/** What a GET or HEAD of `stored` comes to, in the order of RFC 9110 §13.2.2. */
export function evaluateRead(
  stored: Validators,
  conditions: ReadConditions,
): 'proceed' | 'not modified' | 'failed' {
  // HTTP dates have whole seconds.
  const modifiedMs = Math.floor(stored.updated_at / 1000) * 1000;
  if (conditions.ifMatch) {
    if (!matchesStrongly(stored, conditions.ifMatch)) return 'failed';
  } else if (conditions.ifUnmodifiedSinceMs !== undefined) {
    if (modifiedMs > conditions.ifUnmodifiedSinceMs) return 'failed';
  }
  if (conditions.ifNoneMatch) {
    return matchesWeakly(stored, conditions.ifNoneMatch) ? 'not modified' : 'proceed';
  }
  if (conditions.ifModifiedSinceMs !== undefined && modifiedMs <= conditions.ifModifiedSinceMs) {
    return 'not modified';
  }
  return 'proceed';
}

/** RFC 9110 §8.8.3.2: a weak tag never matches strongly. */
function matchesStrongly(stored: { readonly etag: string } | undefined, tags: EntityTags): boolean {
  if (!stored) return false;
  return tags === '*' || tags.some(({ tag, weak }) => !weak && tag === stored.etag);
}

function matchesWeakly(stored: { readonly etag: string } | undefined, tags: EntityTags): boolean {
  if (!stored) return false;
  return tags === '*' || tags.some(({ tag }) => tag === stored.etag);
}

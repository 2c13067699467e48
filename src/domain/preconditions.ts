/** Conditional requests (RFC 9110 §13), evaluated on what is stored; dates and tags are parsed at the door. */
import { type Rejection, rejection } from './rejection.ts';

/** The tags of an If-Match or If-None-Match: `*`, or opaque tags without quotes. */
export type EntityTags = '*' | readonly EntityTag[];

export interface EntityTag {
  readonly tag: string;
  readonly weak: boolean;
}

/** What the client last saw, and what must not have changed since. */
export interface Expected {
  readonly ifMatch?: EntityTags | undefined;
  /** Unix ms, whole seconds. */
  readonly ifUnmodifiedSinceMs?: number | undefined;
}

export interface WriteConditions extends Expected {
  /** False refuses to overwrite (`x-upsert: false`). */
  readonly overwrite: boolean;
  readonly ifNoneMatch?: EntityTags | undefined;
}

export interface ReadConditions extends Expected {
  readonly ifNoneMatch?: EntityTags | undefined;
  /** Unix ms, whole seconds. */
  readonly ifModifiedSinceMs?: number | undefined;
}

interface Validators {
  readonly etag: string;
  /** Unix ms. */
  readonly updated_at: number;
}

/** Why the write may not go on, or undefined. */
export function refuseWrite(
  stored: Validators | undefined,
  conditions: WriteConditions,
): Rejection | undefined {
  if (!isAsExpected(stored, conditions)) {
    const name = conditions.ifMatch ? 'If-Match' : 'If-Unmodified-Since';
    return rejection('PreconditionFailed', `${name} does not match the stored object`);
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
  if (!isAsExpected(stored, conditions)) return 'failed';
  if (conditions.ifNoneMatch) {
    return matchesWeakly(stored, conditions.ifNoneMatch) ? 'not modified' : 'proceed';
  }
  const { ifModifiedSinceMs } = conditions;
  const isSeen = ifModifiedSinceMs !== undefined && modifiedMs(stored) <= ifModifiedSinceMs;
  return isSeen ? 'not modified' : 'proceed';
}

/** Steps 1 and 2 of RFC 9110 §13.2.2: a date counts only where no tags are given. */
function isAsExpected(
  stored: Validators | undefined,
  { ifMatch, ifUnmodifiedSinceMs }: Expected,
): boolean {
  if (ifMatch) return matchesStrongly(stored, ifMatch);
  // §13.1.4: what is not there has no date, and the condition is ignored.
  if (ifUnmodifiedSinceMs === undefined || !stored) return true;
  return modifiedMs(stored) <= ifUnmodifiedSinceMs;
}

/** HTTP dates have whole seconds. */
function modifiedMs({ updated_at }: Validators): number {
  return Math.floor(updated_at / 1000) * 1000;
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

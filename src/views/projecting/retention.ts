/**
 * What `retention.advanced` removes. It is the one record whose projection reads the views, for no
 * record could carry all that expires.
 *
 * Why replay still converges: the applier makes a fence right after this record and applies nothing
 * before that fence stands. So a replay that meets the record again comes from an older fence, and
 * then no later record had been applied when the process ended: the rows it finds are those it found
 * the first time, short of what it removed already. Whatever was put again on the way here (a row of
 * history, a release) came with its own `x` or `q` row in the same batch and is removed again; what
 * was not put again is gone, and so is its `x` or `q` row. For the same reason the work may be cut
 * into several batches.
 */
import type { RetentionAdvanced } from '../../domain/events.ts';
import type { BlobId, Position } from '../../domain/names.ts';
import {
  crcsKey,
  expiriesUpTo,
  type KeyRange,
  kindRange,
  lastReleaseKey,
  referencesTo,
  releasedBlobOf,
  releasesUpTo,
  timelineBefore,
} from '../keys.ts';
import type { ViewsStore } from '../store.ts';
import type { Expiry, Operation } from './change.ts';

/** An idempotent request is remembered this long. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;

/** The deletes, one at a time, in no order that matters. */
export async function* expired(
  store: ViewsStore,
  event: RetentionAdvanced,
): AsyncGenerator<Operation> {
  yield* expiredHistory(store, event.position);
  yield* expiredReleases(store, event.position);
  yield* outdated(store, kindRange('u'), (row) => expiryOf(row, 'expires_at') < event.time);
  yield* outdated(store, kindRange('v'), (row) => expiryOf(row, 'expires_at') < event.time);
  const remembered = event.time - IDEMPOTENCY_MS;
  yield* outdated(store, kindRange('i'), (row) => expiryOf(row, 'time') < remembered);
}

function remove(key: Buffer): Operation {
  return { key, value: undefined };
}

async function* expiredHistory(store: ViewsStore, position: Position): AsyncGenerator<Operation> {
  for await (const { key, value } of store.entries(expiriesUpTo(position))) {
    const expiry = value as Expiry;
    if ('key' in expiry) yield remove(expiry.key);
    else yield* everyKey(store, timelineBefore(expiry.before));
    yield remove(key);
  }
}

/** A blob's CRCs go when nothing refers to it and its last release is no longer retained. */
async function* expiredReleases(store: ViewsStore, position: Position): AsyncGenerator<Operation> {
  for await (const { key } of store.entries(releasesUpTo(position))) {
    const blobId = releasedBlobOf(key);
    yield remove(key);
    if (lastRelease(store, blobId) > position) continue;
    yield remove(lastReleaseKey(blobId));
    if (await store.isEmpty(referencesTo(blobId))) yield remove(crcsKey(blobId));
  }
}

function lastRelease(store: ViewsStore, blobId: BlobId): number {
  return Number(store.get(lastReleaseKey(blobId)) ?? 0);
}

async function* outdated(
  store: ViewsStore,
  range: KeyRange,
  isOutdated: (row: unknown) => boolean,
): AsyncGenerator<Operation> {
  for await (const { key, value } of store.entries(range)) if (isOutdated(value)) yield remove(key);
}

async function* everyKey(store: ViewsStore, range: KeyRange): AsyncGenerator<Operation> {
  for await (const { key } of store.entries(range)) yield remove(key);
}

function expiryOf(row: unknown, field: 'expires_at' | 'time'): number {
  return Number((row as Readonly<Record<string, unknown>>)[field]);
}

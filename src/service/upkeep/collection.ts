/**
 * Frees the bytes of what was overwritten or deleted, once retention has passed.
 *
 * First the record: `retention.advanced`, committed and applied, so that the views forget the releases
 * and the history up to its position. Then the bytes of those blobs that no row knows any more. Nothing
 * can come to refer to such a blob again: a copy takes a current row, and whoever brings back an old
 * one holds the collection lock until its rows are applied. A crash in between leaves orphans, which
 * the sweep puts into quarantine.
 *
 * A reader that holds a blob open keeps its bytes. One that has read the row but not yet opened the
 * blob is protected by time: nothing is collected that was released a moment ago.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Clock, Observe } from '../../domain/effects.ts';
import type { RetentionAdvanced } from '../../domain/events.ts';
import type { BlobId, Position } from '../../domain/names.ts';
import { ok } from '../../domain/result.ts';
import type { Views } from '../../views/views.ts';
import { type Commit, systemActor } from '../commit.ts';
import { collectionLock } from '../locks.ts';
import { isKnown, type Trust } from './trust.ts';

export interface CollectionParts extends Trust {
  readonly views: Pick<Views, 'due' | 'knowsBlob'>;
  readonly blobs: Pick<BlobStore, 'remove'>;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly observe: Observe;
  readonly retentionMs: number | 'keep';
}

export interface CollectionReport {
  /** Blobs whose bytes were freed. */
  readonly collected: number;
}

/** The time from reading a row to opening its blob is far below this. */
const shortestRetentionMs = 5_000;
/** Rows of the release queue that one record takes away: the applier does nothing else meanwhile. */
const rowsPerRecord = 4096;

/** Rejects with the signal's reason where it aborts. */
export async function collectReleased(
  parts: CollectionParts,
  signal: AbortSignal,
): Promise<CollectionReport> {
  const { views, clock, observe, retentionMs } = parts;
  let collected = 0;
  if (retentionMs === 'keep') return { collected };
  for (;;) {
    signal.throwIfAborted();
    const untilMs = clock.now() - Math.max(retentionMs, shortestRetentionMs);
    const due = await views.due(untilMs, rowsPerRecord);
    if (!due || !(await advance(parts, due.position))) break;
    collected += await removeUnknown(parts, due.blobIds);
    await nextTurn();
  }
  if (collected > 0) observe.info('freed the bytes of released blobs', { collected });
  return { collected };
}

async function advance(
  { commit, clock, observe }: CollectionParts,
  position: Position,
): Promise<boolean> {
  const outcome = await commit<RetentionAdvanced>({
    actor: systemActor,
    locks: [collectionLock('exclusive')],
    decide: () => ok([{ type: 'retention.advanced', position, time: clock.now() }]),
  });
  if (!outcome.ok) {
    observe.warn('retention could not advance; the next sweep tries again', {
      code: outcome.rejection.code,
    });
  }
  return outcome.ok;
}

async function removeUnknown(parts: CollectionParts, blobIds: readonly BlobId[]): Promise<number> {
  const { blobs, observe } = parts;
  let removed = 0;
  for (const blobId of blobIds) {
    if (await isKnown(parts, blobId)) continue;
    try {
      await blobs.remove(blobId);
      removed += 1;
    } catch (fault) {
      // Nothing refers to it, so the sweep finds it.
      observe.warn('a released blob could not be removed', {
        blob_id: blobId,
        fault: String(fault),
      });
    }
  }
  return removed;
}

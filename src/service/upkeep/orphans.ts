/**
 * The check from blobs to rows: what lies in `blobs/` and no row knows of goes into quarantine (L6).
 *
 * Why it is never wrong beside writers: a blob is published only after the record that refers to it is
 * in the log, and no later record refers to a blob that no row knows. So whatever was seen published
 * has its record at or before the head of any later moment. A blob without a row is therefore only a
 * suspect; it is an orphan if it has none after the views have applied the log up to a head that was
 * read after it was seen. The first look asks one row, the second asks all rows that tell of a blob, so
 * that no single lost row of the views makes an orphan.
 *
 * Staging is left alone: what lies there may be an upload under way, one that is given up removes its
 * file itself, and what a crash left is cleared by the start, before anybody uploads.
 */
import type { BlobStore, Published } from '../../blobs/blob-store.ts';
import type { Clock, Observe } from '../../domain/effects.ts';
import type { Position } from '../../domain/names.ts';
import type { Views } from '../../views/views.ts';
import { isKnown, type Trust } from './trust.ts';

export interface OrphanParts extends Trust {
  readonly views: Pick<Views, 'isRetained' | 'knowsBlob'>;
  readonly blobs: Pick<BlobStore, 'published' | 'quarantine'>;
  readonly journal: { readonly head: Position };
  readonly applier: { waitFor(position: Position): Promise<void> };
  readonly clock: Clock;
  readonly observe: Observe;
}

export interface OrphanReport {
  /** Things that lie in `blobs/`. */
  readonly looked_at: number;
  /** Of them, those that went into quarantine. */
  readonly orphans: number;
}

/** Suspects that are kept before they are looked at again. */
const suspectsAtOnce = 1000;
/** Orphans of one sweep that are named in the log. */
const named = 20;

/** Rejects with the signal's reason where it aborts. `looked` is called for each thing. */
export async function quarantineOrphans(
  parts: OrphanParts,
  signal: AbortSignal,
  looked: () => void = () => {},
): Promise<OrphanReport> {
  const { views, blobs, observe } = parts;
  const names: string[] = [];
  let suspects: Published[] = [];
  let lookedAt = 0;
  let orphans = 0;
  const settle = async () => {
    for (const orphan of await setAside(parts, suspects, signal)) {
      orphans += 1;
      if (names.length < named) names.push(nameOf(orphan));
    }
    suspects = [];
  };
  for await (const thing of blobs.published()) {
    signal.throwIfAborted();
    lookedAt += 1;
    looked();
    if (thing.kind === 'blob' && views.isRetained(thing.blobId)) continue;
    suspects.push(thing);
    if (suspects.length >= suspectsAtOnce) await settle();
  }
  if (suspects.length > 0) await settle();
  if (orphans > 0) observe.info('orphans went into quarantine', { orphans, first: names });
  return { looked_at: lookedAt, orphans };
}

async function setAside(
  parts: OrphanParts,
  suspects: readonly Published[],
  signal: AbortSignal,
): Promise<Published[]> {
  const { views, blobs, journal, applier, clock, observe } = parts;
  await applier.waitFor(journal.head);
  const orphans: Published[] = [];
  for (const suspect of suspects) {
    signal.throwIfAborted();
    if (suspect.kind === 'blob' && (await isKnown(parts, suspect.blobId))) {
      if (!views.isRetained(suspect.blobId)) {
        observe.warn('the views have lost a row of a blob: "views verify" tells more', {
          blob_id: suspect.blobId,
        });
      }
      continue;
    }
    if (await blobs.quarantine(suspect, clock.now())) orphans.push(suspect);
  }
  return orphans;
}

function nameOf(thing: Published): string {
  return thing.kind === 'blob' ? thing.blobId : thing.path;
}

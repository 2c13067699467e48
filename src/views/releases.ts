/** The release queue as collection reads it, and whether anything at all is known of a blob. */
import type { BlobId, Position } from '../domain/names.ts';
import {
  crcsKey,
  kindRange,
  lastReleaseKey,
  positionOf,
  referencesTo,
  releasedBlobOf,
  releasesUpTo,
} from './keys.ts';
import type { Dated } from './projecting/change.ts';
import type { ViewsStore } from './store.ts';
import type { Due } from './views.ts';

export async function knowsBlob(store: ViewsStore, blobId: BlobId): Promise<boolean> {
  if (store.get(crcsKey(blobId)) !== undefined) return true;
  if (store.get(lastReleaseKey(blobId)) !== undefined) return true;
  return !(await store.isEmpty(referencesTo(blobId)));
}

interface Horizon {
  readonly untilMs: number;
  /** Rows of each kind, but never a part of a position's. */
  readonly limit: number;
}

export async function readDue(store: ViewsStore, horizon: Horizon): Promise<Due | undefined> {
  const ends = [await lastDue(store, 'q', horizon), await lastDue(store, 'x', horizon)].filter(
    (end) => end !== undefined,
  );
  if (ends.length === 0) return undefined;
  // Where one kind was cut short, the other must not pass it.
  const cut = ends.filter(({ more }) => more).map(({ position }) => position);
  const last = cut.length > 0 ? Math.min(...cut) : Math.max(...ends.map((end) => end.position));
  const position = last as Position;
  const blobIds = new Set<BlobId>();
  for await (const { key } of store.entries(releasesUpTo(position))) {
    blobIds.add(releasedBlobOf(key));
  }
  return { position, blobIds: [...blobIds] };
}

interface End {
  readonly position: Position;
  /** There is more that is due. */
  readonly more: boolean;
}

async function lastDue(
  store: ViewsStore,
  kind: 'q' | 'x',
  { untilMs, limit }: Horizon,
): Promise<End | undefined> {
  let position: Position | undefined;
  let rows = 0;
  for await (const { key, value } of store.entries(kindRange(kind))) {
    if ((value as Dated).time > untilMs) break;
    const next = positionOf(key);
    if (rows >= limit && position !== undefined && next !== position) {
      return { position, more: true };
    }
    position = next;
    rows += 1;
  }
  return position === undefined ? undefined : { position, more: false };
}

/**
 * Finds needles without the index, in the footers of all packs: for rows that the index has lost. What
 * the pack of a lost one holds besides is looked at in the same go, for rows are lost side by side.
 *
 * What was looked for in vain is remembered, so that an object whose bytes are gone does not cost that
 * much each time someone asks for it. And where many are gone, as with a whole pack, looking in vain
 * takes a twentieth of the time at most: in between, nothing is found.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Files, hasCode } from '#files';
import type { Observe } from '../../domain/effects.ts';
import type { BlobId } from '../../domain/names.ts';
import { takingTurns } from '../concurrency.ts';
import type { Needle } from './format.ts';
import { type Location, type Locations, publishedAt } from './locations.ts';
import { readPack } from './read-pack.ts';
import type { Place } from './writer.ts';

export interface RecallOptions {
  readonly files: Files;
  readonly directory: string;
  readonly packs: ReadonlyMap<number, boolean>;
  readonly locations: Locations;
  readonly staged: ReadonlyMap<BlobId, Place>;
  /** Unix ms. */
  readonly now: () => number;
  readonly observe: Pick<Observe, 'warn'>;
}

/**
 * True where the blob has a needle in another place than its row said: the row says so from then on.
 * One that is dead or quarantined is not lost.
 */
export type Recall = (blobId: BlobId) => Promise<boolean>;

const maxInVain = 1000;
/** A pause is so many times as long as what came of nothing. */
const restFactor = 20;
/** Rows that are looked at before others may go on. */
const rowsAtOnce = 500;

export function recallFrom(options: RecallOptions): Recall {
  const { locations, now, observe } = options;
  const inTurn = takingTurns();
  const inVain = new Set<BlobId>();
  let restUntilMs = 0;

  async function find(blobId: BlobId, butFor: Location | undefined): Promise<Found | undefined> {
    const beganMs = now();
    if (inVain.has(blobId) || beganMs < restUntilMs) return undefined;
    const { found, isComplete } = await look(options, blobId, butFor);
    if (found) return found;
    if (isComplete && inVain.size < maxInVain) inVain.add(blobId);
    restUntilMs = now() + restFactor * (now() - beganMs);
    return undefined;
  }

  return (blobId) => {
    const before = locations.get(blobId);
    return inTurn(async () => {
      const known = locations.get(blobId);
      if (known && known.state !== 'published') return false;
      // Whoever came first has found this one too.
      if (known && !isSamePlace(known, before)) return true;
      const found = await find(blobId, known);
      const row = locations.get(blobId);
      // A compaction has made a copy meanwhile: that one counts, for its old place goes.
      if (row && !isSamePlace(row, known)) return row.state === 'published';
      if (!found) return false;
      observe.warn('the index of the packs had lost a blob', { blob_id: blobId });
      locations.set(blobId, publishedAt(found.place.pack, found.place));
      await takeBack(options, found);
      return true;
    });
  };
}

interface Found {
  readonly place: Place;
  /** All that its pack holds, where that is sealed. */
  readonly neighbours: readonly Needle[];
}

/** In the newest pack that has it, if that is not the place `butFor`. */
async function look(
  { files, directory, packs }: RecallOptions,
  blobId: BlobId,
  butFor: Location | undefined,
): Promise<{ readonly found?: Found; readonly isComplete: boolean }> {
  let isComplete = true;
  for (const pack of [...packs.keys()].sort((a, b) => b - a)) {
    const content = await readPack(files, directory, pack).catch(gone);
    // It was compacted meanwhile, and its needles are elsewhere.
    isComplete &&= content !== undefined;
    const needle = content?.needles.find((each) => each.blobId === blobId);
    const isOther = pack !== butFor?.pack || needle?.offset !== butFor.offset;
    if (!content || !needle || !isOther) continue;
    const neighbours = content.isSealed ? content.needles : [];
    return { found: { place: { pack, ...needle }, neighbours }, isComplete };
  }
  return { isComplete };
}

/** What has no row, and is not staged, has lost it too. What is nobody's the sweep finds. */
async function takeBack(
  { packs, locations, staged }: RecallOptions,
  { place: { pack }, neighbours }: Found,
): Promise<void> {
  for (let from = 0; from < neighbours.length; from += rowsAtOnce) {
    // Of a pack that is gone the rows of the dead are gone as well.
    if (!packs.has(pack)) return;
    for (const needle of neighbours.slice(from, from + rowsAtOnce)) {
      const { blobId } = needle;
      if (staged.has(blobId) || locations.get(blobId)) continue;
      locations.set(blobId, publishedAt(pack, needle));
    }
    await locations.room();
    await nextTurn();
  }
}

function isSamePlace(one: Location, other: Location | undefined): boolean {
  return one.pack === other?.pack && one.offset === other.offset;
}

function gone(cause: unknown): undefined {
  if (hasCode(cause, 'ENOENT')) return undefined;
  throw cause;
}

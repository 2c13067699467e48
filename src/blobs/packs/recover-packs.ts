/**
 * From what a stop of any kind left in `packs/` to an index that knows every needle. The packs that the
 * checkpoint vouches for are not looked into; each other one is read, and where it is not sealed a footer
 * is added behind all that it holds. No byte that is there is ever written over.
 *
 * A needle that has no row is staged: the views say whether a record refers to it. Only where the index
 * itself is another one than the checkpoint knows are the needles of sealed packs taken for published
 * without asking, for they may be millions; those that are nobody's the sweep finds.
 */
import { join } from 'node:path';
import type { Files } from '#files';
import type { Observe } from '../../domain/effects.ts';
import type { BlobId } from '../../domain/names.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { encodeFooter, PACK_HEADER_BYTES, type PackKey, packName, packNumber } from './format.ts';
import { type Locations, type OpenIndex, openLocations, publishedAt } from './locations.ts';
import { endOf, type PackContent, readPack } from './read-pack.ts';
import type { Place } from './writer.ts';

export interface RecoverPacksOptions {
  readonly files: Files;
  /** `packs/`, which exists. */
  readonly directory: string;
  /** Opens the index that is there; `fresh` removes it and begins a new one. */
  readonly openIndex: (options: { readonly fresh: boolean }) => Promise<OpenIndex>;
  /** True where `openIndex` failed because the index is damaged. */
  readonly isDamage: (fault: unknown) => boolean;
  /** 32 hex digits. */
  readonly newIndexId: () => string;
  readonly observe: Pick<Observe, 'warn'>;
}

export interface RecoveredPacks {
  readonly locations: Locations;
  /** Every pack that is there; `true` where it is sealed. */
  readonly packs: Map<number, boolean>;
  readonly staged: Map<BlobId, Place>;
  /** The checkpoint vouches for the packs up to here. */
  readonly settled: number;
  /** Free, and higher than that of any pack there ever was. */
  readonly nextNumber: number;
}

export async function recoverPacks(options: RecoverPacksOptions): Promise<RecoveredPacks> {
  const { files, directory, observe } = options;
  const checkpoint = await readCheckpoint(files, directory);
  const found = await takeAllIn(options, await openIndex(options, checkpoint), checkpoint);
  if (!found.locations.isDamaged) return found;
  observe.warn('the index of the packs is damaged', {
    fault: String(await found.locations.damaged),
  });
  await found.locations.close().catch(() => undefined);
  return takeAllIn(options, await beginIndex(options), checkpoint);
}

async function takeAllIn(
  options: RecoverPacksOptions,
  locations: Locations,
  checkpoint: Checkpoint | undefined,
): Promise<RecoveredPacks> {
  const { files, directory } = options;
  try {
    const { numbers, highest } = await listPacks(files, directory);
    const isVouched = checkpoint?.indexId === locations.id;
    const settled = isVouched ? checkpoint.settled : 0;
    const found: Found = {
      locations,
      packs: new Map(numbers.map((number) => [number, true])),
      staged: new Map(),
      isRebuilt: isNewTo(locations, checkpoint),
    };
    const unknown = numbers.filter((number) => number > settled);
    if (found.isRebuilt && unknown.length > 0) {
      options.observe.warn('the index of the packs is built anew', { packs: unknown.length });
    }
    for (const number of unknown) await takeIn(options, number, found);
    return { ...found, settled, nextNumber: Math.max(highest, settled) + 1 };
  } catch (cause) {
    await locations.close().catch(() => undefined);
    throw cause;
  }
}

/** The index was begun just now, or is not the one that the checkpoint speaks of. */
function isNewTo({ isNew, id }: Locations, checkpoint: Checkpoint | undefined): boolean {
  return isNew || (checkpoint !== undefined && checkpoint.indexId !== id);
}

interface Found extends Pick<RecoveredPacks, 'locations' | 'packs' | 'staged'> {
  readonly isRebuilt: boolean;
}

/** One that the checkpoint does not speak of is not believed: it is another one, or was disowned. */
async function openIndex(
  options: RecoverPacksOptions,
  checkpoint: Checkpoint | undefined,
): Promise<Locations> {
  const { openIndex: open, isDamage, newIndexId: newId, observe } = options;
  try {
    const locations = await openLocations(await open({ fresh: false }), { newId, isDamage });
    if (!isNewTo(locations, checkpoint) || locations.isNew) return locations;
    await locations.close();
  } catch (fault) {
    if (!isDamage(fault)) throw fault;
    observe.warn('the index of the packs is damaged', { fault: String(fault) });
  }
  return beginIndex(options);
}

async function beginIndex(options: RecoverPacksOptions): Promise<Locations> {
  const { openIndex: open, isDamage, newIndexId: newId } = options;
  return openLocations(await open({ fresh: true }), { newId, isDamage });
}

async function listPacks(files: Files, directory: string) {
  const entries = await files.list(directory);
  const numbers: number[] = [];
  let highest = 0;
  for (const { name, kind } of entries) {
    const number = kind === 'file' ? packNumber(name) : undefined;
    if (number !== undefined) numbers.push(number);
    highest = Math.max(highest, number ?? packNumber(name.replace(/\.broken$/, '')) ?? 0);
  }
  return { numbers: numbers.sort((a, b) => a - b), highest };
}

async function takeIn(options: RecoverPacksOptions, number: number, found: Found): Promise<void> {
  const { files, directory, observe } = options;
  const content = await readPack(files, directory, number);
  const { key, isSealed, needles, damage } = content;
  if (!key) {
    await setAside(options, number, content);
    found.packs.delete(number);
    return;
  }
  if (damage.length > 0) observe.warn('a pack is damaged', { pack: number, damage });
  for (const needle of needles) {
    place(found, { pack: number, ...needle }, found.isRebuilt && isSealed);
    await found.locations.room();
  }
  found.packs.set(number, isSealed || (await sealLate(options, key, content)));
}

/** A row whose pack is there is right, or a reader finds out; any other is replaced. */
function place({ locations, packs, staged }: Found, needle: Place, isPublished: boolean): void {
  const { blobId, pack } = needle;
  const known = locations.get(blobId);
  if (known && packs.has(known.pack)) return;
  const { state, arrivedMs } = known ?? { state: 'published', arrivedMs: 0 };
  if (known || isPublished) {
    locations.set(blobId, { ...publishedAt(pack, needle), state, arrivedMs });
  } else staged.set(blobId, needle);
}

/** A pack without a head never counted, for its header is durable before its first needle. */
async function setAside(
  { files, directory, observe }: RecoverPacksOptions,
  number: number,
  { sizeBytes }: PackContent,
): Promise<void> {
  const path = join(directory, packName(number));
  if (sizeBytes <= PACK_HEADER_BYTES) return files.remove(path);
  observe.warn('a pack that has no head is set aside', { pack: number, bytes: sizeBytes });
  await files.rename(path, `${path}.broken`);
  await files.syncDirectory(directory);
}

/** False where it fails: the pack is read as it is, and the next start tries again. */
async function sealLate(
  { files, directory, observe }: RecoverPacksOptions,
  key: PackKey,
  content: PackContent,
): Promise<boolean> {
  try {
    const file = await files.open(join(directory, packName(key.number)), 'update');
    try {
      const end = endOf(content);
      await file.write([encodeFooter(key, content.needles, end)], end);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (fault) {
    observe.warn('a pack could not be sealed', { pack: key.number, fault: String(fault) });
    return false;
  }
}

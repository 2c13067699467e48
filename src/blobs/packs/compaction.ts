/**
 * Frees the bytes of dead needles: a pack of which less than half is alive has what lives copied to the
 * current pack, and then goes.
 *
 * In this order: the copy is durable before its row names it, and every row names a copy before the pack
 * is removed. A cut anywhere leaves two needles of one blob, or a row whose pack is gone and whose copy
 * the next start finds, for the checkpoint does not pass a pack whose rows were not flushed. A reader
 * looks a blob up and reads it in one turn, so it meets the one or the other.
 *
 * A needle that is not as it was written is not copied, for it would get a valid checksum again; its pack
 * stays, for an operator to look at.
 */
import { join } from 'node:path';
import { type Files, type OpenFile, removeIfPresent } from '#files';
import type { BlobId } from '../../domain/names.ts';
import type { CompactionReport, CompactionRun } from '../blob-store.ts';
import {
  decodeNeedle,
  isWholeNeedle,
  NEEDLE_HEADER_BYTES,
  type Needle,
  needleBytes,
  PACK_HEADER_BYTES,
  packName,
} from './format.ts';
import { type Location, type Locations, publishedAt } from './locations.ts';
import { type PackContent, readPack } from './read-pack.ts';
import type { Place } from './writer.ts';

export interface CompactionParts {
  readonly files: Files;
  readonly directory: string;
  readonly locations: Locations;
  readonly staged: Map<BlobId, Place>;
  /** Every pack that is there; `true` where it is sealed. */
  readonly packs: Map<number, boolean>;
  /** Resolves once a copy is durable, in the same turn as `onCopied`. */
  readonly copy: (blobId: BlobId, body: Buffer, onCopied: (place: Place) => void) => Promise<void>;
  /** Lets go of the descriptor. */
  readonly drop: (pack: number) => void;
  readonly warn: (message: string, facts: Record<string, string | number>) => void;
}

/**
 * A round ends with so many bytes copied, which is the room that it takes before it gives any back, or
 * with so many packs. Each costs a walk through the index.
 */
const roundBytes = 256 * 1024 * 1024;
const roundPacks = 256;

/** Rejects with the signal's reason where it aborts. */
export async function compactPacks(
  parts: CompactionParts,
  run: CompactionRun,
): Promise<CompactionReport> {
  const report = { packs: 0, freedBytes: 0 };
  const sparse = await sparsePacks(parts);
  while (sparse.length > 0) {
    const emptied = await emptySome(parts, sparse, run);
    // A row may name a needle that no list has, for its header is damaged: its pack stays.
    for (const pack of await namedPacks(parts)) {
      if (emptied.delete(pack)) parts.warn('a pack that lacks a needle is not compacted', { pack });
    }
    for (const [pack, { sizeBytes, copiedBytes }] of emptied) {
      await removePack(parts, pack);
      report.packs += 1;
      report.freedBytes += sizeBytes - copiedBytes;
    }
  }
  return report;
}

/** Takes those of a round from the front of `sparse`. */
async function emptySome(
  parts: CompactionParts,
  sparse: number[],
  run: CompactionRun,
): Promise<Map<number, Emptied>> {
  const emptied = new Map<number, Emptied>();
  let copiedBytes = 0;
  for (const pack of sparse.splice(0, roundPacks)) {
    run.signal.throwIfAborted();
    if (copiedBytes >= roundBytes) {
      sparse.push(pack);
      continue;
    }
    const done = await emptyPack(parts, pack, run);
    if (done) emptied.set(pack, done);
    copiedBytes += done?.copiedBytes ?? 0;
  }
  return emptied;
}

/** Sealed packs of which less than half is alive. */
async function sparsePacks({ files, directory, ...parts }: CompactionParts): Promise<number[]> {
  const sealed = [...parts.packs].filter(([, isSealed]) => isSealed).map(([pack]) => pack);
  const alive = new Map<number, number>();
  const count = ({ pack, length }: Pick<Location, 'pack' | 'length'>) =>
    void alive.set(pack, (alive.get(pack) ?? 0) + needleBytes(length));
  for (const place of parts.staged.values()) count(place);
  for await (const [, location] of parts.locations.entries()) {
    if (location.state !== 'dead') count(location);
  }
  const sparse: number[] = [];
  for (const pack of sealed) {
    const found = await files.stat(join(directory, packName(pack)));
    if (found && (alive.get(pack) ?? 0) * 2 < found.sizeBytes - PACK_HEADER_BYTES) {
      sparse.push(pack);
    }
  }
  return sparse;
}

/** A pack of which all that lives has a copy. */
interface Emptied {
  readonly sizeBytes: number;
  readonly copiedBytes: number;
}

/** undefined where the pack has to stay. */
async function emptyPack(
  parts: CompactionParts,
  pack: number,
  run: CompactionRun,
): Promise<Emptied | undefined> {
  const { files, directory, warn } = parts;
  // What can't be read is no better than what is damaged; others must not wait for it.
  const content = await readPack(files, directory, pack).catch(() => undefined);
  if (!content || content.damage.length > 0) {
    warn('a pack that is damaged or can not be read is not compacted', { pack });
    return undefined;
  }
  const { needles, sizeBytes } = content;
  let copiedBytes = 0;
  const file = await files.open(join(directory, packName(pack)), 'read');
  try {
    for (const needle of needles) {
      run.signal.throwIfAborted();
      if (!isAlive(parts, pack, needle)) continue;
      await run.throttle(needleBytes(needle.length));
      if (!(await copyNeedle(parts, { pack, content, file }, needle))) {
        warn('a pack with a damaged needle is not compacted', { pack, blob_id: needle.blobId });
        return undefined;
      }
      copiedBytes += needleBytes(needle.length);
    }
  } finally {
    await file.close();
  }
  return { sizeBytes, copiedBytes };
}

/**
 * A needle is dead only where its row says so, or names another one that is there. Without a row it
 * lives: the index may have lost it, and the sweep finds what is nobody's.
 */
function isAlive({ staged, locations, packs }: CompactionParts, pack: number, needle: Needle) {
  const place = staged.get(needle.blobId) ?? locations.get(needle.blobId);
  if (!place || !packs.has(place.pack)) return true;
  if (place.pack !== pack || place.offset !== needle.offset) return false;
  return !('state' in place) || place.state !== 'dead';
}

async function namedPacks({ locations, staged }: CompactionParts): Promise<Set<number>> {
  const named = new Set<number>();
  for (const { pack } of staged.values()) named.add(pack);
  for await (const [, { pack, state }] of locations.entries()) {
    if (state !== 'dead') named.add(pack);
  }
  return named;
}

/** Rows of the dead go last: a pack that came back without them would bring the dead back. */
async function removePack(
  { files, directory, packs, drop, locations }: CompactionParts,
  pack: number,
): Promise<void> {
  const { needles } = await readPack(files, directory, pack);
  packs.delete(pack);
  drop(pack);
  await removeIfPresent(files, join(directory, packName(pack)));
  await files.syncDirectory(directory);
  for (const { blobId } of needles) {
    const location = locations.get(blobId);
    if (location?.state === 'dead' && location.pack === pack) locations.set(blobId, undefined);
    await locations.room();
  }
}

interface Source {
  readonly pack: number;
  readonly content: PackContent;
  readonly file: OpenFile;
}

/** False where the needle is not what was written. */
async function copyNeedle(
  parts: CompactionParts,
  { pack, content: { key }, file }: Source,
  needle: Needle,
): Promise<boolean> {
  const { blobId, offset, length } = needle;
  const image = Buffer.allocUnsafe(needleBytes(length));
  const found = image.subarray(0, await file.read(image, offset).catch(() => 0));
  const header = key && decodeNeedle(found, 0, { key, offset });
  const isSound =
    key &&
    header?.blobId === blobId &&
    header.length === length &&
    isWholeNeedle(found, header, key);
  if (!isSound) return false;
  const body = image.subarray(NEEDLE_HEADER_BYTES, NEEDLE_HEADER_BYTES + length);
  await parts.copy(blobId, body, (place) => {
    // It may have been published, removed or set aside while it was copied.
    if (!isAlive(parts, pack, needle)) return;
    const { staged, locations } = parts;
    const location = locations.get(blobId);
    if (staged.has(blobId)) staged.set(blobId, place);
    else locations.set(blobId, { ...publishedAt(place.pack, place), ...kept(location) }, location);
  });
  return true;
}

function kept(location: Location | undefined): Partial<Location> {
  return location ? { state: location.state, arrivedMs: location.arrivedMs } : {};
}

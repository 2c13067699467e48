/**
 * The quarantine on disk: `quarantine/<id>.<arrived ms>`, and for what had a foreign name
 * `quarantine/<id>.<arrived ms>.<its path, percent-encoded>` with an id of its own. Everything that is
 * known of a thing is in its name, so that one rename moves it and nothing can come apart; the time of
 * arrival too, because a rename keeps the times of a file.
 *
 * A rename is not synced: after a power cut the thing lies where it was, and is found once more.
 */
import { dirname, join } from 'node:path';
import { type Files, hasCode } from '#files';
import type { BlobId } from '../domain/names.ts';
import type { Published, Quarantined } from './blob-store.ts';
import { isBlobId, type Places } from './places.ts';

export interface Quarantine {
  /** False where it was gone already. */
  take(thing: Published, arrivedMs: number): Promise<boolean>;
  list(): AsyncGenerator<Quarantined>;
  /** The folder it came back to, or undefined where it is gone, or its place is not free or not known. */
  restore(entry: Quarantined): Promise<string | undefined>;
  /** False where it was gone already. */
  purge(entry: Quarantined): Promise<boolean>;
}

/** File systems take names of 255 bytes. */
const longestNameBytes = 255;
/** Stands at the end of a path that was too long to be kept whole; never in an encoded one. */
const cut = '+';

export function quarantineOn(files: Files, places: Places, newBlobId: () => BlobId): Quarantine {
  const pathOf = (entry: Quarantined) => join(places.quarantine, entry.name);
  return {
    async take(thing, arrivedMs) {
      const isBlob = thing.kind === 'blob';
      const from = isBlob ? places.published(thing.blobId) : join(places.blobs, thing.path);
      const name = isBlob
        ? `${thing.blobId}.${arrivedMs}`
        : foreignName(`${newBlobId()}.${arrivedMs}.`, thing.path);
      return succeeds(files.rename(from, join(places.quarantine, name)));
    },
    async *list() {
      for (const { name } of await files.list(places.quarantine)) {
        const entry = parseName(name);
        const found = entry && (await files.stat(join(places.quarantine, name)));
        if (entry && found) yield { ...entry, sizeBytes: found.sizeBytes };
      }
    },
    async restore(entry) {
      const to = originOf(places, entry);
      // A blob is never overwritten; and by now a directory may stand there.
      if (to === undefined || (await files.stat(to))) return undefined;
      const leaf = dirname(to);
      if (leaf !== places.blobs) {
        if (dirname(leaf) !== places.blobs) await files.makeDirectory(dirname(leaf));
        await files.makeDirectory(leaf);
      }
      return (await succeeds(files.rename(pathOf(entry), to))) ? leaf : undefined;
    },
    async purge(entry) {
      const found = await files.stat(pathOf(entry));
      if (found?.kind === 'directory') await files.removeTree(pathOf(entry));
      else if (found) return succeeds(files.remove(pathOf(entry)));
      return found !== undefined;
    },
  };
}

function originOf(places: Places, { blobId, path }: Quarantined): string | undefined {
  if (blobId !== undefined) return places.published(blobId);
  return path === undefined ? undefined : join(places.blobs, path);
}

function foreignName(head: string, path: string): string {
  const encoded = encodeURIComponent(path);
  const room = longestNameBytes - head.length;
  return head + (encoded.length <= room ? encoded : encoded.slice(0, room - cut.length) + cut);
}

/** undefined for what is no name of a quarantined thing: it is somebody's, and stays. */
function parseName(name: string): Omit<Quarantined, 'sizeBytes'> | undefined {
  const [, id = '', arrived = '', encoded] =
    /^([0-9a-f]{32})\.(\d{1,15})(?:\.(.+))?$/.exec(name) ?? [];
  if (!isBlobId(id)) return undefined;
  const common = { id, name, arrivedMs: Number(arrived) };
  if (encoded === undefined) return { ...common, blobId: id };
  const path = encoded.endsWith(cut) ? undefined : decoded(encoded);
  return path === undefined ? common : { ...common, path };
}

/** Only a path of the depth that `blobs/` has: nothing leads out of it again. */
function decoded(encoded: string): string | undefined {
  try {
    const path = decodeURIComponent(encoded);
    const parts = path.split('/');
    const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
    return isPlain && parts.length <= 3 && !path.includes('\0') ? path : undefined;
  } catch {
    return undefined;
  }
}

async function succeeds(moving: Promise<void>): Promise<boolean> {
  try {
    await moving;
    return true;
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return false;
    throw cause;
  }
}

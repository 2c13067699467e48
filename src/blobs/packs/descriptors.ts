/**
 * The packs that are held open for reading, the few that were read last. All of it is synchronous: from
 * the look at a location to the read of its bytes nothing else runs, so that a pack that goes meanwhile
 * is either read whole or not there.
 */
import { join } from 'node:path';
import { type Files, hasCode, type ReadHandle } from '#files';
import { packName } from './format.ts';

export interface Descriptors {
  /** The pack of that number, open; undefined where there is none. Not to be kept. */
  get(pack: number): ReadHandle | undefined;
  /** The pack is removed, or will be: its bytes are freed. */
  drop(pack: number): void;
  close(): void;
}

const maxOpen = 64;

export function descriptorsOn(files: Files, directory: string): Descriptors {
  /** The one that was used last is at the end. */
  const open = new Map<number, ReadHandle>();

  function drop(pack: number): void {
    const handle = open.get(pack);
    open.delete(pack);
    handle?.close();
  }

  return {
    get(pack) {
      const handle = open.get(pack) ?? openPack(files, join(directory, packName(pack)));
      if (!handle) return undefined;
      open.delete(pack);
      open.set(pack, handle);
      if (open.size > maxOpen) drop([...open.keys()][0] ?? pack);
      return handle;
    },
    drop,
    close() {
      for (const pack of [...open.keys()]) drop(pack);
    },
  };
}

function openPack(files: Files, path: string): ReadHandle | undefined {
  try {
    return files.openForReading(path);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw cause;
  }
}

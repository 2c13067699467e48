/**
 * Goes through all that lies in `blobs/`, a folder at a time, so that a store of any size costs the
 * memory of one folder. What has no place there by its name is found too: as foreign, and a folder of
 * the wrong name as one thing, without a look inside.
 */
import { join } from 'node:path';
import { type DirectoryEntry, type Files, hasCode } from '#files';
import type { Published } from './blob-store.ts';
import { isBlobId, type Places } from './places.ts';

export async function* walk(files: Files, { blobs }: Places): AsyncGenerator<Published> {
  for (const outer of await files.list(blobs)) {
    if (!isPair(outer)) {
      yield { kind: 'foreign', path: outer.name };
      continue;
    }
    for (const inner of await entriesOf(files, join(blobs, outer.name))) {
      const folder = `${outer.name}/${inner.name}`;
      if (isPair(inner)) yield* leaf(files, join(blobs, folder), folder);
      else yield { kind: 'foreign', path: folder };
    }
  }
}

async function* leaf(files: Files, path: string, folder: string): AsyncGenerator<Published> {
  const digits = folder.replace('/', '');
  for (const { name, kind } of await entriesOf(files, path)) {
    if (kind === 'file' && isBlobId(name) && name.startsWith(digits)) {
      yield { kind: 'blob', blobId: name };
    } else {
      yield { kind: 'foreign', path: `${folder}/${name}` };
    }
  }
}

/** A folder that went while its parent was read holds nothing. */
async function entriesOf(files: Files, path: string): Promise<DirectoryEntry[]> {
  try {
    return await files.list(path);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return [];
    throw cause;
  }
}

/** A folder named by two digits of the ids in it. */
function isPair({ name, kind }: DirectoryEntry): boolean {
  return kind === 'directory' && /^[0-9a-f]{2}$/.test(name);
}

/**
 * A LevelDB on disk: that of the views, and that of the packs' index. It opens its files by itself; what
 * aerostore adds, the fsync of its folder and its removal, passes through #files.
 */
import { dirname } from 'node:path';
import { Level } from 'level';
import type { Files } from '#files';
import { readingAsync } from './store/damage.ts';
import type { ViewsDatabase } from './store.ts';

export interface LevelPlace {
  readonly files: Files;
  readonly path: string;
}

/**
 * What LevelDB keeps in memory before it makes a table of it, twice at most. Four times its default:
 * the tables it merges are fewer, which halves what its own thread does while many rows are written.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;

/** Opens the database at `path`, or makes it there; its parent must exist. Throws ViewsDamaged. */
export async function openLevel({ files, path }: LevelPlace): Promise<{
  readonly database: ViewsDatabase;
  readonly flush: () => Promise<void>;
}> {
  const database = new Level<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  await readingAsync(() => database.open());
  const flush = async () => {
    await readingAsync(() => compactNothing(database));
    await files.syncDirectory(path);
    await files.syncDirectory(dirname(path));
  };
  return { database, flush };
}

/**
 * Removes the database at `path`, which must be closed; nothing happens where there is none. It goes
 * as a whole: one of which a part was removed could still open, and lack rows.
 */
export async function destroyLevel({ files, path }: LevelPlace): Promise<void> {
  const going = `${path}.old`;
  await files.removeTree(going);
  if (await files.stat(path)) {
    await files.rename(path, going);
    await files.syncDirectory(dirname(path));
  }
  await files.removeTree(going);
  await files.syncDirectory(dirname(path));
}

/**
 * LevelDB writes its memory into a synced table before it compacts a range, an empty one too. `level`
 * does not declare the method, which only its implementation for Node has.
 */
async function compactNothing(database: object): Promise<void> {
  const { compactRange } = database as { compactRange(from: Buffer, to: Buffer): Promise<void> };
  const nowhere = Buffer.from([0]);
  await compactRange.call(database, nowhere, nowhere);
}

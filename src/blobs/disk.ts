/**
 * The blob store on local disk.
 *
 * A body is written to `staging/<blobId>`, created exclusively; it counts as staged after an fsync
 * of the file and one of the folder that began after the file was there. Publishing renames it to
 * `blobs/<aa>/<bb>/<blobId>` (aa, bb: the first two pairs of digits) without an fsync, since recovery
 * can do it again; `finalize` makes the renames durable. A file holds the object's bytes and nothing
 * else. That a rename survives a power cut wholly or not at all is assumed of the file system.
 *
 * Bodies beyond 1 MiB write one at a time and sync as they go, because many large writers at once
 * would stall the log's fsyncs. Nobody keeps others waiting while its client sends.
 */
import { dirname, join } from 'node:path';
import { type Files, hasCode, type OpenFile, removeIfPresent } from '#files';
import type { BlobId } from '../domain/names.ts';
import {
  BlobDamaged,
  type BlobFacts,
  BlobMissing,
  type BlobStore,
  type ByteStream,
  type OpenBlob,
  type Staged,
  type StageLimits,
  type StagingReport,
} from './blob-store.ts';
import { type ByteSource, checkedBytes, wholePieceBytes } from './checked-bytes.ts';
import { eachLimited, takingTurns } from './concurrency.ts';
import { directorySyncer, type SyncTicket } from './directory-syncer.ts';
import { newBlake3 } from './hash.ts';
import { isBlobId, type Places, placesIn } from './places.ts';
import { publishedNames } from './published-names.ts';
import { quarantineOn } from './quarantine.ts';
import { receive } from './receive.ts';
import { walk } from './walk.ts';

export interface DiskBlobsOptions {
  readonly files: Files;
  /** The data directory, which exists; the store's folders in it are made when missing. */
  readonly directory: string;
  readonly newBlobId: () => BlobId;
}

/** Bytes of a body that are written without waiting for a turn. */
const smallBodyBytes = 1024 * 1024;
const bytesBetweenSyncs = 8 * 1024 * 1024;
const renamesAtOnce = 8;
const maxLeftovers = 1000;
const leftoversAtOnce = 8;

export async function openDiskBlobs(options: DiskBlobsOptions): Promise<BlobStore> {
  const { files, directory } = options;
  // Loaded before the first request, which may come when no file can be opened any more.
  await newBlake3();
  const places = placesIn(directory);
  const made: boolean[] = [];
  for (const folder of [places.staging, places.blobs, places.quarantine]) {
    made.push(await files.makeDirectory(folder));
  }
  if (made.includes(true)) await files.syncDirectory(directory);

  const staging = stagingArea(options, places);
  const names = publishedNames(files);
  const quarantine = quarantineOn(files, places, options.newBlobId);
  const publishOne = (blobId: BlobId) => publishBlob(files, places, blobId).then(appeared);
  function appeared(leaf: string | undefined): boolean {
    if (leaf !== undefined) names.appeared(leaf);
    return leaf !== undefined;
  }
  return {
    stage: staging.stage,
    discard: async (blobId) => void (await removeIfPresent(files, places.staged(blobId))),
    async publish(blobIds) {
      const missing: BlobId[] = [];
      await eachLimited(blobIds, renamesAtOnce, async (blobId) => {
        if (!(await publishOne(blobId))) missing.push(blobId);
      });
      return { missing };
    },
    finalize: () => names.sync(),
    open: (facts) => openBlob(files, places, facts),
    has: async (blobId) =>
      (await firstPresent(places.lookups(blobId), (path) => files.stat(path))) !== undefined,
    async listStaged() {
      const entries = await files.list(places.staging);
      return entries
        .filter(({ kind }) => kind === 'file')
        .map(({ name }) => name)
        .filter(isBlobId);
    },
    clearStaging: (isReferenced) =>
      clearStaging(
        files,
        places,
        async (blobId) => (await isReferenced(blobId)) && publishOne(blobId),
      ),
    remove: async (blobId) => void (await removeIfPresent(files, places.published(blobId))),
    published: () => walk(files, places),
    quarantine: quarantine.take,
    quarantined: quarantine.list,
    restore: (entry) => quarantine.restore(entry).then(appeared),
    purge: quarantine.purge,
    compact: async () => ({ packs: 0, freedBytes: 0 }),
    close: () => staging.close(),
  };
}

function stagingArea({ files, newBlobId }: DiskBlobsOptions, places: Places) {
  const folder = directorySyncer(files, places.staging);
  const inTurn = takingTurns();
  /** Files whose removal failed; tried again with the next body. */
  const leftovers = new Set<string>();

  async function undo(path: string): Promise<void> {
    try {
      await removeIfPresent(files, path);
      leftovers.delete(path);
    } catch {
      // The caller is told what made the body fail. Past the limit it is start-up that clears.
      if (leftovers.size < maxLeftovers) leftovers.add(path);
    }
  }

  async function undoLeftovers(): Promise<void> {
    for (const path of [...leftovers].slice(0, leftoversAtOnce)) await undo(path);
  }

  async function write(file: OpenFile, body: ByteStream, limits: StageLimits) {
    let unsyncedBytes = 0;
    const received = await receive(body, limits, async (block, offset) => {
      if (offset < smallBodyBytes) return file.write([block], offset);
      await inTurn(async () => {
        await file.write([block], offset);
        unsyncedBytes += block.byteLength;
        if (unsyncedBytes < bytesBetweenSyncs) return;
        await file.dataSync();
        unsyncedBytes = 0;
      });
    });
    if (received.sizeBytes > smallBodyBytes) await inTurn(() => file.sync());
    else await file.sync();
    return received;
  }

  async function stage(body: ByteStream, limits: StageLimits): Promise<Staged> {
    await undoLeftovers();
    const blobId = newBlobId();
    const path = places.staged(blobId);
    const file = await create(path);
    const created: SyncTicket = folder.ticket();
    try {
      const received = await write(file, body, limits).catch(async (cause: unknown) => {
        await file.close().catch(() => undefined);
        throw cause;
      });
      await file.close();
      await folder.covered(created);
      return { blobId, ...received };
    } catch (cause) {
      await undo(path);
      throw cause;
    }
  }

  /** A file that was there is another blob's: it stays. */
  async function create(path: string): Promise<OpenFile> {
    try {
      return await files.open(path, 'create');
    } catch (cause) {
      if (!hasCode(cause, 'EEXIST')) await undo(path);
      throw cause;
    }
  }

  return { stage, close: undoLeftovers };
}

/**
 * The directory that holds the blob's final name now, or undefined where there is no such blob. A
 * name that was there already is reported too: nobody may have made it durable.
 */
async function publishBlob(
  files: Files,
  places: Places,
  blobId: BlobId,
): Promise<string | undefined> {
  const from = places.staged(blobId);
  const to = places.published(blobId);
  const leaf = dirname(to);
  if (await renameIfPresent(files, from, to)) return leaf;
  // Either the blob is not staged, or the directory is missing.
  if (await files.stat(to)) return leaf;
  if (!(await files.stat(from))) return undefined;
  await files.makeDirectory(dirname(leaf));
  await files.makeDirectory(leaf);
  if (await renameIfPresent(files, from, to)) return leaf;
  return (await files.stat(to)) && leaf;
}

/**
 * A blob that is read in one piece is opened and read without leaving the thread: each of the calls
 * would cost more than the read. A larger one must not hold up others while the disk is slow.
 */
async function openBlob(files: Files, places: Places, facts: BlobFacts): Promise<OpenBlob> {
  const { blobId, sizeBytes } = facts;
  const isSmall = sizeBytes <= wholePieceBytes;
  const found = await firstPresent<HeldFile>(places.lookups(blobId), (path) =>
    isSmall ? openNow(files, path) : files.open(path, 'read').catch(absent),
  );
  if (!found) throw new BlobMissing(`blob ${blobId} is neither published nor staged`);
  const { path } = found;
  try {
    const bytes = await found.sizeBytes();
    if (bytes !== sizeBytes) {
      throw new BlobDamaged(
        `blob ${blobId} is damaged: ${path} has ${bytes} bytes instead of ${sizeBytes}`,
      );
    }
  } catch (cause) {
    await found.close();
    throw cause;
  }
  const isPublished = path === places.published(blobId);
  let closing: { readonly done: void | Promise<void> } | undefined;
  return {
    ...(isPublished ? { file: places.file(blobId) } : {}),
    bytes: (range) => checkedBytes(found, facts, range),
    async close() {
      closing ??= { done: found.close() };
      await closing.done;
    },
  };
}

interface HeldFile extends ByteSource {
  readonly path: string;
  sizeBytes(): number | Promise<number>;
  close(): void | Promise<void>;
}

async function openNow(files: Files, path: string): Promise<HeldFile | undefined> {
  try {
    return { path, ...files.openForReading(path) };
  } catch (cause) {
    return absent(cause);
  }
}

async function clearStaging(
  files: Files,
  places: Places,
  publish: (blobId: BlobId) => Promise<boolean>,
): Promise<StagingReport> {
  let published = 0;
  let removed = 0;
  for (const { name, kind } of await files.list(places.staging)) {
    if (kind === 'file' && isBlobId(name) && (await publish(name))) {
      published += 1;
      continue;
    }
    const path = join(places.staging, name);
    await (kind === 'directory' ? files.removeTree(path) : removeIfPresent(files, path));
    removed += 1;
  }
  return { published, removed };
}

async function firstPresent<T>(
  paths: readonly string[],
  look: (path: string) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const path of paths) {
    const found = await look(path);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function renameIfPresent(files: Files, from: string, to: string): Promise<boolean> {
  try {
    await files.rename(from, to);
    return true;
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return false;
    throw cause;
  }
}

function absent(error: unknown): undefined {
  if (hasCode(error, 'ENOENT')) return undefined;
  throw error;
}

/**
 * The data directory: whose it is, which format it has, and that one process has it.
 *
 * The kernel lock is taken before anything else is written, except the directory and its lock
 * folder. What the directory holds is not looked at here: buckets, blobs and logs are others' rooms.
 */
import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { type Files, hasCode, isNoSpace, readFileIfPresent, replaceFile } from '#files';
import { HomeLocked, HomeRefused } from './errors.ts';
import { foldersOf, type Layout, layoutOf } from './layout.ts';
import { type Lock, LockFailed, takeLock } from './lock.ts';
import { type Reserve, reserveAt } from './reserve.ts';

export interface HomeOptions {
  readonly files: Files;
  readonly directory: string;
  readonly reserveBytes?: number;
  /** Another lock than the kernel's, where the disk is not a real one. */
  readonly lock?: (directory: string) => Promise<Lock>;
}

export interface Home {
  readonly layout: Layout;
  /** A UUID, made with the directory. */
  readonly nodeId: string;
  /** The directory was made, or was empty, when it was opened. */
  readonly isNew: boolean;
  /** Taking the lock needed the reserve's space. */
  readonly reserveWasSpent: boolean;
  /** 128 MiB that are given up when the disk is full. Call `restore` in the background after start-up. */
  readonly reserve: Reserve;
  /** Gives the directory back; call it last. */
  close(): Promise<void>;
}

/** The layout of the data directory; grows when older programs must not open it any more. */
const format = 1;
const defaultReserveBytes = 128 * 1024 * 1024;

/** Throws `HomeLocked` or `HomeRefused` with what to do about it. */
export async function openHome(options: HomeOptions): Promise<Home> {
  const directory = resolve(options.directory);
  const { files } = options;
  const layout = layoutOf(directory);
  const reserve = reserveAt({
    files,
    path: layout.reserveFile,
    sizeBytes: options.reserveBytes ?? defaultReserveBytes,
  });
  try {
    await makeDirectories(files, directory);
    await refuseForeign(files, layout);
    await refuseNetwork(files, directory);
    await makeDirectories(files, layout.lock);
    const { lock, reserveWasSpent } = await lockHome(options, layout, reserve);
    try {
      const settled = await settle(files, layout);
      return { layout, ...settled, reserveWasSpent, reserve, close: () => leave(lock) };
    } catch (cause) {
      await lock.release();
      throw cause;
    }
  } catch (cause) {
    throw explained(cause, directory);
  }

  async function leave(lock: Lock): Promise<void> {
    await reserve.close();
    // The pid file is information: what it says after this hurts nobody.
    await files.remove(layout.pidFile).catch(() => undefined);
    await lock.release();
  }
}

/** Makes the directory and those above it; the names of new ones are durable when it resolves. */
async function makeDirectories(files: Files, path: string): Promise<void> {
  let made: boolean;
  try {
    made = await files.makeDirectory(path);
  } catch (cause) {
    if (!hasCode(cause, 'ENOENT') || dirname(path) === path) throw cause;
    await makeDirectories(files, dirname(path));
    made = await files.makeDirectory(path);
  }
  if (made) await files.syncDirectory(dirname(path));
}

/** A mistyped path must not scatter a store's folders over somebody's files. */
async function refuseForeign(files: Files, layout: Layout): Promise<void> {
  if (await files.stat(layout.versionFile)) return;
  const known = new Set([layout.lock, ...Object.values(layout)]);
  const names = (await files.list(layout.directory)).map(({ name }) => name);
  const foreign = names.find(
    (name) =>
      !name.startsWith('.') &&
      name !== 'lost+found' &&
      !known.has(resolve(layout.directory, name.replace(/\.new$/, ''))),
  );
  if (foreign === undefined) return;
  throw new HomeRefused(
    `${layout.directory} holds other files ("${foreign}") and is not a data directory: choose an empty or a new directory with AEROSTORE_DATA_DIR`,
  );
}

/** There fsync, rename and locks promise less than what the store is built on. */
async function refuseNetwork(files: Files, directory: string): Promise<void> {
  const { network } = await files.space(directory);
  if (network === undefined) return;
  throw new HomeRefused(
    `${directory} lies on a network file system (${network}), which does not keep what an fsync promises: set AEROSTORE_DATA_DIR to a directory on a local disk or a block volume, with ext4 or xfs`,
  );
}

async function lockHome(
  { files, lock = takeLock }: HomeOptions,
  layout: Layout,
  reserve: Reserve,
): Promise<{ lock: Lock; reserveWasSpent: boolean }> {
  try {
    return { lock: await lock(layout.lock), reserveWasSpent: false };
  } catch (cause) {
    if (!(cause instanceof LockFailed)) throw cause;
    if (cause.failure === 'held') throw await lockedBy(files, layout, cause);
    if (cause.failure !== 'full' || !(await reserve.spend())) throw cause;
  }
  return { lock: await lock(layout.lock), reserveWasSpent: true };
}

async function lockedBy(files: Files, layout: Layout, cause: unknown): Promise<HomeLocked> {
  const bytes = await readFileIfPresent(files, layout.pidFile).catch(() => undefined);
  const pid = /^\d{1,10}$/.exec(textOf(bytes).trim())?.[0];
  const who = pid ? `process ${pid} (as it was numbered where it runs)` : 'another process';
  return new HomeLocked(
    `${layout.directory} is in use by ${who}: ask it with --url, or stop that process`,
    { cause },
  );
}

/** What is done under the lock: the format, the folders, who we are. */
async function settle(files: Files, layout: Layout): Promise<{ nodeId: string; isNew: boolean }> {
  const isNew = await settleFormat(files, layout);
  let made = false;
  for (const [path, mode] of foldersOf(layout)) {
    made = (await files.makeDirectory(path, mode)) || made;
  }
  if (made) await files.syncDirectory(layout.directory);
  const nodeId = await readOrCreateNodeId(files, layout);
  await replaceFile(files, layout.pidFile, { bytes: Buffer.from(`${process.pid}\n`) }).catch(
    (cause: unknown) => {
      if (!isNoSpace(cause)) throw cause;
    },
  );
  return { nodeId, isNew };
}

/** True where the directory had no format yet. */
async function settleFormat(files: Files, layout: Layout): Promise<boolean> {
  const bytes = await readFileIfPresent(files, layout.versionFile);
  if (bytes === undefined) {
    const text = `${JSON.stringify({ format })}\n`;
    await replaceFile(files, layout.versionFile, { bytes: Buffer.from(text) });
    return true;
  }
  const found = formatIn(textOf(bytes));
  if (found === format) return false;
  throw new HomeRefused(
    found === undefined
      ? `${layout.versionFile} can't be understood: if this is a data directory of format ${format}, write {"format":${format}} into it`
      : `${layout.directory} has format ${found}, and this program knows format ${format}: use the aerostore that wrote it, or another AEROSTORE_DATA_DIR`,
  );
}

function formatIn(text: string): number | undefined {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null || !('format' in document)) return;
    return Number.isSafeInteger(document.format) ? Number(document.format) : undefined;
  } catch {
    return undefined;
  }
}

async function readOrCreateNodeId(files: Files, layout: Layout): Promise<string> {
  const bytes = await readFileIfPresent(files, layout.nodeFile);
  if (bytes !== undefined) {
    const found = textOf(bytes).trim();
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(found)) return found;
    throw new HomeRefused(
      `${layout.nodeFile} does not hold a UUID: put the one of this node's store.opened records into it, or remove it to get a new one`,
    );
  }
  const nodeId = randomUUID();
  await replaceFile(files, layout.nodeFile, { bytes: Buffer.from(`${nodeId}\n`) });
  return nodeId;
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

function explained(cause: unknown, directory: string): unknown {
  if (cause instanceof HomeRefused) return cause;
  if (hasCode(cause, 'ENOTDIR')) {
    return new HomeRefused(
      `${directory} is not a directory: move the file away, or set AEROSTORE_DATA_DIR`,
      { cause },
    );
  }
  const full = cause instanceof LockFailed && cause.failure === 'full';
  if (full || isNoSpace(cause)) {
    return new HomeRefused(`the disk of ${directory} is full: free some space and start again`, {
      cause,
    });
  }
  const denied = cause instanceof LockFailed && cause.failure === 'denied';
  if (denied || hasCode(cause, 'EACCES', 'EPERM', 'EROFS')) {
    return new HomeRefused(
      `${directory} is not writable for this process: change its owner or permissions, mount it writable, or set AEROSTORE_DATA_DIR`,
      { cause },
    );
  }
  return cause;
}

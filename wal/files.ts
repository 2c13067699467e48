/**
 * The disk seam: every byte that aerostore itself puts on or takes off a disk passes through `Files`.
 *
 * It owns the only import of node:fs in the project. It promises no more than POSIX does: a write is
 * durable after `sync` or `dataSync` of its file, a name after `syncDirectory` of its folder, and a
 * call that rejects may have done a part of its work. LevelDB opens its files by itself and does not
 * pass here.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';

export type FileKind = 'file' | 'directory' | 'other';

export interface FileStat {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** The kind of file system, where it is known to be one that lies on another machine. */
  readonly network?: string;
}

/**
 * `read`: an existing file, for reading. `create`: a new file, for reading and writing; fails with
 * EEXIST. `update`: an existing file, for reading and writing.
 */
export type OpenMode = 'read' | 'create' | 'update';

/** An open file. Offsets and lengths are bytes. Every method rejects with a Node system error. */
export interface OpenFile {
  readonly path: string;
  /** Writes all of `buffers`, one after the other, from `offset` on; a short write is continued. */
  write(buffers: readonly Uint8Array[], offset: number): Promise<void>;
  /** Fills `target` from `offset` on; resolves to the bytes read, fewer only at the end of the file. */
  read(target: Uint8Array, offset: number): Promise<number>;
  sizeBytes(): Promise<number>;
  /** fsync: data and metadata. */
  sync(): Promise<void>;
  /** fdatasync: data and what is needed to read it back, the length among it. */
  dataSync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A file that is read without leaving the thread: for small reads, where handing the call to another
 * thread costs more than the read. Every method throws a Node system error.
 */
export interface ReadHandle {
  /** As `OpenFile.read`. */
  read(target: Uint8Array, offset: number): number;
  sizeBytes(): number;
  close(): void;
}

export interface Files {
  /** Opens an existing file; throws at once. */
  openForReading(path: string): ReadHandle;
  open(path: string, mode: OpenMode, permissions?: number): Promise<OpenFile>;
  readFile(path: string): Promise<Uint8Array>;
  /** What lies at `path`, or undefined where nothing does. */
  stat(path: string): Promise<FileStat | undefined>;
  /** The entries of a directory in no particular order. */
  list(path: string): Promise<DirectoryEntry[]>;
  /** Creates one directory whose parent exists; resolves to false where it was there already. */
  makeDirectory(path: string, permissions?: number): Promise<boolean>;
  rename(from: string, to: string): Promise<void>;
  /** Unlinks a file. */
  remove(path: string): Promise<void>;
  /** Removes a directory with all that it holds; nothing happens where there is none. */
  removeTree(path: string): Promise<void>;
  /** fsync of a directory: the names in it are durable afterwards. */
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<DiskSpace>;
}

const flags: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  update: constants.O_RDWR,
};

/** By the numbers of statfs(2). FUSE is not among them: it may lie on a local disk as well. */
const networkTypes: Readonly<Record<number, string>> = {
  [0x6969]: 'NFS',
  [0x517b]: 'SMB',
  [0xff534d42]: 'CIFS',
  [0xfe534d42]: 'SMB2',
  [0x00c36400]: 'Ceph',
  [0x5346414f]: 'AFS',
  [0x6b414653]: 'AFS',
  [0x0bd00bd0]: 'Lustre',
  [0x47504653]: 'GPFS',
  [0x73757245]: 'Coda',
};

/** `Files` on the local file system. */
export const nodeFiles: Files = {
  openForReading(path) {
    let descriptor = openSync(path, constants.O_RDONLY);
    return {
      read: (target, offset) => readNow(descriptor, target, offset),
      sizeBytes: () => fstatSync(descriptor).size,
      close() {
        closeSync(descriptor);
        // The number may be another file's from now on.
        descriptor = -1;
      },
    };
  },
  async open(path, mode, permissions = 0o644) {
    return openFile(path, await fs.open(path, flags[mode], permissions));
  },
  readFile: (path) => fs.readFile(path),
  async stat(path) {
    const found = await fs.lstat(path).catch(absent);
    return found && { kind: kindOf(found), sizeBytes: found.size, modifiedMs: found.mtimeMs };
  },
  async list(path) {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  async makeDirectory(path, permissions = 0o755) {
    try {
      await fs.mkdir(path, permissions);
      return true;
    } catch (cause) {
      if (hasCode(cause, 'EEXIST')) return false;
      throw cause;
    }
  },
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.unlink(path),
  removeTree: (path) => fs.rm(path, { recursive: true, force: true }),
  async syncDirectory(path) {
    const handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async space(path) {
    const found = await fs.statfs(path);
    const network = networkTypes[found.type >>> 0];
    return {
      freeBytes: found.bavail * found.bsize,
      totalBytes: found.blocks * found.bsize,
      ...(network === undefined ? {} : { network }),
    };
  },
};

/**
 * Puts `bytes` at `path` so that a reader, or a crash, finds the old content or the new one and
 * nothing between: write beside, fsync, rename, fsync of the folder. A leftover of an earlier try
 * is overwritten.
 */
export async function replaceFile(
  files: Files,
  path: string,
  content: { bytes: Uint8Array; permissions?: number },
): Promise<void> {
  const beside = `${path}.new`;
  if (await files.stat(beside)) await files.remove(beside);
  const file = await files.open(beside, 'create', content.permissions);
  try {
    await file.write([content.bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(beside, path);
  await files.syncDirectory(dirname(path));
}

/** The bytes of `path`, or undefined where there is no such file. */
export async function readFileIfPresent(
  files: Files,
  path: string,
): Promise<Uint8Array | undefined> {
  return files.readFile(path).catch(absent);
}

/** Whether there was a file to remove. */
export async function removeIfPresent(files: Files, path: string): Promise<boolean> {
  try {
    await files.remove(path);
    return true;
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return false;
    throw cause;
  }
}

/** The disk, or the quota on it, is full. */
export function isNoSpace(error: unknown): boolean {
  return hasCode(error, 'ENOSPC', 'EDQUOT');
}

/** True for a Node system error with one of `codes`, such as 'ENOENT'. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

function openFile(path: string, handle: fs.FileHandle): OpenFile {
  return {
    path,
    write: (buffers, offset) => writeAll(handle, buffers, offset),
    read: (target, offset) => readFully(handle, target, offset),
    sizeBytes: async () => (await handle.stat()).size,
    sync: () => handle.sync(),
    dataSync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** writev may stop anywhere; what it left is written again from there. */
async function writeAll(
  handle: fs.FileHandle,
  buffers: readonly Uint8Array[],
  offset: number,
): Promise<void> {
  let pending = buffers.filter((buffer) => buffer.byteLength > 0);
  let at = offset;
  while (pending.length > 0) {
    // IOV_MAX is 1,024 on Linux.
    const { bytesWritten } = await handle.writev(pending.slice(0, 1024), at);
    if (bytesWritten === 0) throw new Error(`write of ${pending.length} buffers made no progress`);
    at += bytesWritten;
    pending = dropBytes(pending, bytesWritten);
  }
}

function dropBytes(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (left >= buffer.byteLength) {
      left -= buffer.byteLength;
      continue;
    }
    rest.push(left > 0 ? buffer.subarray(left) : buffer);
    left = 0;
  }
  return rest;
}

async function readFully(
  handle: fs.FileHandle,
  target: Uint8Array,
  offset: number,
): Promise<number> {
  let done = 0;
  while (done < target.byteLength) {
    const { bytesRead } = await handle.read(target, done, target.byteLength - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

function readNow(descriptor: number, target: Uint8Array, offset: number): number {
  let done = 0;
  while (done < target.byteLength) {
    const found = readSync(descriptor, target, done, target.byteLength - done, offset + done);
    if (found === 0) break;
    done += found;
  }
  return done;
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean }): FileKind {
  if (entry.isFile()) return 'file';
  return entry.isDirectory() ? 'directory' : 'other';
}

function absent(error: unknown): undefined {
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
  throw error;
}

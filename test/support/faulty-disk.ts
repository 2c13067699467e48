/**
 * A disk in memory with two planes, for tests that must see loss. What a process sees is the live
 * plane; what a power cut leaves is the durable plane and a seeded part of what was not synced yet.
 *
 * - A file's bytes become durable by `sync` or `dataSync` of that file, in pages of 4 KiB.
 * - A name becomes durable by `syncDirectory` of its folder, and is never kept without that folder. A rename is durable as one, never its
 *   removal without its addition (assumed of ext4 and xfs, docs/failure-model.md).
 * - A failed sync marks the dirty pages clean without storing them, as Linux does: a later sync that
 *   succeeds does not bring them back.
 * - Any call can be made to fail, or to be the one at which the power or the process goes away.
 */
import { basename, dirname } from 'node:path';
import type { DirectoryEntry, DiskSpace, Files, OpenFile, ReadHandle } from '#files';

const pageBytes = 4096;

export type Fault =
  /** The call throws and does nothing. */
  | { readonly kind: 'error'; readonly code: string }
  /** A write stores only a part of its bytes and throws. On other calls: as an error. */
  | { readonly kind: 'short'; readonly code: string }
  /** A sync throws, and what it should have stored never will be. On other calls: as an error. */
  | { readonly kind: 'lost sync' }
  /** The machine stops at this call: it and all later ones throw `Stopped`. */
  | { readonly kind: 'stop'; readonly before: boolean };

export interface DiskCall {
  readonly index: number;
  readonly operation: string;
  readonly path: string;
  /** True where the call can change what is on the disk. */
  readonly mutates: boolean;
}

/** What every call throws once the machine has stopped. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

export interface FaultyDisk {
  readonly files: Files;
  /** Every call so far, where `record` is on. */
  readonly calls: DiskCall[];
  /** Counts calls from 1; `inject` names the fault of a call, if it has one. */
  inject: (call: DiskCall) => Fault | undefined;
  record: boolean;
  /** What the disk says of itself; writes do not depend on it. */
  space: DiskSpace;
  readonly stopped: boolean;
  /** Makes all further calls throw, as when the process is killed. */
  stop(): void;
  /** The process was killed: the live plane stays, open files are closed. */
  restart(): FaultyDisk;
  /** The power was cut: the durable plane and a seeded part of the rest stays. */
  powerLoss(seed: number): FaultyDisk;
  /** The live plane, for tests that damage bytes by hand. */
  peek(path: string): Buffer | undefined;
  poke(path: string, bytes: Uint8Array | undefined): void;
  paths(): string[];
}

interface FileNode {
  readonly kind: 'file';
  live: Buffer;
  durable: Buffer;
  /** Pages that differ from the durable plane and would be stored by a sync. */
  dirty: Set<number>;
}

interface DirectoryNode {
  readonly kind: 'directory';
  live: Map<string, Node>;
  durable: Map<string, Node>;
}

type Node = FileNode | DirectoryNode;

/** A change of names that is not durable yet. */
interface NameChange {
  readonly removed?: {
    readonly directory: DirectoryNode;
    readonly name: string;
    readonly node: Node;
  };
  readonly added?: {
    readonly directory: DirectoryNode;
    readonly name: string;
    readonly node: Node;
  };
}

export function createFaultyDisk(): FaultyDisk {
  const root: DirectoryNode = { kind: 'directory', live: new Map(), durable: new Map() };
  return mount(root, []);
}

/** Deterministic pseudo-random numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** `pending`: name changes that a killed process left to the kernel. */
function mount(root: DirectoryNode, left: readonly NameChange[]): FaultyDisk {
  let pending = [...left];
  let stopped = false;
  let count = 0;

  /** Runs one call with the fault that was asked for. */
  async function call<T>(
    what: Omit<DiskCall, 'index'>,
    act: () => T,
    partly?: (fault: Fault) => void,
  ): Promise<T> {
    // A real call takes at least a turn; what runs beside it may go first.
    await new Promise((resolve) => setImmediate(resolve));
    return callNow(what, act, partly);
  }

  /** The same for a call that does not leave the thread. */
  function callNow<T>(
    what: Omit<DiskCall, 'index'>,
    act: () => T,
    partly?: (fault: Fault) => void,
  ): T {
    if (stopped) throw new Stopped(`${what.operation} ${what.path}`);
    count += 1;
    const made: DiskCall = { index: count, ...what };
    if (disk.record) disk.calls.push(made);
    const fault = disk.inject(made);
    if (!fault) return act();
    if (fault.kind === 'stop') {
      stopped = true;
      if (!fault.before) act();
      throw new Stopped(`${what.operation} ${what.path}`);
    }
    partly?.(fault);
    throw systemError(fault.kind === 'lost sync' ? 'EIO' : fault.code, what);
  }

  function directoryAt(path: string): DirectoryNode {
    const node = nodeAt(path);
    if (!node) throw systemError('ENOENT', { operation: 'open', path });
    if (node.kind !== 'directory') throw systemError('ENOTDIR', { operation: 'open', path });
    return node;
  }

  function nodeAt(path: string): Node | undefined {
    let node: Node | undefined = root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node?.kind !== 'directory') return undefined;
      node = node.live.get(name);
    }
    return node;
  }

  function fileAt(path: string): FileNode {
    const node = nodeAt(path);
    if (!node) throw systemError('ENOENT', { operation: 'open', path });
    if (node.kind !== 'file') throw systemError('EISDIR', { operation: 'open', path });
    return node;
  }

  function add(path: string, node: Node): void {
    const directory = directoryAt(dirname(path));
    directory.live.set(basename(path), node);
    pending.push({ added: { directory, name: basename(path), node } });
  }

  function unlink(path: string): Node {
    const directory = directoryAt(dirname(path));
    const node = directory.live.get(basename(path));
    if (!node) throw systemError('ENOENT', { operation: 'unlink', path });
    directory.live.delete(basename(path));
    pending.push({ removed: { directory, name: basename(path), node } });
    return node;
  }

  function rename(from: string, to: string): void {
    const source = directoryAt(dirname(from));
    const target = directoryAt(dirname(to));
    const node = source.live.get(basename(from));
    if (!node) throw systemError('ENOENT', { operation: 'rename', path: from });
    source.live.delete(basename(from));
    target.live.set(basename(to), node);
    pending.push({
      removed: { directory: source, name: basename(from), node },
      added: { directory: target, name: basename(to), node },
    });
  }

  function syncNames(directory: DirectoryNode): void {
    const touches = (change: NameChange) =>
      change.added?.directory === directory || change.removed?.directory === directory;
    for (const change of pending) if (touches(change)) keep(change, pending);
    pending = pending.filter((change) => !touches(change));
  }

  function readHandleOf(path: string, file: FileNode): ReadHandle {
    let open = true;
    const use = <T>(act: () => T): T => {
      if (!open) throw systemError('EBADF', { operation: 'use', path });
      return act();
    };
    return {
      read: (target, offset) =>
        callNow({ operation: 'read', path, mutates: false }, () =>
          use(() => {
            const part = file.live.subarray(offset, offset + target.byteLength);
            target.set(part);
            return part.length;
          }),
        ),
      sizeBytes: () =>
        callNow({ operation: 'size', path, mutates: false }, () => use(() => file.live.length)),
      close: () =>
        use(() => {
          open = false;
        }),
    };
  }

  function handleOf(path: string, file: FileNode): OpenFile {
    let open = true;
    const use = () => {
      if (!open) throw systemError('EBADF', { operation: 'use', path });
    };
    const sync = (operation: string) =>
      call(
        { operation, path, mutates: true },
        () => {
          use();
          storePages(file, file.dirty);
          file.dirty.clear();
        },
        (fault) => {
          // The kernel forgets that the pages were dirty.
          if (fault.kind === 'lost sync') file.dirty.clear();
        },
      );
    return {
      path,
      write: (buffers, offset) =>
        call(
          { operation: 'write', path, mutates: true },
          () => {
            use();
            writeBytes(file, Buffer.concat(buffers), offset);
          },
          (fault) => {
            if (fault.kind !== 'short') return;
            const bytes = Buffer.concat(buffers);
            writeBytes(file, bytes.subarray(0, Math.floor(bytes.length / 2)), offset);
          },
        ),
      read: (target, offset) =>
        call({ operation: 'read', path, mutates: false }, () => {
          use();
          const part = file.live.subarray(offset, offset + target.byteLength);
          target.set(part);
          return part.length;
        }),
      sizeBytes: () =>
        call({ operation: 'size', path, mutates: false }, () => {
          use();
          return file.live.length;
        }),
      sync: () => sync('sync'),
      dataSync: () => sync('dataSync'),
      async close() {
        // Closing stores nothing, and what is closed twice is a defect of the caller.
        use();
        open = false;
      },
    };
  }

  const files: Files = {
    openForReading: (path) =>
      callNow({ operation: 'open read', path, mutates: false }, () =>
        readHandleOf(path, fileAt(path)),
      ),
    open: (path, mode) =>
      call({ operation: `open ${mode}`, path, mutates: mode === 'create' }, () => {
        if (mode !== 'create') return handleOf(path, fileAt(path));
        if (nodeAt(path)) throw systemError('EEXIST', { operation: 'open', path });
        const file: FileNode = {
          kind: 'file',
          live: Buffer.alloc(0),
          durable: Buffer.alloc(0),
          dirty: new Set(),
        };
        add(path, file);
        return handleOf(path, file);
      }),
    readFile: (path) =>
      call({ operation: 'readFile', path, mutates: false }, () => Buffer.from(fileAt(path).live)),
    stat: (path) =>
      call({ operation: 'stat', path, mutates: false }, () => {
        const node = nodeAt(path);
        if (!node) return undefined;
        const sizeBytes = node.kind === 'file' ? node.live.length : 0;
        return { kind: node.kind, sizeBytes, modifiedMs: 0 };
      }),
    list: (path) =>
      call({ operation: 'list', path, mutates: false }, () =>
        [...directoryAt(path).live].map(([name, { kind }]): DirectoryEntry => ({ name, kind })),
      ),
    makeDirectory: (path) =>
      call({ operation: 'makeDirectory', path, mutates: true }, () => {
        if (nodeAt(path)) return false;
        add(path, { kind: 'directory', live: new Map(), durable: new Map() });
        return true;
      }),
    rename: (from, to) =>
      call({ operation: 'rename', path: from, mutates: true }, () => rename(from, to)),
    remove: (path) =>
      call({ operation: 'remove', path, mutates: true }, () => {
        if (fileAt(path)) unlink(path);
      }),
    removeTree: (path) =>
      call({ operation: 'removeTree', path, mutates: true }, () => {
        if (nodeAt(path)) unlink(path);
      }),
    syncDirectory: (path) =>
      call({ operation: 'syncDirectory', path, mutates: true }, () => syncNames(directoryAt(path))),
    space: (path) => call({ operation: 'space', path, mutates: false }, () => disk.space),
  };

  const disk: FaultyDisk = {
    files,
    calls: [],
    inject: () => undefined,
    record: false,
    space: { freeBytes: 1e12, totalBytes: 2e12 },
    get stopped() {
      return stopped;
    },
    stop() {
      stopped = true;
    },
    restart() {
      stopped = true;
      return mount(root, pending);
    },
    powerLoss(seed) {
      stopped = true;
      cutPower(root, pending, seededRandom(seed));
      return mount(root, []);
    },
    peek(path) {
      const node = nodeAt(path);
      return node?.kind === 'file' ? node.live : undefined;
    },
    poke(path, bytes) {
      if (bytes === undefined) {
        const node = unlink(path);
        syncNames(directoryAt(dirname(path)));
        if (node.kind === 'file') node.durable = Buffer.alloc(0);
        return;
      }
      const file = fileAt(path);
      file.live = Buffer.from(bytes);
      file.durable = Buffer.from(bytes);
      file.dirty.clear();
    },
    paths: () => [...pathsBelow(root, '')],
  };
  return disk;
}

function writeBytes(file: FileNode, bytes: Buffer, offset: number): void {
  if (bytes.length === 0) return;
  const end = offset + bytes.length;
  if (end > file.live.length) {
    const grown = Buffer.alloc(end);
    file.live.copy(grown);
    // The bytes between the old end and the offset are new as well.
    markDirty(file, file.live.length, end);
    file.live = grown;
  } else {
    file.live = Buffer.from(file.live);
  }
  bytes.copy(file.live, offset);
  markDirty(file, offset, end);
}

function markDirty(file: FileNode, from: number, to: number): void {
  for (let page = Math.floor(from / pageBytes); page * pageBytes < to; page += 1) {
    file.dirty.add(page);
  }
}

/** Stores `pages` of the live plane; a hole between them reads as zeros. */
function storePages(file: FileNode, pages: Iterable<number>): void {
  let { durable } = file;
  for (const page of pages) {
    const bytes = file.live.subarray(page * pageBytes, (page + 1) * pageBytes);
    const end = page * pageBytes + bytes.length;
    const grown = Buffer.alloc(Math.max(durable.length, end));
    durable.copy(grown);
    bytes.copy(grown, page * pageBytes);
    durable = grown;
  }
  file.durable = durable;
}

function makeDurable({ removed, added }: NameChange): void {
  if (removed && removed.directory.durable.get(removed.name) === removed.node) {
    removed.directory.durable.delete(removed.name);
  }
  if (added) added.directory.durable.set(added.name, added.node);
}

/**
 * Each unsynced name change and each unsynced page is kept or lost by itself, but for one thing: a
 * name is not kept in a folder that is lost. File systems with a journal write the folder's own
 * creation, which came first, no later than what was put into it.
 */
function cutPower(root: DirectoryNode, pending: readonly NameChange[], random: () => number): void {
  for (const change of pending) if (random() < 0.5) keep(change, pending);
  settle(root, random);
}

function keep(change: NameChange, pending: readonly NameChange[]): void {
  const folder = change.added?.directory;
  const creation = folder && pending.find(({ added }) => added?.node === folder);
  if (creation) keep(creation, pending);
  makeDurable(change);
}

function settle(directory: DirectoryNode, random: () => number): void {
  directory.live = new Map(directory.durable);
  for (const node of directory.live.values()) {
    if (node.kind === 'directory') settle(node, random);
    else {
      storePages(
        node,
        [...node.dirty].sort((a, b) => a - b).filter(() => random() < 0.5),
      );
      node.dirty.clear();
      node.live = Buffer.from(node.durable);
    }
  }
}

function* pathsBelow(directory: DirectoryNode, prefix: string): Generator<string> {
  for (const [name, node] of directory.live) {
    const path = `${prefix}/${name}`;
    yield path;
    if (node.kind === 'directory') yield* pathsBelow(node, path);
  }
}

function systemError(code: string, what: { operation: string; path: string }): Error {
  return Object.assign(new Error(`${code}: ${what.operation} '${what.path}'`), { code });
}

/**
 * `Files` in memory that can break. A file is an inode; a name is durable after the sync of its
 * folder, bytes after the sync of their file, and `powerLoss` forgets everything else.
 */
import { basename, dirname } from 'node:path';
import type { Files, OpenFile } from '#files';

type Operation =
  | 'create'
  | 'write'
  | 'sync'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'makeDirectory';

export interface Call {
  readonly operation: Operation;
  readonly path: string;
}

/** What goes wrong in a call: `keep` bytes of a write are done before it fails. */
export interface Fault {
  readonly error: Error;
  readonly keep?: number;
}

interface Inode {
  bytes: Buffer;
  durable: Buffer;
}

interface Folder {
  names: Map<string, Inode>;
  durable: Map<string, Inode>;
}

export class MemoryDisk {
  readonly folders = new Map<string, Folder>();
  /** Every call that changes something, in order. */
  readonly calls: Call[] = [];
  /** Asked before each of them. */
  fault: (call: Call) => Fault | undefined = () => undefined;
  /** Awaited before each of them: a test may hold the disk up. */
  gate: (call: Call) => Promise<void> | undefined = () => undefined;
  readonly files: Files = this.#files();

  constructor(...directories: string[]) {
    for (const path of directories) this.#addFolder(path);
  }

  /** The names in a folder, sorted. */
  names(directory: string): string[] {
    return [...(this.folders.get(directory)?.names.keys() ?? [])].sort();
  }

  content(path: string): Buffer {
    return this.#inode(path).bytes;
  }

  /** Puts a file there, durably. */
  put(path: string, content: Uint8Array): void {
    const inode = { bytes: Buffer.from(content), durable: Buffer.from(content) };
    const folder = this.#folder(path);
    folder.names.set(basename(path), inode);
    folder.durable.set(basename(path), inode);
  }

  delete(path: string): void {
    const folder = this.#folder(path);
    folder.names.delete(basename(path));
    folder.durable.delete(basename(path));
  }

  /** The disk as the next process finds it after a crash of this one. */
  processLoss(): MemoryDisk {
    return this.#copy((folder) => folder.names, 'bytes');
  }

  /** The disk after a loss of power that kept nothing but what had been synced. */
  powerLoss(): MemoryDisk {
    return this.#copy((folder) => folder.durable, 'durable');
  }

  #copy(pick: (folder: Folder) => Map<string, Inode>, state: 'bytes' | 'durable'): MemoryDisk {
    const disk = new MemoryDisk(...this.folders.keys());
    for (const [path, folder] of this.folders) {
      for (const [name, inode] of pick(folder)) disk.put(`${path}/${name}`, inode[state]);
    }
    return disk;
  }

  #files(): Files {
    return {
      openForReading: (path) => {
        const { bytes } = this.#inode(path);
        return {
          read: (target, offset) => bytes.copy(target, 0, Math.min(offset, bytes.length)),
          sizeBytes: () => bytes.length,
          close: () => {},
        };
      },
      open: async (path, mode) => {
        if (mode !== 'create') return this.#open(path, this.#inode(path));
        if (this.#folder(path).names.has(basename(path))) throw systemError('EEXIST', path);
        await this.#before({ operation: 'create', path });
        const inode = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
        this.#folder(path).names.set(basename(path), inode);
        return this.#open(path, inode);
      },
      readFile: async (path) => Buffer.from(this.#inode(path).bytes),
      stat: async (path) => {
        if (this.folders.has(path)) return { kind: 'directory', sizeBytes: 0, modifiedMs: 0 };
        const inode = this.folders.get(dirname(path))?.names.get(basename(path));
        return inode && { kind: 'file', sizeBytes: inode.bytes.length, modifiedMs: 0 };
      },
      list: async (path) => this.names(path).map((name) => ({ name, kind: 'file' })),
      makeDirectory: async (path) => {
        if (this.folders.has(path)) return false;
        await this.#before({ operation: 'makeDirectory', path });
        this.#addFolder(path);
        return true;
      },
      rename: async (from, to) => {
        await this.#before({ operation: 'rename', path: from });
        const inode = this.#inode(from);
        this.#folder(from).names.delete(basename(from));
        this.#folder(to).names.set(basename(to), inode);
      },
      remove: async (path) => {
        await this.#before({ operation: 'remove', path });
        this.#inode(path);
        this.#folder(path).names.delete(basename(path));
      },
      removeTree: async (path) => void this.folders.delete(path),
      syncDirectory: async (path) => {
        await this.#before({ operation: 'syncDirectory', path });
        const folder = this.folders.get(path);
        if (folder !== undefined) folder.durable = new Map(folder.names);
      },
      space: async () => ({ freeBytes: 1e12, totalBytes: 1e12 }),
    };
  }

  #open(path: string, inode: Inode): OpenFile {
    const sync = async () => {
      await this.#before({ operation: 'sync', path });
      inode.durable = Buffer.from(inode.bytes);
    };
    return {
      path,
      write: async (buffers, offset) => {
        const content = Buffer.concat(buffers);
        const fault = await this.#ask({ operation: 'write', path });
        if (fault === undefined) return put(inode, content, offset);
        put(inode, content.subarray(0, fault.keep ?? 0), offset);
        throw fault.error;
      },
      read: async (target, offset) =>
        inode.bytes.copy(target, 0, Math.min(offset, inode.bytes.length)),
      sizeBytes: async () => inode.bytes.length,
      sync,
      dataSync: sync,
      close: async () => {},
    };
  }

  async #before(call: Call): Promise<void> {
    const fault = await this.#ask(call);
    if (fault !== undefined) throw fault.error;
  }

  async #ask(call: Call): Promise<Fault | undefined> {
    await this.gate(call);
    const fault = this.fault(call);
    if (fault === undefined) this.calls.push(call);
    return fault;
  }

  #addFolder(path: string): void {
    this.folders.set(path, { names: new Map(), durable: new Map() });
  }

  #folder(path: string): Folder {
    const folder = this.folders.get(dirname(path));
    if (folder === undefined) throw systemError('ENOENT', path);
    return folder;
  }

  #inode(path: string): Inode {
    const inode = this.folders.get(dirname(path))?.names.get(basename(path));
    if (inode === undefined) throw systemError('ENOENT', path);
    return inode;
  }
}

export function systemError(code: string, path = ''): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function put(inode: Inode, content: Buffer, offset: number): void {
  const size = Math.max(inode.bytes.length, offset + content.length);
  const grown = Buffer.alloc(size);
  inode.bytes.copy(grown);
  content.copy(grown, offset);
  inode.bytes = grown;
}

/**
 * `Files` on a real disk with a tap: each call is noted, and a test can make any of them fail or wait.
 * The call itself happens only if the tap lets it.
 */
import { type Files, nodeFiles, type OpenFile } from '#files';

export interface FileCall {
  readonly operation: keyof Files | keyof OpenFile;
  readonly path: string;
}

export interface TappedFiles extends Files {
  /** In the order in which they began. */
  readonly calls: FileCall[];
  /** Runs before each call; what it throws is what the call throws. */
  tap: (call: FileCall) => void | Promise<void>;
  readonly openCount: number;
}

export function tappedFiles(under: Files = nodeFiles): TappedFiles {
  let openCount = 0;
  const calls: FileCall[] = [];
  async function note(operation: FileCall['operation'], path: string): Promise<void> {
    calls.push({ operation, path });
    await files.tap({ operation, path });
  }
  /** A call that does not leave the thread can be made to fail, but not to wait. */
  function noteNow(operation: FileCall['operation'], path: string): void {
    calls.push({ operation, path });
    void files.tap({ operation, path });
  }
  function tapFile(file: OpenFile): OpenFile {
    openCount += 1;
    const { path } = file;
    return {
      path,
      write: (buffers, offset) => note('write', path).then(() => file.write(buffers, offset)),
      read: (target, offset) => note('read', path).then(() => file.read(target, offset)),
      sizeBytes: () => note('sizeBytes', path).then(() => file.sizeBytes()),
      sync: () => note('sync', path).then(() => file.sync()),
      dataSync: () => note('dataSync', path).then(() => file.dataSync()),
      async close() {
        openCount -= 1;
        await file.close();
        await note('close', path);
      },
    };
  }
  const files: TappedFiles = {
    calls,
    tap: () => {},
    get openCount() {
      return openCount;
    },
    openForReading(path) {
      noteNow('openForReading', path);
      const handle = under.openForReading(path);
      openCount += 1;
      return {
        read(target, offset) {
          noteNow('read', path);
          return handle.read(target, offset);
        },
        sizeBytes: () => handle.sizeBytes(),
        close() {
          openCount -= 1;
          handle.close();
        },
      };
    },
    open: (path, mode, permissions) =>
      note('open', path)
        .then(() => under.open(path, mode, permissions))
        .then(tapFile),
    readFile: (path) => note('readFile', path).then(() => under.readFile(path)),
    stat: (path) => note('stat', path).then(() => under.stat(path)),
    list: (path) => note('list', path).then(() => under.list(path)),
    makeDirectory: (path, permissions) =>
      note('makeDirectory', path).then(() => under.makeDirectory(path, permissions)),
    rename: (from, to) => note('rename', from).then(() => under.rename(from, to)),
    remove: (path) => note('remove', path).then(() => under.remove(path)),
    removeTree: (path) => note('removeTree', path).then(() => under.removeTree(path)),
    syncDirectory: (path) => note('syncDirectory', path).then(() => under.syncDirectory(path)),
    space: (path) => note('space', path).then(() => under.space(path)),
  };
  return files;
}

/** A Node system error. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

/**
 * Real bytes on disk that are given up when it is full, so that recovery, deletes and the clean stop
 * still find space. Written slowly, beside, and renamed when whole: what is called `reserve` counts.
 */
import { randomFillSync } from 'node:crypto';
import { dirname } from 'node:path';
import { type Files, isNoSpace, type OpenFile, removeIfPresent } from '#files';

export interface ReserveOptions {
  readonly files: Files;
  readonly path: string;
  readonly sizeBytes: number;
}

export interface Reserve {
  /** Frees the bytes; resolves to false where there were none. Stops a restore that runs. */
  spend(): Promise<boolean>;
  /**
   * Writes the bytes where they are missing. Resolves to false where the disk has too little space
   * for them, or it was stopped; the next call tries again.
   */
  restore(): Promise<boolean>;
  /** Stops a restore that runs and waits for its end. */
  close(): Promise<void>;
}

const chunkBytes = 1024 * 1024;
/** Few dirty bytes at a time, or the log's fsyncs wait for them. */
const bytesBetweenSyncs = 4 * 1024 * 1024;

export function reserveAt(options: ReserveOptions): Reserve {
  const { files, path, sizeBytes } = options;
  const beside = `${path}.new`;
  let restoring: Promise<boolean> | undefined;
  let stopping = false;

  async function restore(): Promise<boolean> {
    const found = await files.stat(path);
    if (found && found.sizeBytes >= sizeBytes) return true;
    await removeIfPresent(files, beside);
    // Half of what is free stays free: a reserve must not be what fills the disk.
    if ((await files.space(dirname(path))).freeBytes < 2 * sizeBytes) return false;
    try {
      if (await fill(beside)) {
        await files.rename(beside, path);
        await files.syncDirectory(dirname(path));
        return true;
      }
    } catch (cause) {
      await removeIfPresent(files, beside);
      if (isNoSpace(cause)) return false;
      throw cause;
    }
    await removeIfPresent(files, beside);
    return false;
  }

  /** False where it was stopped on the way. */
  async function fill(target: string): Promise<boolean> {
    const file = await files.open(target, 'create', 0o600);
    try {
      return await fillFile(file, sizeBytes, () => stopping);
    } finally {
      await file.close();
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    await restoring?.catch(() => undefined);
    stopping = false;
  }

  return {
    async spend() {
      await stop();
      const freed = await removeIfPresent(files, path);
      // File systems with a journal give the blocks back when it commits.
      if (freed) await files.syncDirectory(dirname(path));
      return freed;
    },
    restore() {
      restoring ??= restore().finally(() => {
        restoring = undefined;
      });
      return restoring;
    },
    close: stop,
  };
}

/** Random bytes: a file system that compresses would store a pattern in nothing. */
async function fillFile(
  file: OpenFile,
  sizeBytes: number,
  isStopped: () => boolean,
): Promise<boolean> {
  const chunk = randomFillSync(Buffer.allocUnsafeSlow(Math.min(chunkBytes, sizeBytes)));
  for (let offset = 0; offset < sizeBytes; offset += chunk.byteLength) {
    if (isStopped()) return false;
    await file.write([chunk.subarray(0, sizeBytes - offset)], offset);
    if (offset % bytesBetweenSyncs === 0) await file.dataSync();
  }
  await file.sync();
  return true;
}

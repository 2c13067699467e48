/**
 * A file of secrets in `keys/`, mode 0600, that more than one process may change.
 *
 * Promises: each reader sees the file as it is then (its stat is looked at each time); a change is
 * made under a lock of the keys' own, one after the other, and replaces the file as a whole.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Files, readFileIfPresent, replaceFile } from '#files';
import { KeyRefused } from './errors.ts';
import type { Layout } from './layout.ts';
import { type Lock, LockFailed, takeLock } from './lock.ts';

export interface SecretFileOptions {
  readonly files: Files;
  readonly layout: Layout;
  /** Another lock than the kernel's, where the disk is not a real one. */
  readonly lock?: (directory: string) => Promise<Lock>;
}

/** What lies in the file: `parse` throws KeyRefused where that can't be trusted. */
export interface SecretFormat<T> {
  readonly path: string;
  readonly parse: (bytes: Uint8Array | undefined) => T;
  /** Survives JSON. */
  readonly document: (content: T) => unknown;
}

const lockWait = { forMs: 5_000, everyMs: 20 };

export class SecretFile<T> {
  readonly #options: SecretFileOptions;
  readonly #format: SecretFormat<T>;
  #loaded: { readonly stamp: string; readonly content: T } | undefined;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: SecretFileOptions, format: SecretFormat<T>) {
    this.#options = options;
    this.#format = format;
  }

  /** The same object as long as the file is the same. */
  async load(): Promise<T> {
    const { files } = this.#options;
    const { path, parse } = this.#format;
    // The stat comes first: content that is newer than its stamp is read again the next time.
    const found = await files.stat(path);
    const stamp = found ? `${found.modifiedMs} ${found.sizeBytes}` : '';
    if (this.#loaded?.stamp !== stamp) {
      this.#loaded = { stamp, content: parse(await readFileIfPresent(files, path)) };
    }
    return this.#loaded.content;
  }

  /** One after the other, here and in other processes; what there is now is durable then. */
  change(change: (before: T) => T): Promise<T> {
    const changed = this.#changing.then(() => this.#locked(change));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #locked(change: (before: T) => T): Promise<T> {
    const { files, layout } = this.#options;
    const { path, parse, document } = this.#format;
    await files.makeDirectory(layout.keys, 0o700);
    const lock = await this.#lock();
    try {
      const content = change(parse(await readFileIfPresent(files, path)));
      const bytes = Buffer.from(`${JSON.stringify(document(content), null, 2)}\n`);
      await replaceFile(files, path, { bytes, permissions: 0o600 });
      this.#loaded = undefined;
      return content;
    } finally {
      await lock.release();
    }
  }

  async #lock(): Promise<Lock> {
    const { lock = takeLock, layout } = this.#options;
    const giveUp = performance.now() + lockWait.forMs;
    for (;;) {
      try {
        return await lock(layout.keysLock);
      } catch (cause) {
        if (!(cause instanceof LockFailed) || cause.failure !== 'held') throw cause;
        if (performance.now() > giveUp) {
          throw new KeyRefused(`${layout.keys} is being changed by another process: try again`, {
            cause,
          });
        }
        await pause(lockWait.everyMs);
      }
    }
  }
}

/**
 * The kernel lock of a data directory: one process at a time, across pid namespaces, and free again
 * as soon as that process is gone, however it went.
 *
 * Node has no flock, so `lock/` is an empty LevelDB, whose LOCK file is locked by fcntl. Such a lock
 * is dropped silently when its own process closes *any* descriptor of that file: no code reads LOCK,
 * and a directory that this process holds is never opened a second time.
 */
import { resolve } from 'node:path';
import { Level } from 'level';

export interface Lock {
  release(): Promise<void>;
}

/** `held`: by another process, or by this one. `full`: the disk has no space left. */
export type LockFailure = 'held' | 'full' | 'denied' | 'other';

export class LockFailed extends Error {
  override readonly name = 'LockFailed';
  readonly failure: LockFailure;

  constructor(failure: LockFailure, directory: string, cause?: unknown) {
    super(`${directory} can't be locked`, { cause });
    this.failure = failure;
  }
}

const heldHere = new Set<string>();

/** Takes the lock or throws `LockFailed`; never waits. */
export async function takeLock(directory: string): Promise<Lock> {
  const name = resolve(directory);
  if (heldHere.has(name)) throw new LockFailed('held', directory);
  heldHere.add(name);
  const level = new Level(name);
  try {
    await level.open();
  } catch (cause) {
    heldHere.delete(name);
    throw new LockFailed(failureOf(cause), directory, cause);
  }
  return {
    async release() {
      await level.close();
      heldHere.delete(name);
    },
  };
}

/** LevelDB tells a system error only by its text, which is strerror's in the C locale. */
function failureOf(error: unknown): LockFailure {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return 'other';
  if ('code' in cause && cause.code === 'LEVEL_LOCKED') return 'held';
  if (/No space left on device|Disk quota exceeded/.test(cause.message)) return 'full';
  if (/Permission denied|Read-only file system|Operation not permitted/.test(cause.message)) {
    return 'denied';
  }
  return 'other';
}

/**
 * Remembers in which directories names appeared by publishing, and makes them durable later.
 *
 * Blobs lie two directories deep. A directory's own name is durable only after an fsync of its
 * parent, and who created it may have crashed before that; so with the first blob in a directory its
 * parents are synced too, from the top down.
 *
 * After a failed fsync the kernel may report success although the names were lost, so no later one is
 * believed: all that follows fails too, until a new start, which has the log to publish from.
 */
import { dirname } from 'node:path';
import type { Files } from '#files';
import { eachLimited, takingTurns } from './concurrency.ts';

export interface PublishedNames {
  /** A blob's name is in `leaf` now: a directory two levels below the root. */
  appeared(leaf: string): void;
  /** Resolves when every name that appeared before the call is durable. Rejects for good after a failure. */
  sync(): Promise<void>;
}

const syncsAtOnce = 4;

export function publishedNames(files: Files): PublishedNames {
  let touched = new Set<string>();
  /** Leaves whose own names, and their parents', are durable. */
  const anchored = new Set<string>();
  // A second sync must not resolve while the first still syncs its names.
  const inTurn = takingTurns();
  let failed: { readonly cause: unknown } | undefined;

  async function syncTouched(): Promise<void> {
    if (failed) throw new Error('an earlier fsync of names failed', failed);
    const leaves = touched;
    touched = new Set();
    try {
      for (const level of topDown([...leaves], anchored)) {
        await eachLimited(level, syncsAtOnce, (directory) => files.syncDirectory(directory));
      }
    } catch (cause) {
      failed = { cause };
      throw cause;
    }
    for (const leaf of leaves) anchored.add(leaf);
  }

  return {
    appeared: (leaf) => void touched.add(leaf),
    sync: () => inTurn(syncTouched),
  };
}

/** The directories to sync, level by level: roots, their children, the leaves. */
function topDown(leaves: readonly string[], anchored: ReadonlySet<string>): string[][] {
  const parents = new Set<string>();
  for (const leaf of leaves) if (!anchored.has(leaf)) parents.add(dirname(leaf));
  const roots = new Set([...parents].map((parent) => dirname(parent)));
  return [[...roots], [...parents], [...leaves]];
}

/**
 * The promises of the disk store held against a disk that forgets: the power goes, or the process, at
 * every single call of a session, and what was promised before must be there after it.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BlobStore, Staged } from '../../src/blobs/blob-store.ts';
import { openDiskBlobs } from '../../src/blobs/disk.ts';
import type { BlobId } from '../../src/domain/names.ts';
import { blobIds, collect, expectBytes, patterned, reusingItsChunk } from '../support/bodies.ts';
import { createFaultyDisk, type FaultyDisk, Stopped } from '../support/faulty-disk.ts';

const directory = '/data';
const sizes = [0, 10, 5000, 300_000];
const open = (disk: FaultyDisk) =>
  openDiskBlobs({ files: disk.files, directory, newBlobId: blobIds() });

/** What the store has promised so far. */
interface Promised {
  readonly staged: Map<BlobId, { readonly facts: Staged; readonly bytes: Uint8Array }>;
  readonly finalized: Set<BlobId>;
}

async function session(store: BlobStore, promised: Promised): Promise<void> {
  async function stageOne(seed: number): Promise<BlobId> {
    const bytes = patterned(sizes[seed % sizes.length] ?? 0, seed + 1);
    const facts = await store.stage(reusingItsChunk(bytes, 100_000), { maxBytes: 1e9 });
    promised.staged.set(facts.blobId, { facts, bytes });
    return facts.blobId;
  }
  for (const round of [0, 1]) {
    const staged = await Promise.allSettled([0, 1, 2, 3].map((n) => stageOne(round * 4 + n)));
    const ids = staged.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    await store.publish(ids);
    await store.finalize();
    for (const id of ids) promised.finalized.add(id);
  }
}

async function expectKept(disk: FaultyDisk, promised: Promised): Promise<void> {
  const store = await open(disk);
  for (const id of promised.finalized) {
    const path = join(directory, 'blobs', id.slice(0, 2), id.slice(2, 4), id);
    expect(disk.peek(path), 'a finalized blob has its final name').toBeDefined();
  }
  await store.clearStaging(async (id) => promised.staged.has(id));
  expect(await store.listStaged()).toEqual([]);
  for (const { facts, bytes } of promised.staged.values()) {
    const blob = await store.open(facts);
    expectBytes(await collect(blob.bytes()), bytes);
    await blob.close();
  }
  const files = disk.paths().filter((path) => /[0-9a-f]{32}$/.test(path));
  expect(files, 'nothing that was not promised is left').toHaveLength(promised.staged.size);
}

async function freshDisk(): Promise<FaultyDisk> {
  const disk = createFaultyDisk();
  await disk.files.makeDirectory(directory);
  await disk.files.syncDirectory('/');
  return disk;
}

/** How many calls the session makes when nothing goes wrong. */
async function callsOfASession(): Promise<number> {
  const disk = await freshDisk();
  let calls = 0;
  disk.inject = ({ index }) => {
    calls = index;
    return undefined;
  };
  await session(await open(disk), { staged: new Map(), finalized: new Set() });
  return calls;
}

describe('whatever call the machine stops at', () => {
  test.each(['power loss', 'kill'] as const)('what was promised is there (%s)', async (how) => {
    const calls = await callsOfASession();
    expect(calls).toBeGreaterThan(60);
    for (let stopAt = 1; stopAt <= calls; stopAt += 1) {
      const disk = await freshDisk();
      const promised: Promised = { staged: new Map(), finalized: new Set() };
      disk.inject = ({ index }) =>
        index === stopAt ? { kind: 'stop', before: stopAt % 2 === 0 } : undefined;
      await open(disk)
        .then((store) => session(store, promised))
        .catch((cause: unknown) => {
          if (!(cause instanceof Stopped)) throw cause;
        });
      await expectKept(how === 'kill' ? disk.restart() : disk.powerLoss(stopAt), promised);
    }
  });

  test('a sync that lost its bytes promises nothing', async () => {
    const calls = await callsOfASession();
    for (let failAt = 1; failAt <= calls; failAt += 1) {
      const disk = await freshDisk();
      const promised: Promised = { staged: new Map(), finalized: new Set() };
      const store = await open(disk);
      let undone = false;
      disk.inject = ({ index, operation }) => {
        undone ||= operation === 'remove';
        return index === failAt && /sync/i.test(operation) ? { kind: 'lost sync' } : undefined;
      };
      await session(store, promised).catch((cause: unknown) => {
        expect(cause).toMatchObject({ code: 'EIO' });
      });
      // This disk can't cut the power while a removal is not durable.
      await expectKept(undone ? disk.restart() : disk.powerLoss(failAt), promised);
    }
  });
});

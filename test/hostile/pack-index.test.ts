/**
 * Wrong bytes in the tables of the packs' own LevelDB: flipped and cut. What the needles hold is given
 * out whatever becomes of the rows that tell where they lie, and the next start makes a sound index.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeFiles } from '#files';
import type { BlobStore, Staged } from '../../src/blobs/blob-store.ts';
import { layoutOf } from '../../src/home/layout.ts';
import { openBlobs } from '../../src/store-blobs.ts';
import { createObserve, random, randomIds, systemClock } from '../../src/world.ts';
import { collect, reusingItsChunk } from '../support/bodies.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const bodies = Array.from({ length: 300 }, (_, index) => Buffer.from(`body ${index}`));
const places = 6;
const warnings: string[] = [];
const observe = {
  ...createObserve({ level: 'silent', isTty: false }),
  warn: (message: string) => void warnings.push(message),
};

function openAt(directory: string): Promise<BlobStore> {
  return openBlobs({
    files: nodeFiles,
    layout: layoutOf(directory),
    clock: systemClock,
    ids: randomIds,
    random,
    observe,
  });
}

async function expectAll(store: BlobStore, facts: readonly Staged[]): Promise<void> {
  for (const [at, one] of facts.entries()) {
    const blob = await store.open(one);
    expect(Buffer.from(await collect(blob.bytes()))).toEqual(bodies[at]);
    await blob.close();
    expect(await store.has(one.blobId)).toBe(true);
  }
}

async function published(store: BlobStore): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const thing of store.published()) if (thing.kind === 'blob') found.add(thing.blobId);
  return found;
}

test('every blob is given out, and after one more start all is found by a walk as well', async () => {
  for (let place = 0; place < places; place += 1) {
    const directory = await temporaryDirectory();
    const first = await openAt(directory);
    const facts: Staged[] = [];
    for (const body of bodies) {
      facts.push(await first.stage(reusingItsChunk(body, 50), { maxBytes: 100 }));
    }
    await first.publish(facts.map(({ blobId }) => blobId));
    await first.close();
    await damage(join(directory, 'packs', 'index'), place);
    const damaged = await openAt(directory);
    await expectAll(damaged, facts);
    await published(damaged).catch(() => undefined);
    await damaged.close();
    expect(warnings.splice(0).join(), `place ${place}`).toContain('index of the packs');
    const next = await openAt(directory);
    const all = await published(next);
    for (const { blobId } of facts) expect(all).toContain(blobId);
    await expectAll(next, facts);
    await next.close();
  }
}, 60_000);

/** One flipped bit in the only table, or for the last place the second half of it. */
async function damage(index: string, place: number): Promise<void> {
  const [table = ''] = (await readdir(index)).filter((name) => name.endsWith('.ldb'));
  const bytes = await readFile(join(index, table));
  if (place === places - 1)
    return writeFile(join(index, table), bytes.subarray(0, bytes.length / 2));
  const at = Math.floor((bytes.length * place) / places);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  await writeFile(join(index, table), bytes);
}

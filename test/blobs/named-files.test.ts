/** Which blobs a server in front may send from the disk, and by what name. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDiskBlobs } from '../../src/blobs/disk.ts';
import { openMemoryBlobs } from '../../src/blobs/memory.ts';
import { blobIds, patterned, reusingItsChunk } from '../support/bodies.ts';
import { tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const noLimit = { maxBytes: Number.MAX_SAFE_INTEGER };
/** Too large for anything but a file of its own. */
const bytes = patterned(300_000);

test('a published blob names the file that holds it; a staged one, which still moves, does not', async () => {
  const directory = await temporaryDirectory();
  const store = await openDiskBlobs({ files: tappedFiles(), directory, newBlobId: blobIds() });
  const facts = await store.stage(reusingItsChunk(bytes, 64 * 1024), noLimit);
  const staged = await store.open(facts);
  expect(staged.file).toBeUndefined();
  await staged.close();
  await store.publish([facts.blobId]);
  const published = await store.open(facts);
  await published.close();
  const { blobId } = facts;
  expect(published.file).toBe(`blobs/${blobId.slice(0, 2)}/${blobId.slice(2, 4)}/${blobId}`);
  expect((await readFile(join(directory, published.file ?? ''))).equals(bytes)).toBe(true);
});

test('in memory there is no file to name', async () => {
  const store = openMemoryBlobs({ newBlobId: blobIds() });
  const facts = await store.stage(reusingItsChunk(bytes, 64 * 1024), noLimit);
  await store.publish([facts.blobId]);
  expect((await store.open(facts)).file).toBeUndefined();
});

import { expect, test } from 'vitest';
import { openLocations, publishedAt } from '../../../src/blobs/packs/locations.ts';
import type { BlobId } from '../../../src/domain/names.ts';
import { forgetfulIndex } from '../../support/forgetful-index.ts';

const id = (count: number) => count.toString(16).padStart(32, '0') as BlobId;
const row = (count: number) =>
  publishedAt(1, { blobId: id(count), offset: 8 * count, length: count });

async function openOn(index = forgetfulIndex()) {
  const database = await index.open({ fresh: false });
  const options = { newId: () => 'f'.repeat(32), isDamage: () => false };
  return { index, locations: await openLocations(database, options) };
}

test('what was set is written in a moment, also where something is set all the time', async () => {
  const { index, locations } = await openOn();
  let count = 1;
  let isBusy = true;
  index.onWrite = async () => {
    count += 1;
    if (isBusy) locations.set(id(count), row(count));
    // Others get their turn, so that a wait without an end does not hang the test.
    await new Promise((resolve) => setImmediate(resolve));
  };
  locations.set(id(1), row(1));
  await locations.written();
  const seen = count;
  isBusy = false;
  expect(index.rows.has(`62${id(1)}`)).toBe(true);
  expect(seen).toBeLessThan(10);
  await locations.close();
});

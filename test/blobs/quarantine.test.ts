import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDiskBlobs } from '../../src/blobs/disk.ts';
import { blobIds } from '../support/bodies.ts';
import { collect } from '../support/collect.ts';
import { tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function bench() {
  const directory = await temporaryDirectory();
  const store = await openDiskBlobs({ files: tappedFiles(), directory, newBlobId: blobIds() });
  const place = async (path: string) => {
    await mkdir(dirname(join(directory, 'blobs', path)), { recursive: true });
    await writeFile(join(directory, 'blobs', path), 'foreign');
  };
  return { directory, store, place };
}

const id = 'ab'.repeat(16);

describe('what is foreign in blobs/', () => {
  test.each([
    ['a file at the top', 'note.txt', 'note.txt'],
    ['a file beside the inner folders', 'ab/note.txt', 'ab/note.txt'],
    ['a file beside blobs', 'ab/ab/note.txt', 'ab/ab/note.txt'],
    ['a folder that is none of the store, as one thing', 'mine/and/yours.txt', 'mine'],
    ['a blob in the folder of another', `ab/cd/${id}`, `ab/cd/${id}`],
    ['a blob at the top', id, id],
    ['a name of any letters', 'ab/ab/ä % ..+ö', 'ab/ab/ä % ..+ö'],
  ])('is found, set aside and given back: %s', async (_what, path, thing) => {
    const { directory, store, place } = await bench();
    await place(path);
    expect(await collect(store.published())).toEqual([{ kind: 'foreign', path: thing }]);
    expect(await store.quarantine({ kind: 'foreign', path: thing }, 99)).toBe(true);
    expect(await collect(store.published())).toEqual([]);
    const [entry] = await collect(store.quarantined());
    if (!entry) throw new Error('nothing is quarantined');
    expect(entry).toMatchObject({ path: thing, arrivedMs: 99 });
    expect(entry.blobId).toBeUndefined();
    expect(await store.restore(entry)).toBe(true);
    expect(await readFile(join(directory, 'blobs', path), 'utf8')).toBe('foreign');
  });

  test('can be purged, folders too', async () => {
    const { directory, store, place } = await bench();
    await place('mine/and/yours.txt');
    await store.quarantine({ kind: 'foreign', path: 'mine' }, 99);
    for (const entry of await collect(store.quarantined())) await store.purge(entry);
    expect(await readdir(join(directory, 'quarantine'))).toEqual([]);
  });

  test('with a name too long to keep is set aside all the same, and stays there', async () => {
    const { store, place } = await bench();
    const path = `ab/${'%'.repeat(200)}`;
    await place(path);
    expect(await store.quarantine({ kind: 'foreign', path }, 99)).toBe(true);
    const [entry] = await collect(store.quarantined());
    if (!entry) throw new Error('nothing is quarantined');
    expect(entry.path).toBeUndefined();
    expect(await store.restore(entry)).toBe(false);
    expect(await collect(store.quarantined())).toHaveLength(1);
  });
});

describe('the folder of the quarantine', () => {
  test.each([
    'note.txt',
    `${id}.1.${encodeURIComponent('../../../etc/passwd')}`,
    `${id}.1.a%2F%2e%2e%2F%2e%2e%2Fb`,
    `${id}.1.%ff`,
  ])('never leads out of blobs/ by the name %s', async (name) => {
    const { directory, store } = await bench();
    await writeFile(join(directory, 'quarantine', name), 'x');
    for (const entry of await collect(store.quarantined())) {
      expect(entry.path).toBeUndefined();
      expect(await store.restore(entry)).toBe(false);
    }
    expect(await readdir(join(directory, 'quarantine'))).toEqual([name]);
  });

  test('a blob is given back to no place that is taken', async () => {
    const { directory, store } = await bench();
    await writeFile(join(directory, 'quarantine', `${id}.1`), 'old');
    await mkdir(join(directory, 'blobs/ab/ab'), { recursive: true });
    await writeFile(join(directory, 'blobs/ab/ab', id), 'new');
    const [entry] = await collect(store.quarantined());
    if (!entry) throw new Error('nothing is quarantined');
    expect(await store.restore(entry)).toBe(false);
    expect(await readFile(join(directory, 'blobs/ab/ab', id), 'utf8')).toBe('new');
  });
});

/**
 * Keeps a small picture of each PNG of one bucket in another. It hears of what happens, also of what
 * happened while it was away: it writes down how far it came, and begins there the next time.
 *
 *   STORE_URL=http://127.0.0.1:8787 STORE_TOKEN=… node thumbnailer.mjs photos thumbnails cursor.txt
 *
 * Making a thumbnail twice gives the same thumbnail. So it writes its place down after the work: a
 * crash in between repeats one event and loses none.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { AerostoreError, createClient, cursorOf } from 'aerostore/client';
import { decode, encode } from 'fast-png';

const { STORE_URL: url = 'http://127.0.0.1:8787', STORE_TOKEN: token = '' } = process.env;
const [from = 'photos', to = 'thumbnails', cursorFile = 'cursor.txt'] = process.argv.slice(2);
const largest = 128;

const store = createClient({ url, token });
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

const cursor = await readFile(cursorFile, 'utf8').catch(() => 'beginning');
const events = store.events({
  bucket: from,
  from: cursor.trim(),
  signal: stop.signal,
  onReconnect: (cause) => console.log(`connecting again: ${cause}`),
});

for await (const event of events) {
  await follow(event);
  await writeFile(`${cursorFile}.new`, cursorOf(event));
  await rename(`${cursorFile}.new`, cursorFile);
}

async function follow(event) {
  const { type, bucket, path, previous } = event;
  if (type === 'storage.object.created' || type === 'storage.object.updated') await make(path);
  if (type === 'storage.object.deleted' && !(await isThere(event))) await unmake(path);
  if (type === 'storage.object.moved') {
    // Into the bucket, out of it, or within it.
    if (previous?.bucket === from) await unmake(previous.path);
    if (bucket === from) await make(path);
  }
}

async function make(path) {
  const picture = await store.bucket(from).download(path).catch(none);
  // It is gone again: the event that says so is on its way.
  if (picture?.contentType !== 'image/png') return;
  const small = shrink(decode(await picture.bytes()));
  await store.bucket(to).upload(path, encode(small), { contentType: 'image/png' });
  console.log(`made ${path}`);
}

async function unmake(path) {
  await store.bucket(to).remove(path).catch(none);
  console.log(`removed ${path}`);
}

/** What went with its bucket may have come back since, as another object of the same path. */
async function isThere({ path, object_id }) {
  const info = await store.bucket(from).info(path).catch(none);
  return info !== undefined && info.id !== object_id;
}

function none(fault) {
  if (fault instanceof AerostoreError && fault.status === 404) return undefined;
  throw fault;
}

/** The nearest pixel for each: good enough for an example. */
function shrink({ width, height, channels, data, depth }) {
  const scale = Math.min(1, largest / Math.max(width, height));
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const pixels =
    depth === 16 ? new Uint16Array(w * h * channels) : new Uint8Array(w * h * channels);
  for (let y = 0; y < h; y += 1) {
    for (let x = 0; x < w; x += 1) {
      const source = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      pixels.set(data.subarray(source, source + channels), (y * w + x) * channels);
    }
  }
  return { width: w, height: h, channels, depth, data: pixels };
}

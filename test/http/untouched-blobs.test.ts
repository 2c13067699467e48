/** What has no bytes in its answer asks the disk for nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type StoreDoor, startStoreDoor } from './support/store-door.ts';

let door: StoreDoor;
let etag = '';

const headers = { 'content-type': 'text/plain' };

beforeAll(async () => {
  door = await startStoreDoor({ rig: { packUpToBytes: 0 } });
  await door.call('/bucket', { method: 'POST', json: { name: 'pub', public: true } });
  const body = 'x'.repeat(100_000);
  const stored = await door.call('/object/pub/a.txt', { method: 'PUT', headers, body });
  expect(stored.status).toBe(200);
  etag = stored.headers.get('etag') ?? '';
});
afterAll(() => door.close());

/** The calls to the disk while a request is answered, which has `status`. */
async function callsOf(path: string, init: Parameters<StoreDoor['call']>[1], status: number) {
  const { disk } = door.rig;
  await door.rig.store.settled();
  disk.record = true;
  disk.calls.length = 0;
  const answer = await door.call(path, init);
  expect(answer.status).toBe(status);
  await answer.arrayBuffer();
  const paths = disk.calls.map((call) => call.path);
  disk.record = false;
  return paths.filter((one) => /\/(?:blobs|packs|staging)\//.test(one));
}

test('a GET opens the blob, which shows that opening would be seen', async () => {
  expect(await callsOf('/object/pub/a.txt', {}, 200)).not.toEqual([]);
});

test.each([
  ['a HEAD', 200, { method: 'HEAD' }],
  ['a HEAD with a range', 200, { method: 'HEAD', headers: { range: 'bytes=0-9' } }],
  ['a 416', 416, { headers: { range: 'bytes=200000-' } }],
  ['a 412', 412, { headers: { 'if-match': '"other"' } }],
])('%s opens nothing', async (_name, status, init) => {
  expect(await callsOf('/object/pub/a.txt', init, status)).toEqual([]);
});

test('a 304 opens nothing', async () => {
  const init = { headers: { 'if-none-match': etag } };
  expect(await callsOf('/object/pub/a.txt', init, 304)).toEqual([]);
});

test.each(['GET', 'HEAD'])('%s of the info opens nothing', async (method) => {
  expect(await callsOf('/object/info/pub/a.txt', { method }, 200)).toEqual([]);
});

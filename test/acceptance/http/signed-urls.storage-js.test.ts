/** Signed URLs through @supabase/storage-js, unmodified. */
import { StorageClient } from '@supabase/storage-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Server, startServer } from '../support/server.ts';
import { makeBucket, put } from '../support/store.ts';
import { user } from '../support/tokens.ts';

const alice = user('alice');
const body = 'twenty bytes of text';
const name = 'ordner/ü & +=(x).txt';
let server: Server;
let files: ReturnType<StorageClient['from']>;

beforeAll(async () => {
  server = await startServer();
  const bucket = await makeBucket(server, { owner: 'alice' });
  await put(server, `${bucket}/${name}`, { token: alice, body });
  const headers = { authorization: `Bearer ${alice}` };
  files = new StorageClient(`${server.url}/storage/v1`, headers).from(bucket);
});
afterAll(() => server.stop());

test('createSignedUrl: a URL that anyone opens, also to save under a name', async () => {
  const plain = await files.createSignedUrl(name, 60);
  expect(plain.error).toBeNull();
  expect(await (await fetch(plain.data?.signedUrl ?? '')).text()).toBe(body);
  const saved = await files.createSignedUrl(name, 60, { download: 'x.txt' });
  const reply = await fetch(saved.data?.signedUrl ?? '');
  expect(reply.headers.get('content-disposition')).toMatch(/^attachment; filename="?x\.txt/);
  expect(await reply.text()).toBe(body);
});

test('createSignedUrl of what is not there is an error', async () => {
  const { data, error } = await files.createSignedUrl('missing', 60);
  expect(data).toBeNull();
  expect(error?.message).toBe('Object not found');
});

test('createSignedUrls: each path its own, or its own error', async () => {
  const { data, error } = await files.createSignedUrls([name, 'missing'], 60);
  expect(error).toBeNull();
  expect(data?.map(({ path, error: fault }) => [path, fault === null])).toEqual([
    [name, true],
    ['missing', false],
  ]);
  expect(data?.[1]?.signedUrl).toBeNull();
  expect(await (await fetch(data?.[0]?.signedUrl ?? '')).text()).toBe(body);
});

test('createSignedUploadUrl and uploadToSignedUrl: from a Blob and from bytes', async () => {
  for (const content of [new Blob([body], { type: 'text/plain' }), Buffer.from(body)]) {
    const to = `up/${typeof content}/${content.constructor.name}`;
    const { data, error } = await files.createSignedUploadUrl(to);
    expect(error).toBeNull();
    const { token = '', path = '' } = data ?? {};
    const stored = await files.uploadToSignedUrl(path, token, content, {
      contentType: 'text/plain',
    });
    expect(stored.error).toBeNull();
    expect(stored.data).toMatchObject({ path: to, fullPath: expect.stringContaining(`/${to}`) });
    const info = await files.info(to);
    expect(info.data).toMatchObject({ size: 20, contentType: 'text/plain' });
    const again = await files.uploadToSignedUrl(path, token, content, { upsert: true });
    expect(again.error?.message).toBe('The resource already exists');
    const over = await files.createSignedUploadUrl(to, { upsert: true });
    const replaced = await files.uploadToSignedUrl(to, over.data?.token ?? '', 'shorter');
    expect(replaced.error).toBeNull();
  }
});

/** The client against a whole store over HTTP. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AerostoreError,
  type Client,
  createClient,
  type Progress,
} from '../../src/client/index.ts';
import { token } from '../http/support/door.ts';
import { type StoreDoor, startStoreDoor } from '../http/support/store-door.ts';

let door: StoreDoor;
let ann: Client;
let bob: Client;

beforeAll(async () => {
  door = await startStoreDoor();
  ann = createClient({ url: `${door.origin}/`, token: await token('ann') });
  bob = createClient({ url: door.origin, token: () => token('bob') });
  await ann.buckets.create('photos', { policy: 'public' });
});

afterAll(() => door.close());

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('buckets', () => {
  test('are made, changed, listed, emptied and deleted', async () => {
    const made = await ann.buckets.create('notes', { max_file_size: '1kb' });
    expect(made).toMatchObject({ name: 'notes', policy: 'private', max_file_size: 1_000 });
    const changed = await ann.buckets.update('notes', { max_file_size: null });
    expect(changed.max_file_size).toBeNull();
    expect(await ann.buckets.get('notes')).toMatchObject({ owner_id: 'ann' });
    const names = (await ann.buckets.list({ search: 'OTE' })).map(({ name }) => name);
    expect(names).toEqual(['notes']);
    const notes = ann.bucket('notes');
    await notes.upload('a', 'text');
    expect(await refusal(ann.buckets.remove('notes'))).toMatchObject({ code: 'BucketNotEmpty' });
    expect(await ann.buckets.empty('notes')).toBe(1);
    await ann.buckets.remove('notes');
    await ann.buckets.create('notes');
    await ann.bucket('notes').upload('a', 'text');
    await ann.buckets.remove('notes', { force: true });
    expect(await refusal(ann.buckets.get('notes'))).toMatchObject({ status: 404 });
  });
});

describe('objects', () => {
  const path = 'ganz/ü & %2F?#.txt';

  test('come back as they were sent, whatever they were sent as', async () => {
    const photos = ann.bucket('photos');
    const bytes = new TextEncoder().encode('grüße');
    for (const body of [
      'grüße',
      bytes,
      bytes.buffer,
      new Blob([bytes]),
      new Blob([bytes]).stream(),
    ]) {
      const uploaded = await photos.upload(path, body);
      expect(uploaded).toMatchObject({ path, size: 7, Key: `photos/${path}` });
      expect(uploaded.content_type).toBe('text/plain');
      expect(await (await photos.download(path)).text()).toBe('grüße');
    }
    const download = await photos.download(path);
    expect(download).toMatchObject({ sizeBytes: 7, contentType: 'text/plain' });
    expect((await (await photos.download(path)).blob()).size).toBe(7);
    expect(await (await photos.download(path)).bytes()).toEqual(bytes);
    const stream = await all((await photos.download(path)).stream());
    expect(Buffer.concat(stream).toString()).toBe('grüße');
    const range = await photos.download(path, { range: { start: 0, end: 1 } });
    expect(await range.text()).toBe('gr');
    expect(await createClient({ url: door.origin }).bucket('photos').exists(path)).toBe(true);
    expect((await fetch(photos.publicUrl(path))).status).toBe(200);
  });

  test('carry type, cache control and metadata, and change without an upload', async () => {
    const photos = ann.bucket('photos');
    const metadata = { project: 'Ä', n: 1 };
    const sent = new Blob(['x'], { type: 'image/gif' });
    const { etag } = await photos.upload('meta', sent, { cacheControl: 'max-age=5', metadata });
    expect(await photos.info('meta')).toMatchObject({
      content_type: 'image/gif',
      cache_control: 'max-age=5',
      metadata,
    });
    const patched = await photos.patch('meta', { metadata: null }, { ifMatch: etag });
    expect(patched.metadata).toEqual({});
    const stale = photos.patch('meta', { metadata: null }, { ifMatch: 'other' });
    expect(await refusal(stale)).toMatchObject({ status: 412, code: 'PreconditionFailed' });
  });

  test('tell how far their upload is', async () => {
    const seen: Progress[] = [];
    const body = new Blob([new Uint8Array(300_000)]);
    await ann
      .bucket('photos')
      .upload('big', body, { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(0)).toEqual({ sentBytes: 0, totalBytes: 300_000 });
    expect(seen.at(-1)).toEqual({ sentBytes: 300_000, totalBytes: 300_000 });
    expect(seen.length).toBeGreaterThan(2);
    const sent = seen.map(({ sentBytes }) => sentBytes);
    expect(sent).toEqual([...sent].sort((left, right) => left - right));
  });

  test('are listed to the last page, copied, moved and deleted', async () => {
    await ann.buckets.create('files');
    const files = ann.bucket('files');
    for (const name of ['a/1', 'a/2', 'b', 'c']) await files.upload(name, name);
    const listed = await all(files.list({ limit: 1, delimiter: '/' }));
    const names = listed.map((one) => (one.kind === 'object' ? one.object.path : one.prefix));
    expect(names).toEqual(['a/', 'b', 'c']);
    expect(await all(files.list({ prefix: 'a/', limit: 1 }))).toHaveLength(2);
    expect(await files.copy('b', 'copied', { metadata: { x: 1 } })).toMatchObject({
      path: 'copied',
      metadata: { x: 1 },
    });
    expect(await refusal(files.copy('b', 'c'))).toMatchObject({ code: 'KeyAlreadyExists' });
    await files.copy('b', 'c', { upsert: true });
    await files.move('c', 'moved', { bucket: 'photos' });
    expect(await files.exists('c')).toBe(false);
    expect(await ann.bucket('photos').exists('moved')).toBe(true);
    await files.remove('b');
    const removed = await files.removeMany(['a/1', 'a/2', 'nothing']);
    expect(removed).toMatchObject({ deleted: 2, skipped: 1 });
    expect(removed.rows.map(({ name }) => name)).toEqual(['a/1', 'a/2']);
  });

  test('of an idempotent upload are stored once', async () => {
    const photos = ann.bucket('photos');
    const options = { idempotencyKey: 'k1' };
    const first = await photos.upload('once', 'x', options);
    expect((await photos.upload('once', 'x', options)).version).toBe(first.version);
  });
});

describe('a refusal', () => {
  test('is an error with its code, its request and its facts', async () => {
    const error = await refusal(bob.bucket('photos').remove('big'));
    expect(error).toBeInstanceOf(AerostoreError);
    expect(error).toMatchObject({ name: 'AerostoreError', status: 403, code: 'AccessDenied' });
    expect((error as AerostoreError).requestId).toMatch(/\w/);
  });

  test('of a path that a URL would bend comes before any request', async () => {
    const asked: string[] = [];
    const client = createClient({
      url: door.origin,
      fetch: async (input) => {
        asked.push(String(input));
        return new Response('<html>', { status: 502 });
      },
    });
    for (const path of ['../x', 'a/../b', 'a/.']) {
      expect(await refusal(client.bucket('b').download(path))).toMatchObject({
        code: 'InvalidKey',
      });
    }
    expect(asked).toEqual([]);
    expect(await refusal(client.buckets.list())).toMatchObject({ status: 502, code: 'Unknown' });
    expect(asked).toEqual([`${door.origin}/storage/v1/bucket`]);
  });
});

test('signed URLs let others read and write, until they are revoked', async () => {
  const photos = ann.bucket('photos');
  await ann.buckets.create('closed');
  const closed = ann.bucket('closed');
  const path = 'ä b/c?.txt';
  const given = await closed.signedUrls.upload(path, { expiresIn: 60, max_size: '1kb' });
  const nobody = createClient({ url: door.origin });
  await nobody.uploadSigned(given.signed_url, 'signed', { contentType: 'text/plain' });
  const again = nobody.uploadSigned(given.signed_url, 'again');
  expect(await refusal(again)).toMatchObject({ code: 'KeyAlreadyExists' });
  const { url, token: word } = await closed.signedUrls.download(path, { expiresIn: 60 });
  expect(await (await fetch(url)).text()).toBe('signed');
  const [one, none] = await closed.signedUrls.downloads([path, 'none'], { expiresIn: 60 });
  expect(await (await fetch(String(one?.url))).text()).toBe('signed');
  expect(none).toMatchObject({ url: null, error: expect.any(String) });
  await closed.signedUrls.revokeToken(word);
  expect((await fetch(url)).status).toBe(403);
  await closed.signedUrls.revoke({ path });
  expect((await fetch(String(one?.url))).status).toBe(403);
  expect(await photos.exists('nothing')).toBe(false);
});

test('queries go through every page', async () => {
  const where = { bucket_id: 'eq.photos', size: ['gte.0', 'lt.1000000'] };
  const paths = await all(
    ann.query.objects({ where, limit: 2, order: 'path.desc', select: ['path'] }),
  );
  const plain = await all(ann.bucket('photos').list());
  const expected = plain.map((one) => (one.kind === 'object' ? one.object.path : '')).reverse();
  expect(paths.map(({ path }) => path)).toEqual(expected);
  expect(Object.keys(paths[0] ?? {})).toEqual(['path']);
  const buckets = await all(bob.query.buckets({ where: { policy: 'eq.public' } }));
  expect(buckets.map(({ name }) => name)).toEqual(['photos']);
  expect((await ann.query.objectPage({ limit: 1 })).next_cursor).not.toBeNull();
});

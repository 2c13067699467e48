/** Reading: bytes and their headers, info, deletes, lists. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDoor, type TestDoor, until } from './support/door.ts';
import { modified, path, seed, text } from './support/seed.ts';

let door: TestDoor;
let etag = '';
beforeAll(async () => {
  door = await startDoor();
});
afterAll(() => door.close());
beforeEach(async () => {
  etag = await seed(door);
});

const get = (headers: Record<string, string> = {}, method = 'GET') =>
  door.call(path, { method, headers, as: null });

describe('a download', () => {
  test('has the bytes and tells what they are', async () => {
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe(text);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '10',
      etag: `"${etag}"`,
      'last-modified': modified,
      'accept-ranges': 'bytes',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers.has('content-security-policy')).toBe(false);
    expect(answer.headers.has('content-disposition')).toBe(false);
  });

  test.each(['', '/authenticated', '/info', '/info/authenticated'])(
    'is found under /object%s',
    async (word) => {
      expect((await door.call(`/object${word}/priv/a/%E3%81%82.txt`)).status).toBe(200);
      expect((await door.call(`/object${word}/priv/a/%E3%81%82.txt`, { as: 'bob' })).status).toBe(
        404,
      );
    },
  );
  test.each(['/public', '/info/public'])('under /object%s needs a public bucket', async (word) => {
    expect((await door.call(`/object${word}/pub/a/%E3%81%82.txt`, { as: null })).status).toBe(200);
    expect((await door.call(`/object${word}/priv/a/%E3%81%82.txt`)).status).toBe(404);
  });

  test('by HEAD has the same head, no body, and opens nothing', async () => {
    const answer = await get({ range: 'bytes=0-1' }, 'HEAD');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-length')).toBe('10');
    expect(answer.headers.get('etag')).toBe(`"${etag}"`);
    door.service.fault = 'missing';
    expect((await get({}, 'HEAD')).status).toBe(200);
    expect((await door.call('/object/pub/none', { method: 'HEAD' })).status).toBe(404);
  });

  test('of what anonymous callers can not read is private, whatever the uploader said', async () => {
    const cacheOf = async (cacheControl: string) => {
      await door.call('/object/priv/x', {
        method: 'PUT',
        body: 'x',
        headers: { 'cache-control': cacheControl },
      });
      return (await door.call('/object/priv/x')).headers.get('cache-control');
    };
    expect(await cacheOf('public, max-age=60')).toBe('max-age=60, private');
    expect(await cacheOf('private')).toBe('private');
    const answer = await door.call('/object/priv/a/%E3%81%82.txt');
    expect(answer.headers.get('cache-control')).toBe('no-cache, private');
  });

  test.each([
    ['text/html', true],
    ['TEXT/HTML; charset=x', true],
    ['image/svg+xml', true],
    ['application/xml', true],
    ['application/xhtml+xml', true],
    ['application/octet-stream', true],
    ['what/ever', true],
    ['nonsense', true],
    ['image/png', false],
    ['application/json', false],
  ])('of %s is sandboxed: %s', async (type, isSandboxed) => {
    await door.call('/object/pub/x', {
      method: 'PUT',
      body: 'x',
      headers: { 'content-type': type },
    });
    const policy = (await door.call('/object/pub/x')).headers.get('content-security-policy');
    expect(policy).toBe(isSandboxed ? "sandbox; default-src 'none'" : null);
  });

  test.each([
    ['download', `attachment; filename="?.txt"; filename*=UTF-8''%E3%81%82.txt`],
    ['download=', `attachment; filename="?.txt"; filename*=UTF-8''%E3%81%82.txt`],
    ['download=a%20b.txt', 'attachment; filename="a b.txt"'],
    ['download=a%0d%0ax:%20y/../z%22', 'attachment; filename="a__x: y_.._z\\""'],
  ])('with ?%s comes as an attachment', async (query, expected) => {
    const answer = await door.call(`${path}?${query}`);
    expect(answer.headers.get('content-disposition')).toBe(expected);
  });

  test.each([
    'version=1',
    'as_of=1',
    'width=1',
    'height=1',
    'resize=fill',
    'quality=1',
    'format=webp',
  ])('with ?%s is refused by name', async (query) => {
    const answer = await door.call(`${path}?${query}`);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { message: string }).message).toContain(query.split('=')[0]);
  });
  test('ignores parameters that it does not know', async () => {
    expect((await door.call(`${path}?cacheNonce=1&x`)).status).toBe(200);
  });

  test('of what is missing and of what is hidden is answered alike', async () => {
    const seen = async (target: string) => {
      const answer = await door.call(target, { as: 'bob', headers: { 'x-request-id': 'same' } });
      const { date: _date, ...headers } = Object.fromEntries(answer.headers);
      return [answer.status, headers, await answer.text()];
    };
    expect(await seen('/object/priv/a/%E3%81%82.txt')).toEqual(await seen('/object/nosuch/x'));
  });
});

describe('bytes', () => {
  const large = Buffer.from(Array.from({ length: 1_000_000 }, (_none, index) => index % 251));
  beforeEach(async () => {
    await door.call('/object/pub/large', { method: 'PUT', body: large });
  });

  test('come through whole although their producer reuses its buffer', async () => {
    const answer = await door.call('/object/pub/large');
    expect(Buffer.from(await answer.arrayBuffer()).equals(large)).toBe(true);
    await until(() => door.service.counts.open === 0);
  });

  test.each(['missing', 'damaged at once'] as const)(
    'that are %s are a 500 that tells nothing',
    async (fault) => {
      door.service.fault = fault;
      const answer = await door.call('/object/pub/large');
      expect(answer.status).toBe(500);
      expect(await answer.text()).not.toContain('secret');
      expect(door.service.counts.open).toBe(0);
      const id = answer.headers.get('x-request-id');
      expect(door.lines.find(({ facts }) => facts.request_id === id && facts.fault)).toMatchObject({
        level: 'error',
      });
    },
  );

  test('that break on the way end in a broken connection', async () => {
    door.service.fault = 'damaged later';
    const answer = await door.call('/object/pub/large');
    expect(answer.status).toBe(200);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    await until(() => door.service.counts.open === 0);
  });

  test('are closed when the client leaves', async () => {
    const reading = new AbortController();
    const answer = await door.call('/object/pub/large', { signal: reading.signal });
    await answer.body?.getReader().read();
    reading.abort();
    await until(() => door.service.counts.open === 0);
  });
});

test('info is the object with last_modified, name and bucket_id', async () => {
  const answer = await door.call('/object/info/pub/a/%E3%81%82.txt');
  expect(answer.headers.get('etag')).toBe(`"${etag}"`);
  const info = await answer.json();
  expect(info).toMatchObject({
    bucket: 'pub',
    bucket_id: 'pub',
    path: 'a/あ.txt',
    name: 'a/あ.txt',
    last_modified: '2026-01-02T03:04:05.678Z',
    metadata: {},
  });
  expect(info).not.toHaveProperty('updated_at');
});

test('a delete meets if-match and says so', async () => {
  const remove = (headers: Record<string, string>) =>
    door.call('/object/pub/a/%E3%81%82.txt', { method: 'DELETE', headers });
  expect((await remove({ 'if-match': '"x"' })).status).toBe(412);
  const answer = await remove({ 'if-match': `"${etag}"` });
  expect(await answer.json()).toEqual({ message: 'Successfully deleted' });
  expect(answer.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
  expect((await remove({})).status).toBe(404);
});

describe('a list', () => {
  const list = async (query: string) => {
    const answer = await door.call(`/object/list/pub${query}`);
    return [answer.status, await answer.json()] as [number, Record<string, never>];
  };
  test('goes on from its cursor to a null at the end', async () => {
    await door.call('/object/pub/b', { method: 'PUT', body: 'b' });
    const [, first] = await list('?limit=1');
    expect(first).toMatchObject({ objects: [{ path: 'a/あ.txt', bucket: 'pub' }], prefixes: [] });
    const [, second] = await list(`?limit=1&cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ objects: [{ path: 'b' }], next_cursor: null });
  });
  test('is clamped to 1,000, and passes prefix and delimiter on', async () => {
    await list('?limit=100000&prefix=a%2F&delimiter=%2F');
    expect(door.service.lastListing).toEqual({
      bucket: 'pub',
      prefix: 'a/',
      delimiter: '/',
      limit: 1000,
    });
  });
  test.each([
    'limit=0',
    'limit=1.5',
    'limit=a',
    'cursor=abc',
    'cursor=%20',
    'as_of=1',
    'prefix=a&prefix=b',
  ])('with %s is refused by name', async (query) => {
    const [status, problem] = await list(`?${query}`);
    expect(status).toBe(400);
    expect(problem.message).toContain(query.split('=')[0]);
  });
});

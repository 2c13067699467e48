/** What the door makes of the bodies and headers of changes without an upload. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDoor, type TestDoor } from '../support/door.ts';
import { seed } from '../support/seed.ts';

let door: TestDoor;
beforeAll(async () => {
  door = await startDoor();
});
beforeEach(async () => {
  await seed(door);
  door.service.asked.length = 0;
});
afterAll(() => door.close());

const path = 'a/あ.txt';
const body = { bucketId: 'pub', sourceKey: path, destinationKey: 'b' };
const post = (to: string, json: unknown, headers: Record<string, string> = {}) =>
  door.call(to, { method: 'POST', json, headers });
const asked = () => door.service.asked.at(-1) as Record<string, unknown>;

describe('copy and move', () => {
  test('stay in the bucket unless another is named', async () => {
    await post('/object/copy', body);
    expect(asked()).toMatchObject({
      source: { bucket: 'pub', path },
      target: { bucket: 'pub', path: 'b' },
      overwrite: false,
    });
    expect(asked()).not.toHaveProperty('metadata');
    await post('/object/move', { ...body, destinationBucket: 'priv' }, { 'x-upsert': 'TRUE' });
    expect(asked()).toMatchObject({ target: { bucket: 'priv' }, overwrite: true });
  });

  test.each([
    [{ copyMetadata: false }, null],
    [{ metadata: {} }, null],
    [{ metadata: null }, null],
    [{ metadata: { a: 1 } }, '{"a":1}'],
  ])('with %j carry the metadata %j', async (more, metadata) => {
    await post('/object/copy', { ...body, ...more });
    expect(asked()).toMatchObject({ metadata });
  });

  test('are told apart by what they answer', async () => {
    const copied = await (await post('/object/copy', body)).json();
    const moved = await (await post('/object/move', body)).json();
    expect(copied).toMatchObject({ Key: 'pub/b' });
    expect(moved).toMatchObject({ message: 'Successfully moved' });
  });
});

describe('what a field names is refused with the name of the field', () => {
  test.each([
    ['POST', '/object/copy', { ...body, sourceKey: '../x' }, 'sourceKey'],
    ['POST', '/object/move', { ...body, destinationKey: '\ud800' }, 'destinationKey'],
    ['POST', '/object/copy', { ...body, bucketId: 'sign' }, 'bucketId'],
    ['POST', '/object/copy', { ...body, destinationBucket: '' }, 'destinationBucket'],
    ['DELETE', '/object/pub', { prefixes: ['a', ''] }, 'prefixes.1'],
    ['POST', '/object/sign/pub', { paths: ['a', 'b', '/c'] }, 'paths.2'],
    ['POST', '/object/sign/revoke', { bucket: 'pub', path: 'a/..' }, 'path'],
    ['POST', '/object/sign/revoke', { bucket: '' }, 'bucket'],
    ['POST', '/bucket', { name: 'upload' }, 'name'],
    ['POST', '/bucket', { id: 'upload' }, 'id'],
    ['POST', '/object/list/pub', { prefix: '\ud800' }, 'prefix'],
    ['POST', '/object/list/pub', { search: 'a\udc00' }, 'search'],
    ['POST', '/object/list-v2/pub', { prefix: '\ud800' }, 'prefix'],
  ])('%s %s %j', async (method, at, json, field) => {
    const answer = await door.call(at, { method, json });
    expect(answer.status).toBe(400);
    const message = expect.stringContaining(`"${field}": `);
    expect(await answer.json()).toMatchObject({ message });
  });

  test('null is no body, where one may be missing', async () => {
    const answer = await door.call('/object/list/pub', { method: 'POST', json: null });
    expect(answer.status).toBe(400);
  });
});

describe('PATCH', () => {
  const patch = (json: unknown, headers: Record<string, string> = {}) =>
    door.call('/object/pub/a/%E3%81%82.txt', { method: 'PATCH', json, headers });

  test('says what is given and nothing else', async () => {
    await patch({ metadata: null, content_type: null });
    expect(asked().changes).toEqual({ metadata: null, content_type: null });
    await patch({}, { 'if-version': 'v1', 'if-match': '"t"' });
    expect(asked()).toMatchObject({
      changes: {},
      ifVersion: 'v1',
      ifMatch: [{ tag: 't', weak: false }],
    });
  });

  test('passes on the date that the object must not have changed since', async () => {
    const date = 'Fri, 02 Jan 2026 03:04:05 GMT';
    await patch({}, { 'if-unmodified-since': date });
    expect(asked()).toMatchObject({ ifUnmodifiedSinceMs: Date.parse(date) });
  });

  test('of metadata with prototype keys keeps them as text', async () => {
    const json = JSON.parse('{"metadata":{"__proto__":{"x":1},"constructor":2}}');
    await patch(json);
    expect(asked().changes).toEqual({ metadata: '{"__proto__":{"x":1},"constructor":2}' });
    expect({}).not.toHaveProperty('x');
  });
});

describe('delete many', () => {
  test('counts in headers', async () => {
    const answer = await door.call('/object/pub', {
      method: 'DELETE',
      json: { prefixes: [path, 'none'] },
    });
    expect(answer.headers.get('x-aerostore-deleted')).toBe('1');
    expect(answer.headers.get('x-aerostore-skipped')).toBe('1');
    expect(await answer.json()).toMatchObject([{ name: path, bucket_id: 'pub' }]);
  });
});

describe('an idempotency key', () => {
  const hashOf = async (json: unknown, headers: Record<string, string> = {}) => {
    await post('/object/copy', json, { 'idempotency-key': 'k', ...headers });
    const { idempotency } = asked().call as { idempotency: { key: string; request_hash: string } };
    expect(idempotency.key).toBe('k');
    return idempotency.request_hash;
  };

  test('comes with a hash of what was asked, and of the headers that matter', async () => {
    const first = await hashOf(body);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await hashOf(body)).toBe(first);
    expect(await hashOf(body, { 'x-request-id': 'other', 'user-agent': 'other' })).toBe(first);
    expect(await hashOf({ ...body, destinationKey: 'c' })).not.toBe(first);
    expect(await hashOf(body, { 'x-upsert': 'true' })).not.toBe(first);
  });

  test('is not there unless it is sent', async () => {
    await post('/object/copy', body);
    expect(asked().call).not.toHaveProperty('idempotency');
  });
});

describe('the lists of storage-js', () => {
  test('have their defaults', async () => {
    await post('/object/list/pub', { prefix: 'a' });
    expect(asked()).toMatchObject({
      prefix: 'a/',
      delimiter: '/',
      search: '',
      by: 'path',
      order: 'asc',
      offset: 0,
      limit: 100,
    });
    await post('/object/list-v2/pub', { prefix: 'a' });
    expect(asked()).toMatchObject({ prefix: 'a', by: 'path', order: 'asc', limit: 1000 });
    expect(asked()).not.toHaveProperty('delimiter');
  });

  test('sort by the last change where the last access is asked for', async () => {
    const sortBy = { column: 'last_accessed_at', order: 'desc' };
    await post('/object/list/pub', { sortBy, limit: 5000 });
    expect(asked()).toMatchObject({ by: 'updated_at', order: 'desc', limit: 1000 });
  });
});

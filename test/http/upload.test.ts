/** Uploading: raw bodies, their headers, and forms. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openForm } from '../../src/http/objects/multipart.ts';
import { startDoor, type TestDoor } from './support/door.ts';

let door: TestDoor;
beforeAll(async () => {
  door = await startDoor();
});
afterAll(() => door.close());
beforeEach(async () => {
  door.service.rows.clear();
  door.service.objects_.clear();
  await door.call('/bucket', {
    method: 'POST',
    json: { name: 'b', write_policy: 'authenticated' },
  });
  Object.assign(door.service.counts, { begun: 0, stored: 0 });
});

const put = (
  path: string,
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = {},
) => door.call(`/object/b/${path}`, { method: 'PUT', body, headers });
const post = (
  path: string,
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = {},
) => door.call(`/object/b/${path}`, { method: 'POST', body, headers });
const json = async (answer: Response) => (await answer.json()) as Record<string, unknown>;
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('an upload', () => {
  test('answers with the object, Id, Key, its tag and its position', async () => {
    const answer = await post('dir/%E3%81%82%20%25.txt', 'hello', {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'max-age=60',
      'x-metadata': base64('{"project":"x"}'),
    });
    expect(answer.status).toBe(200);
    const body = await json(answer);
    expect(body).toEqual({
      id: expect.any(String),
      bucket: 'b',
      path: 'dir/あ %.txt',
      size: 5,
      content_type: 'text/plain; charset=utf-8',
      owner_id: 'ann',
      etag: expect.stringMatching(/^[0-9a-f]{64}$/),
      version: expect.any(String),
      cache_control: 'max-age=60',
      metadata: { project: 'x' },
      created_at: '2026-01-02T03:04:05.678Z',
      updated_at: '2026-01-02T03:04:05.678Z',
      Id: body.id,
      Key: 'b/dir/あ %.txt',
    });
    expect(answer.headers.get('etag')).toBe(`"${body.etag}"`);
    expect(answer.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('without a type leaves the guess to the service, and without metadata has {}', async () => {
    expect(await json(await put('x', Buffer.from('x')))).toMatchObject({
      content_type: 'text/x-guessed',
      metadata: {},
      cache_control: null,
    });
  });

  test('of no bytes and of 4 MiB comes through whole, declared or chunked', async () => {
    const large = Buffer.alloc(4 * 1024 * 1024, 'abcdefg');
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(large);
        controller.close();
      },
    });
    expect(await json(await put('empty', Buffer.alloc(0)))).toMatchObject({ size: 0 });
    expect(await json(await put('large', large))).toMatchObject({ size: large.byteLength });
    const answer = await door.call('/object/b/chunked', {
      method: 'PUT',
      body: chunked,
      ...{ duplex: 'half' },
    });
    expect(await json(answer)).toMatchObject({ size: large.byteLength });
    expect(door.service.objects_.get('b\nchunked')?.bytes.equals(large)).toBe(true);
  });

  test('by POST overwrites unless x-upsert is false, by PUT always', async () => {
    expect((await post('x', '1')).status).toBe(200);
    expect((await post('x', '2', { 'x-upsert': 'true' })).status).toBe(200);
    const refused = await post('x', '3', { 'x-upsert': 'false' });
    expect(refused.status).toBe(409);
    expect(await json(refused)).toMatchObject({ code: 'KeyAlreadyExists', error: 'Duplicate' });
    expect((await put('x', '4', { 'x-upsert': 'false' })).status).toBe(200);
  });

  test('meets if-match and if-none-match', async () => {
    const { etag } = await json(await put('x', '1', { 'if-none-match': '*' }));
    expect((await put('x', '2', { 'if-none-match': '*' })).status).toBe(412);
    expect((await put('x', '2', { 'if-match': '"other"' })).status).toBe(412);
    expect((await put('x', '2', { 'if-match': `W/"${etag}"` })).status).toBe(412);
    expect((await put('x', '2', { 'if-match': `"a", "${etag}"` })).status).toBe(200);
    expect((await put('y', '2', { 'if-match': '*' })).status).toBe(412);
  });

  test('is checked against content-digest before it is stored', async () => {
    const digest = (text: string, name = 'sha-256') => ({
      'content-digest': `${name}=:${createHash(name.replace('-', '')).update(text).digest('base64')}:`,
    });
    expect((await put('x', 'hello', digest('hello'))).status).toBe(200);
    expect((await put('x', 'hello', digest('hello', 'sha-512'))).status).toBe(200);
    const refused = await put('y', 'hello', digest('hellO'));
    expect(refused.status).toBe(400);
    expect(await json(refused)).toMatchObject({ code: 'BadDigest' });
    expect(door.service.objects_.has('b\ny')).toBe(false);
  });

  const bad: [string, Record<string, string>, string][] = [
    ['digest', { 'content-digest': 'sha-256=abc' }, 'BadDigest'],
    ['metadata that is no base64', { 'x-metadata': '{"a":1}' }, 'InvalidMetadata'],
    ['metadata that is no JSON', { 'x-metadata': base64('{a}') }, 'InvalidMetadata'],
    ['metadata that is no object', { 'x-metadata': base64('[1]') }, 'InvalidMetadata'],
    ['metadata that is no UTF-8', { 'x-metadata': '/w==' }, 'InvalidMetadata'],
    [
      'metadata over 8 KiB',
      { 'x-metadata': base64(`{"a":"${'x'.repeat(8192)}"}`) },
      'InvalidMetadata',
    ],
    ['upsert', { 'x-upsert': 'maybe' }, 'InvalidRequest'],
    ['tag', { 'if-match': 'abc' }, 'InvalidRequest'],
    ['range', { 'content-range': 'bytes 0-1/2' }, 'InvalidRequest'],
    ['type', { 'content-type': 'é' }, 'InvalidRequest'],
  ];
  test.each(bad)(
    'with a bad %s is refused without reading its body',
    async (_name, headers, code) => {
      const answer = await put('x', 'body', headers);
      expect(answer.status).toBe(400);
      expect(await json(answer)).toMatchObject({ code });
      expect(door.service.counts.begun).toBe(0);
    },
  );
});

describe('a form', () => {
  const form = (parts: [string, string | Blob, string?][]) => {
    const data = new FormData();
    for (const [name, value, filename] of parts) {
      if (typeof value === 'string') data.append(name, value);
      else data.append(name, value, filename);
    }
    return data;
  };
  const file = new Blob(['hello'], { type: 'image/png' });

  test('with fields before and after a file without a name', async () => {
    const answer = await post(
      'x',
      form([
        ['cacheControl', '3600'],
        ['', file],
        ['metadata', '{"ü":1}'],
      ]),
    );
    expect(await json(answer)).toMatchObject({
      size: 5,
      content_type: 'image/png',
      cache_control: 'max-age=3600',
      metadata: { ü: 1 },
    });
    expect(door.service.objects_.get('b\nx')?.bytes.toString()).toBe('hello');
  });

  test.each(['before', 'after'])('whose contentType stands %s the file', async (where) => {
    const type: [string, string] = ['contentType', 'Text/Plain; charset=utf-8'];
    const parts: [string, string | Blob][] =
      where === 'before' ? [type, ['f', file]] : [['f', file], type];
    expect(await json(await post('x', form(parts)))).toMatchObject({
      content_type: 'Text/Plain; charset=utf-8',
    });
  });

  test('of 4 MiB streams through', async () => {
    const large = Buffer.alloc(4 * 1024 * 1024, '\r\n--x');
    await post(
      'x',
      form([
        ['', new Blob([large])],
        ['cacheControl', 'no-store'],
      ]),
    );
    const stored = door.service.objects_.get('b\nx');
    expect(stored?.bytes.equals(large)).toBe(true);
    expect(stored?.cache_control).toBe('no-store');
  });

  const lines = (parts: string[], end = '--X--\r\n') =>
    parts.map((part) => `--X\r\n${part}\r\n`).join('') + end;
  const filePart = 'Content-Disposition: form-data; name=""; filename="a"\r\n\r\nhello';
  const raw = (text: string, type = 'multipart/form-data; boundary=X') =>
    post('x', Buffer.from(text, 'latin1'), { 'content-type': type });

  test('whose file has no type, or an odd one, keeps what was said', async () => {
    expect(await json(await raw(lines([filePart])))).toMatchObject({
      content_type: 'text/x-guessed',
      size: 5,
    });
    const nameless = filePart.replace(' name="";', '');
    expect(await json(await raw(lines([nameless])))).toMatchObject({ size: 5 });
    const typed = filePart.replace('\r\n\r\n', '\r\nContent-Type: Text/HTML; Charset="X"\r\n\r\n');
    expect(await json(await raw(lines([typed])))).toMatchObject({
      content_type: 'Text/HTML; Charset="X"',
    });
    expect(await json(await raw(lines([filePart.replace('hello', '')])))).toMatchObject({
      size: 0,
    });
  });

  const field = (name: string, value: string) =>
    `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`;
  test.each<[string, string, string?]>([
    ['without a boundary', lines([filePart]), 'multipart/form-data'],
    ['with another boundary', lines([filePart]), 'multipart/form-data; boundary=Y'],
    ['without a file', lines([field('cacheControl', '1')])],
    ['with two files', lines([filePart, filePart])],
    ['that ends within its file', lines([filePart], '').slice(0, -4)],
    ['without its last boundary', lines([filePart], '')],
    ['with a part that has no disposition', lines(['Content-Type: a/b\r\n\r\nx', filePart])],
    [
      'with too many parts',
      lines([...Array.from({ length: 30 }, () => field('a', 'b')), filePart]),
    ],
    ['with a field too long', lines([field('metadata', 'x'.repeat(20_000)), filePart])],
    ['with a late field too long', lines([filePart, field('metadata', 'x'.repeat(20_000))])],
    ['with a field that is not UTF-8', lines([field('metadata', '{"a":"\xff"}'), filePart])],
    ['with a field twice', lines([field('metadata', '{}'), filePart, field('metadata', '{}')])],
    ['with seconds below nothing', lines([field('cacheControl', '-5'), filePart])],
    ['with broken seconds', lines([field('cacheControl', '1e3'), filePart])],
    ['with seconds beyond all time', lines([field('cacheControl', '9'.repeat(40)), filePart])],
    ['with a type that is no header', lines([field('contentType', 'a/b\r\nx: y'), filePart])],
    ['that is empty', ''],
    ['with a long way to its first line', 'x'.repeat(2_000_000) + lines([filePart])],
    ['that goes on long after its end', lines([filePart]) + 'x'.repeat(2_000_000)],
  ])('%s is refused and nothing is stored', async (_name, text, type) => {
    const answer = await raw(text, type);
    expect(answer.status).toBe(400);
    expect(await json(answer)).toMatchObject({ code: 'InvalidRequest' });
    expect(door.service.counts.stored).toBe(0);
  });

  test.each([
    ['0', 'max-age=0'],
    [' 0060 ', 'max-age=60'],
    ['2147483648', 'max-age=2147483648'],
    ['max-age=5', 'max-age=5'],
  ])('with the cacheControl "%s" keeps "%s"', async (given, kept) => {
    const answer = await raw(lines([field('cacheControl', given), filePart]));
    expect(await json(answer)).toMatchObject({ cache_control: kept });
  });

  test('with metadata that is no object', async () => {
    const answer = await raw(lines([filePart, field('metadata', '[]')]));
    expect(await json(answer)).toMatchObject({ code: 'InvalidMetadata' });
  });

  test('is read no further than its file is', async () => {
    let given = 0;
    async function* body() {
      yield Buffer.from(`--X\r\n${filePart}`);
      for (; given < 128; given += 1) yield Buffer.alloc(64 * 1024);
      yield Buffer.from('\r\n--X--');
    }
    const opened = openForm(body(), 'X');
    const part = await opened.file();
    if (!part.ok) throw new Error('no file');
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(given).toBeLessThan(10);
    let size = 0;
    for await (const chunk of part.value.bytes) size += chunk.byteLength;
    expect(size).toBe('hello'.length + 128 * 64 * 1024);
    expect(await opened.fields()).toMatchObject({ ok: true });
  });

  test('larger than the bucket allows is refused while it streams', async () => {
    await door.call('/bucket/b', { method: 'PUT', json: { max_file_size: 1000 } });
    const answer = await post('x', form([['', new Blob([Buffer.alloc(200_000)])]]));
    expect(answer.status).toBe(413);
    expect(door.service.counts.stored).toBe(0);
  });
});

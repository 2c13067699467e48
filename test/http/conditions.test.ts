/** Preconditions and ranges of a download. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDoor, type TestDoor } from './support/door.ts';
import { earlier, modified, path, seed, text } from './support/seed.ts';

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

describe('a write that must not meet a later change', () => {
  const write = (method: string, date: string) =>
    door.call(path.replace('/public', ''), { method, headers: { 'if-unmodified-since': date } });

  test.each(['PUT', 'POST', 'DELETE'])('%s by its date', async (method) => {
    expect((await write(method, earlier)).status).toBe(412);
    expect((await write(method, modified)).status).toBe(200);
  });
});

describe('preconditions, in the order of RFC 9110 §13.2.2', () => {
  const tag = () => `"${etag}"`;
  test.each<[string, () => Record<string, string>, number]>([
    ['if-match met', () => ({ 'if-match': `"x", ${tag()}` }), 200],
    ['if-match with empty elements', () => ({ 'if-match': `, ${tag()},, "x" ,` }), 200],
    ['if-match of empty elements only', () => ({ 'if-match': ', ,' }), 400],
    ['if-match star', () => ({ 'if-match': '*' }), 200],
    ['if-match missed', () => ({ 'if-match': '"x"' }), 412],
    ['if-match is strong', () => ({ 'if-match': `W/${tag()}` }), 412],
    [
      'if-match before if-unmodified-since',
      () => ({ 'if-match': tag(), 'if-unmodified-since': earlier }),
      200,
    ],
    ['if-unmodified-since missed', () => ({ 'if-unmodified-since': earlier }), 412],
    ['if-unmodified-since met', () => ({ 'if-unmodified-since': modified }), 200],
    ['if-none-match met', () => ({ 'if-none-match': tag() }), 304],
    ['if-none-match is weak', () => ({ 'if-none-match': `W/${tag()}` }), 304],
    [
      'if-none-match before if-modified-since',
      () => ({ 'if-none-match': '"x"', 'if-modified-since': modified }),
      200,
    ],
    ['if-modified-since', () => ({ 'if-modified-since': modified }), 304],
    [
      'if-modified-since in the form of RFC 850',
      () => ({ 'if-modified-since': 'Friday, 02-Jan-26 03:04:05 GMT' }),
      304,
    ],
    [
      'if-modified-since in the form of asctime',
      () => ({ 'if-modified-since': 'Fri Jan  2 03:04:05 2026' }),
      304,
    ],
    ['if-modified-since earlier', () => ({ 'if-modified-since': earlier }), 200],
    ['a date that is none', () => ({ 'if-modified-since': '2030-01-01' }), 200],
    ['304 comes before the range', () => ({ 'if-none-match': tag(), range: 'bytes=99-' }), 304],
    ['412 comes before 304', () => ({ 'if-match': '"x"', 'if-none-match': tag() }), 412],
  ])('%s', async (_name, headers, status) => {
    const answer = await get(headers());
    expect(answer.status).toBe(status);
    if (status !== 304) return;
    expect(answer.headers.get('etag')).toBe(tag());
    expect(answer.headers.get('last-modified')).toBe(modified);
    expect(answer.headers.get('cache-control')).toBe('no-cache');
  });
});

describe('a range', () => {
  test.each([
    ['bytes=0-0', '0', '0-0'],
    ['bytes=2-4', '234', '2-4'],
    ['bytes=8-', '89', '8-9'],
    ['bytes=8-99999999999999999999', '89', '8-9'],
    ['bytes=-3', '789', '7-9'],
    ['bytes=-99', text, '0-9'],
    ['Bytes=1-1', '1', '1-1'],
  ])('%s is a part', async (range, bytes, contentRange) => {
    const answer = await get({ range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get('content-range')).toBe(`bytes ${contentRange}/10`);
    expect(answer.headers.get('content-length')).toBe(String(bytes.length));
    expect(await answer.text()).toBe(bytes);
  });
  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s lies outside', async (range) => {
    const answer = await get({ range });
    expect(answer.status).toBe(416);
    expect(answer.headers.get('content-range')).toBe('bytes */10');
    expect(await answer.json()).toMatchObject({ code: 'InvalidRange', statusCode: '416' });
  });
  test.each(['bytes=0-1,3-4', 'bytes=4-2', 'bytes=', 'bytes=-', 'bytes=a-b', 'items=0-1', '0-1'])(
    '%s is ignored',
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(200);
      expect(await answer.text()).toBe(text);
    },
  );
  test('of no bytes: a suffix is the whole, anything else lies outside', async () => {
    await door.call('/object/pub/empty', { method: 'PUT', body: '' });
    const part = async (range: string) =>
      (await door.call('/object/pub/empty', { headers: { range } })).status;
    expect(await part('bytes=-5')).toBe(200);
    expect(await part('bytes=0-')).toBe(416);
  });
  test('holds only while If-Range does', async () => {
    const status = async (ifRange: string) =>
      (await get({ range: 'bytes=0-1', 'if-range': ifRange })).status;
    expect(await status(`"${etag}"`)).toBe(206);
    expect(await status(modified)).toBe(206);
    expect(await status('"x"')).toBe(200);
    expect(await status(`W/"${etag}"`)).toBe(200);
    expect(await status(earlier)).toBe(200);
  });
});

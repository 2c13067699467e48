/** API.md "Objects": ranges, conditions in the order of RFC 9110 §13.2.2, cache and safety headers, CORS. */
import type { OutgoingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, encodePath, type Reply } from '../support/client.ts';
import { etagOf } from '../support/hashes.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { leavesNothing, makeBucket, put } from '../support/store.ts';
import { user } from '../support/tokens.ts';

let server: Server;
let bucket: string;
let etag: string;
let modified: string;
const token = user('alice');
const small = Buffer.from('0123456789');
/** Several CRC pieces of 256 KiB, and a rest. */
const large = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 7) % 256));

beforeAll(async () => {
  server = await startServer();
  bucket = await makeBucket(server);
  await put(server, `${bucket}/ten`, {
    token,
    body: small,
    headers: { 'content-type': 'text/plain' },
  });
  await put(server, `${bucket}/large`, { token, body: large });
  etag = `"${await etagOf(small)}"`;
  modified = String((await get('ten')).headers['last-modified']);
});
afterAll(() => server?.kill());

const get = (path: string, headers: OutgoingHttpHeaders = {}, method = 'GET'): Promise<Reply> =>
  ask(server, `/object/${bucket}/${path}`, { method, token, headers });

describe('Range', () => {
  const ranges: [string, string, string][] = [
    ['bytes=0-3', '0123', '0-3'],
    ['bytes=4-', '456789', '4-9'],
    ['bytes=-2', '89', '8-9'],
    ['bytes=-100', '0123456789', '0-9'],
    ['bytes=9-9', '9', '9-9'],
    ['bytes=5-1000', '56789', '5-9'],
  ];
  test.each(ranges)('%s is %j', async (range, body, shown) => {
    const reply = await get('ten', { range });
    expect(reply.status).toBe(206);
    expect(reply.text()).toBe(body);
    expect(reply.headers).toMatchObject({
      'content-range': `bytes ${shown}/10`,
      'content-length': String(body.length),
      'content-type': 'text/plain',
      etag,
    });
  });

  test.each(['bytes=10-', 'bytes=10-20', 'bytes=100-', 'bytes=-0'])(
    '%s is not there',
    async (range) => {
      const reply = await get('ten', { range });
      expectProblem(reply, '416 InvalidRange');
      expect(reply.headers['content-range']).toBe('bytes */10');
    },
  );

  test.each(['bytes=', 'bytes=a-b', 'bytes=5-2', 'lines=0-1', 'bytes 0-1', '0-1'])(
    '%j is no range, so the whole object answers',
    async (range) => {
      const reply = await get('ten', { range });
      expect(reply.status).toBe(200);
      expect(reply.bytes.equals(small)).toBe(true);
    },
  );

  test('several ranges are answered by the whole object', async () => {
    const reply = await get('ten', { range: 'bytes=0-1,4-5' });
    expect(reply.status).toBe(200);
    expect(reply.bytes.equals(small)).toBe(true);
  });

  test.each([
    [0, 0],
    [262_143, 262_144],
    [262_144, 262_144],
    [100, 600_000],
    [524_287, 699_999],
    [0, 699_999],
    [262_144, 524_287],
  ])('bytes %i to %i of a large object', async (first, last) => {
    const reply = await get('large', { range: `bytes=${first}-${last}` });
    expect(reply.status).toBe(206);
    expect(reply.headers['content-range']).toBe(`bytes ${first}-${last}/700000`);
    expect(reply.bytes.equals(large.subarray(first, last + 1))).toBe(true);
  });

  test('If-Range keeps the range while the tag matches, else the whole object answers', async () => {
    const range = 'bytes=0-1';
    expect((await get('ten', { range, 'if-range': etag })).status).toBe(206);
    expect((await get('ten', { range, 'if-range': '"other"' })).status).toBe(200);
    expect((await get('ten', { range, 'if-range': `W/${etag}` })).status, 'weak').toBe(200);
    const old = new Date(Date.parse(modified) - 60_000).toUTCString();
    expect((await get('ten', { range, 'if-range': old })).status).toBe(200);
  });
});

describe('conditions on reading', () => {
  const earlier = () => new Date(Date.parse(modified) - 60_000).toUTCString();
  const later = () => new Date(Date.parse(modified) + 60_000).toUTCString();
  const cases: [string, () => OutgoingHttpHeaders, number][] = [
    ['If-Match with the tag', () => ({ 'if-match': etag }), 200],
    ['If-Match *', () => ({ 'if-match': '*' }), 200],
    ['If-Match in a list', () => ({ 'if-match': `"a", ${etag}` }), 200],
    ['If-Match with another tag', () => ({ 'if-match': '"other"' }), 412],
    ['If-Match compares strongly', () => ({ 'if-match': `W/${etag}` }), 412],
    ['If-None-Match with the tag', () => ({ 'if-none-match': etag }), 304],
    ['If-None-Match compares weakly', () => ({ 'if-none-match': `W/${etag}` }), 304],
    ['If-None-Match *', () => ({ 'if-none-match': '*' }), 304],
    ['If-None-Match in a list', () => ({ 'if-none-match': `"a", ${etag}, "b"` }), 304],
    ['If-None-Match with another tag', () => ({ 'if-none-match': '"other"' }), 200],
    ['If-Modified-Since its own time', () => ({ 'if-modified-since': modified }), 304],
    ['If-Modified-Since later', () => ({ 'if-modified-since': later() }), 304],
    ['If-Modified-Since earlier', () => ({ 'if-modified-since': earlier() }), 200],
    ['If-Modified-Since that is no date', () => ({ 'if-modified-since': 'soon' }), 200],
    ['If-Unmodified-Since its own time', () => ({ 'if-unmodified-since': modified }), 200],
    ['If-Unmodified-Since earlier', () => ({ 'if-unmodified-since': earlier() }), 412],
    [
      'If-Match outranks If-Unmodified-Since',
      () => ({ 'if-match': etag, 'if-unmodified-since': earlier() }),
      200,
    ],
    [
      'If-None-Match outranks If-Modified-Since',
      () => ({ 'if-none-match': '"other"', 'if-modified-since': later() }),
      200,
    ],
    ['a failed If-Match comes first', () => ({ 'if-match': '"x"', 'if-none-match': etag }), 412],
    ['412 comes before a range', () => ({ 'if-match': '"x"', range: 'bytes=100-' }), 412],
    ['304 comes before a range', () => ({ 'if-none-match': etag, range: 'bytes=100-' }), 304],
  ];
  test.each(cases)('%s: %s', async (_, headers, status) => {
    for (const method of ['GET', 'HEAD']) {
      const reply = await get('ten', headers(), method);
      expect(reply.status, method).toBe(status);
      if (status === 412 && method === 'GET') expectProblem(reply, '412 PreconditionFailed');
      if (status === 304) {
        expect(reply.bytes.length).toBe(0);
        expect(reply.headers.etag).toBe(etag);
        expect(reply.headers['cache-control']).toMatch(/no-cache/);
      }
      if (status === 200 && method === 'GET') expect(reply.bytes.equals(small)).toBe(true);
    }
  });

  test('a missing object is missing, whatever the conditions', async () => {
    for (const headers of [
      { 'if-match': '"x"' },
      { 'if-none-match': '*' },
      { range: 'bytes=9-' },
    ]) {
      expectProblem(await get('none', headers), '404 NoSuchKey');
    }
  });
});

describe('optimistic concurrency', () => {
  const write = (path: string, headers: OutgoingHttpHeaders, method = 'PUT') =>
    ask(server, `/object/${bucket}/${path}`, {
      method,
      token,
      headers,
      ...(method === 'DELETE' ? {} : { body: 'next' }),
    });

  test('If-Match writes only over what was read', async () => {
    const stored = await put(server, `${bucket}/cas`, { token, body: 'first' });
    const tag = `"${String(stored.json().etag)}"`;
    for (const ifMatch of ['"other"', `W/${tag}`]) {
      for (const method of ['PUT', 'POST', 'DELETE']) {
        const reply = await leavesNothing(server, () =>
          write('cas', { 'if-match': ifMatch }, method),
        );
        expectProblem(reply, '412 PreconditionFailed');
      }
    }
    expect((await write('cas', { 'if-match': tag })).status).toBe(200);
    const late = await leavesNothing(server, () => write('cas', { 'if-match': tag }));
    expectProblem(late, '412 PreconditionFailed');
    expect((await write('cas', { 'if-match': '*' })).status).toBe(200);
    expect((await write('cas', { 'if-match': tag }, 'DELETE')).status).toBe(412);
    expect((await write('cas', { 'if-match': '*' }, 'DELETE')).status).toBe(200);
  });

  test('If-Match on nothing fails, If-None-Match: * on something fails', async () => {
    const absent = await leavesNothing(server, () => write('absent', { 'if-match': '*' }));
    expectProblem(absent, '412 PreconditionFailed');
    expect((await write('absent', { 'if-none-match': '*' })).status).toBe(200);
    const present = await leavesNothing(server, () => write('absent', { 'if-none-match': '*' }));
    expectProblem(present, '412 PreconditionFailed');
  });

  test('of many who read the same tag exactly one writes', async () => {
    const stored = await put(server, `${bucket}/race`, { token, body: 'first' });
    const headers = { 'if-match': `"${String(stored.json().etag)}"` };
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        ask(server, `/object/${bucket}/race`, { method: 'PUT', token, headers, body: `w${index}` }),
      ),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 412)).toHaveLength(11);
  });
});

describe('headers of a download', () => {
  const directives = (reply: Reply) =>
    String(reply.headers['cache-control']).split(/,\s*/).toSorted();

  test.each([
    ['private', ['no-cache', 'private']],
    ['authenticated', ['no-cache', 'private']],
    ['public', ['no-cache']],
  ])('cache-control in a %s bucket, by default', async (policy, wanted) => {
    const own = await makeBucket(server, { settings: { policy } });
    await put(server, `${own}/a`, { token, body: 'x' });
    expect(directives(await ask(server, `/object/${own}/a`, { token }))).toEqual(wanted);
  });

  test.each([
    ['private', ['max-age=60', 'private']],
    ['public', ['max-age=60']],
  ])('cache-control in a %s bucket, as uploaded', async (policy, wanted) => {
    const own = await makeBucket(server, { settings: { policy } });
    const headers = { 'cache-control': 'max-age=60' };
    await put(server, `${own}/a`, { token, body: 'x', headers });
    expect(directives(await ask(server, `/object/${own}/a`, { token }))).toEqual(wanted);
  });

  test('nothing that anonymous callers can’t read is left in a shared cache', async () => {
    const headers = { 'cache-control': 'public, max-age=60' };
    await put(server, `${bucket}/cache`, { token, body: 'x', headers });
    const found = directives(await get('cache'));
    expect(found).toContain('private');
    expect(found).not.toContain('public');
  });

  test.each([
    ['text/html', true],
    ['text/html; charset=utf-8', true],
    ['TEXT/HTML', true],
    ['image/svg+xml', true],
    ['application/xml', true],
    ['text/xml', true],
    ['application/xhtml+xml', true],
    ['application/octet-stream', true],
    ['application/x-never-heard-of', true],
    ['image/png', false],
    ['text/plain', false],
    ['application/json', false],
    ['video/mp4', false],
  ])('%s is sandboxed: %s', async (type, sandboxed) => {
    await put(server, `${bucket}/typed`, { token, body: 'x', headers: { 'content-type': type } });
    const reply = await get('typed');
    expect(reply.headers['x-content-type-options']).toBe('nosniff');
    const policy = reply.headers['content-security-policy'];
    if (sandboxed) expect(policy).toBe("sandbox; default-src 'none'");
    else if (type !== 'application/json') expect(policy).toBeUndefined();
  });

  test.each([
    ['?download', 'file name.txt', /^attachment; filename="file name\.txt"$/],
    ['?download=', 'file name.txt', /^attachment; filename="file name\.txt"$/],
    ['?download=other.pdf', 'file name.txt', /^attachment; filename="?other\.pdf"?$/],
    [
      `?download=${encodeURIComponent('報告 "1".pdf')}`,
      'x',
      /^attachment; .*filename\*=UTF-8''%E5%A0%B1%E5%91%8A/,
    ],
    ['?download=a%0d%0aset-cookie:x', 'x', /^attachment; filename/],
    ['', 'x', undefined],
  ])('%s of %j', async (query, name, wanted) => {
    await put(server, `${bucket}/disposition/${name}`, { token, body: 'x' });
    const path = `disposition/${encodeURIComponent(name)}${query}`;
    const reply = await get(path);
    expect(reply.status).toBe(200);
    expect(reply.headers['set-cookie']).toBeUndefined();
    if (wanted === undefined) expect(reply.headers['content-disposition']).toBeUndefined();
    else expect(reply.headers['content-disposition']).toMatch(wanted);
  });

  test('unknown query parameters are ignored, those with a meaning that is not there are refused', async () => {
    expect((await get('ten?cacheNonce=1&x')).status).toBe(200);
    const unsupported = [
      'width=100',
      'height=1',
      'resize=cover',
      'quality=50',
      'format=webp',
      'version=1',
      'as_of=1',
    ];
    for (const query of unsupported) expectProblem(await get(`ten?${query}`), '400 InvalidRequest');
  });

  test('the query is no part of the path', async () => {
    await put(server, `${bucket}/q?a`, { token, body: 'question' });
    expect((await get(`${encodePath('q?a')}?a=b`)).text()).toBe('question');
    expectProblem(await get('q?a'), '404 NoSuchKey');
  });
});

describe('CORS', () => {
  const origin = 'https://app.example';
  const exposed = [
    'etag',
    'content-range',
    'accept-ranges',
    'content-disposition',
    'location',
    'retry-after',
    'x-request-id',
    'x-aerostore-position',
  ];
  const preflight = (target: Server, from = origin) =>
    ask(target, `/object/${bucket}/ten`, {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization, x-upsert, x-never-heard-of',
      },
    });

  test('a preflight allows any origin, method of the API and header, never credentials', async () => {
    const reply = await preflight(server);
    expect([200, 204]).toContain(reply.status);
    expect(reply.headers['access-control-allow-origin']).toBe('*');
    const methods = String(reply.headers['access-control-allow-methods']);
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      expect(methods).toContain(method);
    }
    const headers = String(reply.headers['access-control-allow-headers']).toLowerCase();
    for (const name of ['authorization', 'x-upsert', 'x-never-heard-of'])
      expect(headers).toContain(name);
    expect(reply.headers['access-control-allow-credentials']).toBeUndefined();
  });

  test('answers and refusals alike are readable by scripts, with their headers', async () => {
    for (const path of ['ten', 'none', '..']) {
      const reply = await get(path, { origin });
      expect(reply.headers['access-control-allow-origin'], path).toBe('*');
      const names = String(reply.headers['access-control-expose-headers']).toLowerCase();
      for (const name of exposed) expect(names).toContain(name);
      expect(reply.headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  test('where origins are listed, only those are allowed', async () => {
    const strict = await startServer({ env: { AEROSTORE_CORS_ORIGINS: origin } });
    try {
      const allowed = await preflight(strict);
      expect(allowed.headers['access-control-allow-origin']).toBe(origin);
      expect(String(allowed.headers.vary).toLowerCase()).toContain('origin');
      const refused = await preflight(strict, 'https://evil.example');
      expect(refused.headers['access-control-allow-origin']).not.toBe('https://evil.example');
      expect(refused.headers['access-control-allow-origin']).not.toBe('*');
    } finally {
      await strict.kill();
    }
  });
});

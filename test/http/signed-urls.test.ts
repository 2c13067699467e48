/** The signed-URL routes: what goes in and out, to the letter. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { token as loginToken, RawClient } from './support/door.ts';
import { asking, body, problem } from './support/signing.ts';
import { type StoreDoor, startStoreDoor } from './support/store-door.ts';

let door: StoreDoor;

beforeAll(async () => {
  door = await startStoreDoor();
  await door.call('/bucket', { method: 'POST', json: { name: 'b' } });
  await put('/object/b/a.txt');
});
afterAll(() => door.close());

const { put, post, asNobody, signed, signedUpload } = asking(() => door);
const below = (url: string) => url.slice(`${door.origin}/storage/v1`.length);

describe('signing a download', () => {
  test('answers an absolute encoded URL, a relative plain one, and its end', async () => {
    await put(`/object/b/${encodeURIComponent('ü %41 &x')}/c+d.txt`);
    const answer = await signed(`b/${encodeURIComponent('ü %41 &x')}/c+d.txt`, { expiresIn: 60 });
    const { url, expires_at, signedURL, token, ...rest } = answer;
    expect(rest).toEqual({});
    const expires = Math.ceil(Date.parse(expires_at) / 1000);
    expect(expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const place = '/storage/v1/object/sign/b/%C3%BC%20%2541%20%26x/c%2Bd.txt';
    expect(url).toBe(`${door.origin}${place}?token=${token}&expires=${expires}`);
    expect(signedURL).toBe(`/object/sign/b/ü %41 &x/c+d.txt?token=${token}`);
    for (const path of [below(url), encodeURI(signedURL)]) {
      expect(await (await asNobody(path)).text()).toBe(body);
    }
  });

  test('is for an hour unless told, by the query or the body', async () => {
    const validity = async (query: string, json: unknown) => {
      const reply = await post(`/object/sign/b/a.txt${query}`, json);
      const { token } = (await reply.json()) as { token: string };
      const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
      return payload.exp_ms - payload.iat_ms;
    };
    expect(await validity('', {})).toBe(3_600_000);
    expect(await validity('?expires_in=5', {})).toBe(5_000);
    expect(await validity('', { expiresIn: 7 })).toBe(7_000);
    expect(await validity('?expires_in=7', { expiresIn: 7 })).toBe(7_000);
    expect((await post('/object/sign/b/a.txt', undefined)).status).toBe(200);
  });

  test('tells nothing in the token but what it must', async () => {
    const { token } = await signed();
    const [header, payload] = token
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString());
    expect(JSON.parse(header ?? '')).toEqual({ alg: 'HS256', typ: 'JWT', kid: expect.any(String) });
    expect(Object.keys(JSON.parse(payload ?? '')).sort()).toEqual([
      'bucket',
      'bucket_uid',
      'exp',
      'exp_ms',
      'iat',
      'iat_ms',
      'jti',
      'operation',
      'path',
      'role',
      'sub',
      'version',
    ]);
  });

  test.each([
    ['', { expiresIn: 604_801 }, '400 InvalidRequest: "expiresIn" must be at most 604800 seconds'],
    ['?expires_in=604801', {}, '400 InvalidRequest: "expiresIn" must be at most 604800 seconds'],
    ['', { expiresIn: 1e300 }, '400 InvalidRequest: The field "expiresIn"'],
    ['', { expiresIn: 0 }, '400 InvalidRequest: The field "expiresIn"'],
    ['', { expiresIn: 1.5 }, '400 InvalidRequest: The field "expiresIn"'],
    ['', { expiresIn: '60' }, '400 InvalidRequest: The field "expiresIn"'],
    ['', { expiresIn: null }, '400 InvalidRequest: The field "expiresIn"'],
    ['?expires_in=0', {}, '400 InvalidRequest: The parameter "expires_in"'],
    ['?expires_in=-1', {}, '400 InvalidRequest: The parameter "expires_in"'],
    ['?expires_in=', {}, '400 InvalidRequest: The parameter "expires_in"'],
    ['?expires_in=1&expires_in=1', {}, '400 InvalidRequest: The parameter "expires_in"'],
    ['?expires_in=5', { expiresIn: 6 }, '400 InvalidRequest: The parameter "expires_in"'],
    ['', { single_use: 1 }, '400 InvalidRequest: The field "single_use"'],
    ['', { version: 'other' }, '400 InvalidRequest: The field "version"'],
    ['', { transform: { width: 1 } }, '400 InvalidRequest: Unknown field "transform"'],
    ['', [], '400 InvalidRequest: The body must be a JSON object'],
    ['', '{"expiresIn":', '400 InvalidRequest'],
  ])('%s %j → %s', async (query, json, expected) => {
    const raw =
      typeof json === 'string' ? { method: 'POST', body: json } : { method: 'POST', json };
    expect(await problem(door.call(`/object/sign/b/a.txt${query}`, raw))).toContain(expected);
  });

  test('needs a caller, a name, an object', async () => {
    expect(await problem(post('/object/sign/b/a.txt', {}, { as: null }))).toContain('401 Missing');
    expect(await problem(post('/object/sign/b/x', {}, { as: null }))).toContain('401 Missing');
    expect(await problem(post('/object/sign/b/a.txt', {}, { as: 'bob' }))).toContain(
      '404 NoSuchBucket',
    );
    expect(await problem(post('/object/sign/b/x'))).toContain('404 NoSuchKey');
    expect(await problem(post('/object/sign/b/a%00'))).toContain('400 InvalidKey');
    expect(await problem(post('/object/sign/list/a'))).toContain('400 InvalidBucketName');
    const wrong = await door.call('/object/sign/b/a.txt', { method: 'DELETE' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  });
});

describe('many at once', () => {
  const tooMany = {
    toJSON: () => ({ paths: Array.from({ length: 1001 }, () => 'a') }),
  };

  test('each has its path, its URL or its error', async () => {
    const reply = await post('/object/sign/b', { expiresIn: 60, paths: ['a.txt', 'none'] });
    const [first, second] = (await reply.json()) as { signedURL: string }[];
    expect(first).toEqual({
      path: 'a.txt',
      signedURL: expect.stringMatching(/^\/object\/sign\/b\/a\.txt\?token=/),
      error: null,
    });
    expect(second).toEqual({
      path: 'none',
      signedURL: null,
      error: expect.stringContaining('does not exist'),
    });
    expect(await (await asNobody(first?.signedURL ?? '')).text()).toBe(body);
  });

  test.each([
    [{}, 'The field "paths"'],
    [{ paths: [] }, 'The field "paths"'],
    [{ paths: 'a' }, 'The field "paths"'],
    [{ paths: [1] }, 'The field "paths.0"'],
    [tooMany, 'The field "paths"'],
    [{ paths: ['a'], single_use: true }, 'Unknown field "single_use"'],
    [{ paths: ['../a'] }, '400 InvalidKey'],
    [undefined, 'The body is empty'],
  ])('%o → %s', async (json, expected) => {
    expect(await problem(door.call('/object/sign/b', { method: 'POST', json }))).toContain(
      expected,
    );
  });
});

describe('using a download', () => {
  test('needs nothing but the token, and ignores Authorization', async () => {
    const { url } = await signed();
    const reply = await door.call(below(url), {
      as: null,
      headers: { authorization: 'Bearer nonsense' },
    });
    expect([reply.status, await reply.text()]).toEqual([200, body]);
    expect(reply.headers.get('cache-control')).toBe('no-cache, private');
    const head = await asNobody(below(url), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, `${body.length}`]);
    const part = await asNobody(below(url), { headers: { range: 'bytes=0-3' } });
    expect([part.status, await part.text()]).toEqual([206, 'what']);
    const saved = await asNobody(`${below(url)}&download=b.txt&cacheNonce=1`);
    expect(saved.headers.get('content-disposition')).toBe('attachment; filename=b.txt');
  });

  test('`expires` in the URL changes nothing', async () => {
    const { url, token } = await signed();
    for (const expires of ['0', '99999999999', 'never', '']) {
      expect(
        (await asNobody(`/object/sign/b/a.txt?token=${token}&expires=${expires}`)).status,
      ).toBe(200);
    }
    door.rig.advance(3_600_000);
    const late = await problem(asNobody(below(url).replace(/expires=\d+/, 'expires=99999999999')));
    expect(late).toBe('403 SignatureExpired: The signed URL has expired');
  });

  test('tokens that are no token, or for something else', async () => {
    const { token } = await signed();
    const up = await signedUpload('b/u1');
    const at = '/object/sign/b/a.txt';
    expect(await problem(asNobody(at))).toContain('403 InvalidSignature: The parameter "token"');
    expect(await problem(asNobody(`${at}?token=`))).toContain('403 InvalidSignature');
    expect(await problem(asNobody(`${at}?token=${token}&token=${token}`))).toContain(
      '400 InvalidRequest: The parameter "token"',
    );
    expect(await problem(asNobody(`${at}?token=${up.token}`))).toContain('403 InvalidSignature');
    expect(await problem(asNobody(`/object/sign/b/u1?token=${up.token}`))).toContain(
      '403 InvalidSignature',
    );
    expect(await problem(asNobody(`/object/sign/c/a.txt?token=${token}`))).toContain(
      '403 InvalidSignature',
    );
    expect(await problem(asNobody(`${at}?token=${token}&width=3`))).toContain(
      '400 InvalidRequest: "width"',
    );
    expect(await problem(asNobody(`/object/b/a.txt?token=${token}`))).toContain('401 InvalidJWT');
    const login = new URLSearchParams({
      token: await loginToken('ann'),
    });
    expect(await problem(asNobody(`${at}?${login}`))).toContain('403 InvalidSignature');
  });

  test('one use: HEAD, 304, 412 and 416 use nothing up; the first bytes do', async () => {
    const { url } = await signed('b/a.txt', { single_use: true });
    const ask = (headers = {}, method = 'GET') => asNobody(below(url), { headers, method });
    const etag = (await ask({}, 'HEAD')).headers.get('etag') ?? '';
    expect((await ask({ 'if-none-match': etag })).status).toBe(304);
    expect((await ask({ 'if-match': '"other"' })).status).toBe(412);
    expect((await ask({ range: 'bytes=1000-' })).status).toBe(416);
    expect((await ask({ range: 'bytes=0-0' })).status).toBe(206);
    expect(await problem(ask())).toContain('403 InvalidSignature');
    expect((await ask({}, 'HEAD')).status).toBe(403);
  });
});

describe('revoking', () => {
  test('answers with the position of its record', async () => {
    const { url, token } = await signed();
    const reply = await post('/object/sign/revoke', { token });
    expect(await reply.json()).toEqual({ message: 'Successfully revoked' });
    expect(reply.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
    expect(await problem(asNobody(below(url)))).toContain('403 InvalidSignature');
  });

  test('by path and time, as RFC 3339 or as milliseconds', async () => {
    const iat = ({ token }: { token: string }) =>
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).iat_ms as number;
    for (const form of [(ms: number) => ms, (ms: number) => new Date(ms).toISOString()]) {
      const [first, second] = [await signed(), await signed()];
      const json = { bucket: 'b', path: 'a.txt', issued_before: form(iat(first)) };
      expect((await post('/object/sign/revoke', json)).status).toBe(200);
      expect((await asNobody(below(first.url))).status).toBe(403);
      expect((await asNobody(below(second.url))).status).toBe(200);
    }
  });

  test.each([
    [{}, 'The field "token"'],
    [{ path: 'a' }, 'The field "token"'],
    [{ token: 'x', bucket: 'b' }, 'The field "bucket"'],
    [{ token: 'x', issued_before: 1 }, 'The field "issued_before"'],
    [{ token: 'x' }, '403 InvalidSignature'],
    [{ token: '' }, 'The field "token"'],
    [{ bucket: 'b', issued_before: 'yesterday' }, 'The field "issued_before"'],
    [{ bucket: 'b', issued_before: -1 }, 'The field "issued_before"'],
    [{ bucket: 'b', issued_before: 1e300 }, 'The field "issued_before"'],
    [{ bucket: '..' }, '400 InvalidBucketName'],
    [{ bucket: 'b', path: '/a' }, '400 InvalidKey'],
    [{ bucket: 'nowhere' }, '404 NoSuchBucket'],
    [{ bucket: 'b', jti: 'x' }, 'Unknown field "jti"'],
    [undefined, 'The body is empty'],
  ])('%j → %s', async (json, expected) => {
    expect(await problem(door.call('/object/sign/revoke', { method: 'POST', json }))).toContain(
      expected,
    );
  });

  test('by a stranger is refused, by nobody too', async () => {
    expect(await problem(post('/object/sign/revoke', { bucket: 'b' }, { as: 'bob' }))).toContain(
      '404 NoSuchBucket',
    );
    expect(await problem(post('/object/sign/revoke', { bucket: 'b' }, { as: null }))).toContain(
      '401',
    );
  });
});

test('no token is logged', async () => {
  const { url, token } = await signed();
  await asNobody(below(url));
  await asNobody(`${below(url)}x`);
  await post('/object/sign/revoke', { token });
  await asNobody(below(url));
  const logged = JSON.stringify(door.lines);
  expect(logged).toContain('/storage/v1/object/sign/b/a.txt');
  const [, payload = '', signature = ''] = token.split('.');
  expect(logged).not.toContain(signature);
  expect(logged).not.toContain(payload);
});

test('absolute URLs have the public address, where there is one', async () => {
  const configured = await startStoreDoor({ publicUrl: 'https://files.example.com/base' });
  await configured.call('/bucket', { method: 'POST', json: { name: 'b' } });
  const reply = await configured.call('/object/upload/sign/b/x', { method: 'POST', json: {} });
  const { signed_url } = (await reply.json()) as { signed_url: string };
  expect(signed_url).toMatch(
    /^https:\/\/files\.example\.com\/base\/storage\/v1\/object\/upload\/sign\/b\/x\?/,
  );
  await configured.close();
});

test('without one they have the Host of the request where it is loopback, else what was reached', async () => {
  const authorization = `Bearer ${await loginToken('ann')}`;
  const urlFor = async (host: string) => {
    const lines = ['POST /storage/v1/object/sign/b/a.txt HTTP/1.1', `host: ${host}`];
    const client = new RawClient(
      Number(new URL(door.origin).port),
      [...lines, `authorization: ${authorization}`, 'connection: close', '', ''].join('\r\n'),
    );
    return String((await client.closed()).json().url).split('/storage/')[0];
  };
  expect(await urlFor('localhost:1234')).toBe('http://localhost:1234');
  expect(await urlFor('[::1]:80')).toBe('http://[::1]:80');
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example']) {
    expect(await urlFor(host)).toBe(door.origin);
  }
});

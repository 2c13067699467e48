/** Who comes in and how: routes, tokens, the gate, other origins, and the line in the log. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDoor, type TestDoor, token, until } from './support/door.ts';

let door: TestDoor;
let bearer = '';
const start = async (options: Parameters<typeof startDoor>[0] = {}) => {
  await door?.close();
  door = await startDoor(options);
  await door.call('/bucket', { method: 'POST', json: { name: 'b', policy: 'public' } });
};
beforeEach(async () => {
  bearer = `authorization: Bearer ${await token('ann')}\r\n`;
  await start();
});
afterEach(() => door.close());

const head = (line: string, headers = '') => `${line} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`;
const put = (path: string, headers: string, auth = bearer) =>
  head(`PUT /storage/v1/object/b/${path}`, auth + headers);
const requestLine = (route: string) =>
  door.lines.find(({ message, facts }) => message === 'request' && facts.route === route);

describe('routes', () => {
  const status = async (line: string, headers = bearer) => {
    const client = await door.raw(head(line, `${headers}connection: close\r\n`)).closed();
    return [client.status, client.text.endsWith('}') ? client.json().code : undefined];
  };
  test.each([
    ['GET /', 404, 'NoSuchRoute'],
    ['GET /storage/v1', 404, 'NoSuchRoute'],
    ['GET /storage/v1/nothing', 404, 'NoSuchRoute'],
    ['GET /storage/v1/../v1/bucket', 404, 'NoSuchRoute'],
    ['GET /storage//v1/bucket', 404, 'NoSuchRoute'],
    ['GET /STORAGE/v1/bucket', 404, 'NoSuchRoute'],
    ['GET /storage/v1/object/b/../../bucket', 400, 'InvalidKey'],
    ['GET /storage/v1/object/b/%2e%2e/%2e%2e/bucket', 400, 'InvalidKey'],
    ['GET /storage/v1/object/b/..%2f..%2fbucket', 400, 'InvalidKey'],
    ['GET /storage/v1/object/b/..\\..\\bucket', 400, 'InvalidKey'],
    ['GET /storage/v1/object/b/', 400, 'InvalidKey'],
    ['GET /storage/v1/object/public/b/../b/x', 400, 'InvalidKey'],
    ['GET /storage/v1/object/list/b/../b', 400, 'InvalidBucketName'],
    ['PATCH /storage/v1/bucket/b', 405, 'MethodNotAllowed'],
    ['DELETE /health/live', 405, 'MethodNotAllowed'],
    ['PROPFIND /storage/v1/bucket', 405, 'MethodNotAllowed'],
    ['TRACE /storage/v1/bucket', 405, 'MethodNotAllowed'],
    ['GET http://other/storage/v1/bucket', 200, undefined],
    ['HEAD /storage/v1/bucket/b', 200, undefined],
    ['HEAD /storage/v1/nothing', 404, undefined],
  ])('%s is %i', async (line, expected, code) => {
    const [seen, problem] = await status(line);
    expect(seen).toBe(expected);
    if (code !== undefined) expect(problem).toBe(code);
  });

  test('a wrong method is told the right ones', async () => {
    const answer = await door.call('/object/info/b/x', { method: 'PATCH' });
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
    const options = await door.call('/bucket', { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, POST']);
  });
});

describe('tokens', () => {
  test.each(['Bearer abc', 'Basic YTpi', ''])(
    'a bad one (%j) is 401 on public objects too, and counted',
    async (authorization) => {
      const answer = await door.call('/object/public/b/x', {
        as: null,
        headers: { authorization },
      });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
      expect(await answer.json()).toMatchObject({ code: 'InvalidJWT' });
      expect(door.counted).toEqual(['auth_failure']);
    },
  );
  test.each(['token', 'access_token', 'apikey', 'jwt', 'Token', 'authorization'])(
    'one in the URL (?%s) is refused and not logged',
    async (name) => {
      const text = await token('ann');
      expect((await door.call(`/bucket?${name}=${text}`)).status).toBe(401);
      await until(
        () => requestLine('/storage/v1/bucket')?.facts.status === 401 || door.lines.length > 1,
      );
      expect(JSON.stringify(door.lines)).not.toContain(text);
    },
  );
  test('what is no token may stand in the URL', async () => {
    expect((await door.call('/bucket?apikey=x&cacheNonce=a.b.c')).status).toBe(200);
  });
  test('an apikey header is ignored', async () => {
    expect((await door.call('/bucket', { headers: { apikey: 'x' } })).status).toBe(200);
  });
});

describe('the gate', () => {
  test('before the store is open only /health/live is answered', async () => {
    await door.close();
    door = await startDoor({ closed: true });
    expect((await fetch(`${door.origin}/health/live`)).status).toBe(200);
    for (const path of ['/health/ready', '/storage/v1/bucket', '/nothing']) {
      const answer = await fetch(door.origin + path);
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await answer.json()).toMatchObject({ code: 'NotReady' });
    }
    door.open();
    expect((await fetch(`${door.origin}/health/ready`)).status).toBe(200);
  });

  test('ready follows the health of the store, and asks for no token', async () => {
    const ready = () =>
      fetch(`${door.origin}/health/ready`, { headers: { authorization: 'nonsense' } });
    door.service.health_ = { status: 'degraded', reasons: ['objects without their bytes'] };
    expect(await (await ready()).json()).toEqual({
      status: 'degraded',
      reasons: ['objects without their bytes'],
    });
    door.service.health_ = { status: 'not_ready', reasons: ['disk full', 'read-only'] };
    const answer = await ready();
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'NotReady', reason: 'disk full; read-only' });
  });

  test('a stop lets running uploads end, refuses what comes after, and drops idle connections', async () => {
    const idle = await door.raw(head('GET /health/live')).until(/200 OK/);
    const silent = door.raw('');
    const client = door.raw(`${put('x', 'content-length: 5\r\n')}12`);
    await until(() => door.service.counts.begun === 1);
    const stopped = door.http.close(10_000);
    await idle.closed();
    await silent.closed();
    client.socket.write('345');
    await client.closed();
    expect(client.status).toBe(200);
    expect(client.text).toMatch(/connection: close/i);
    await stopped;
    expect(door.service.counts.stored).toBe(1);
  });

  test('a stop cuts off what runs beyond its time', async () => {
    const client = door.raw(`${put('x', 'content-length: 5\r\n')}12`);
    await until(() => door.service.counts.begun === 1);
    await door.http.close(20);
    await client.closed();
    await until(() => door.service.counts.ended === 1);
    expect(door.service.counts.stored).toBe(0);
  });

  test('beyond the connection limit a request is told Overloaded', async () => {
    await start({ settings: { maxConnections: 1 } });
    // The first connection is the one that fetch keeps.
    const client = await door.raw(head('GET /health/live')).closed();
    expect(client.status).toBe(503);
    expect(client.json()).toMatchObject({ code: 'Overloaded' });
    expect(client.text).toMatch(/retry-after: /i);
  });
});

describe('across origins', () => {
  const preflight = (origin: string) =>
    door.call('/object/b/x', {
      method: 'OPTIONS',
      as: null,
      headers: {
        origin,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization, x-upsert, x-anything',
      },
    });
  test('any origin may ask with any header, and reads the exposed ones', async () => {
    const answer = await preflight('https://app.example');
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-headers')).toBe(
      'authorization, x-upsert, x-anything',
    );
    expect(answer.headers.get('access-control-allow-methods')).toContain('PUT');
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false);
    const refused = await door.call('/object/b/nosuch', {
      headers: { origin: 'https://app.example' },
    });
    expect(refused.headers.get('access-control-allow-origin')).toBe('*');
    expect(refused.headers.get('access-control-expose-headers')).toContain('x-aerostore-position');
  });
  test('a configured list names the origins that may', async () => {
    await start({ settings: { corsOrigins: ['https://app.example'] } });
    const yes = await preflight('https://app.example');
    expect(yes.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(yes.headers.get('vary')).toBe('Origin');
    const no = await preflight('https://evil.example');
    expect(no.headers.has('access-control-allow-origin')).toBe(false);
    expect(no.headers.get('vary')).toBe('Origin');
  });
});

describe('the access log', () => {
  test('has a line for each request, by route and path, without its query', async () => {
    await door.call('/object/b/secret.txt?download=q', { headers: { 'x-request-id': 'my-id.1' } });
    await until(() => door.lines.some(({ facts }) => facts.request_id === 'my-id.1'));
    const line = door.lines.find(({ facts }) => facts.request_id === 'my-id.1');
    expect(line).toMatchObject({
      level: 'info',
      message: 'request',
      facts: {
        caller: 'user',
        caller_id: 'ann',
        address: '127.0.0.1',
        method: 'GET',
        route: '/storage/v1/object/:bucket/:path{.*}',
        path: '/storage/v1/object/b/secret.txt',
        status: 404,
        complete: true,
        bytes_in: 0,
        bytes_out: expect.any(Number),
        ms: expect.any(Number),
      },
    });
    expect(JSON.stringify(line)).not.toContain('download');
  });
  test('takes a request id only where it is harmless', async () => {
    const idOf = async (id: string) =>
      (await door.call('/bucket', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await idOf('a'.repeat(64))).toBe('a'.repeat(64));
    for (const id of ['a'.repeat(65), 'a b', '<x>'])
      expect(await idOf(id)).toMatch(/^[0-9a-f-]{36}$/);
  });
  test('believes X-Forwarded-For as far as trusted proxies wrote it', async () => {
    await start({ settings: { trustedProxies: ['127.0.0.0/8', '10.0.0.1'] } });
    const headers = { 'x-forwarded-for': '6.6.6.6, 9.9.9.9, 10.0.0.1', 'x-request-id': 'fwd' };
    await door.call('/bucket', { headers });
    await until(() => door.lines.some(({ facts }) => facts.request_id === 'fwd'));
    expect(door.lines.find(({ facts }) => facts.request_id === 'fwd')?.facts.address).toBe(
      '9.9.9.9',
    );
  });
});

describe('a fault', () => {
  const faults = () =>
    door.lines.filter(({ message, level }) => message === 'a request failed' && level === 'error');

  test('under a client that left is told all the same', async () => {
    let client: ReturnType<TestDoor['raw']> | undefined;
    door.service.buckets.list = async () => {
      client?.socket.resetAndDestroy();
      await until(() => requestLine('/storage/v1/bucket') !== undefined);
      throw new Error('a broken invariant');
    };
    door.lines.length = 0;
    client = door.raw(head('GET /storage/v1/bucket', bearer));
    await until(() => faults().length === 1);
    expect(faults()[0]?.facts.fault).toContain('a broken invariant');
  });

  test('that is only the client leaving is no error', async () => {
    let client: ReturnType<TestDoor['raw']> | undefined;
    door.service.buckets.list = async () => {
      client?.socket.resetAndDestroy();
      await until(() => requestLine('/storage/v1/bucket') !== undefined);
      throw Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    };
    door.lines.length = 0;
    client = door.raw(head('GET /storage/v1/bucket', bearer));
    await until(() => door.lines.some(({ message }) => message === 'a request failed'));
    expect(faults()).toEqual([]);
  });

  test.each([
    [
      'at once',
      () => {
        throw new Error('before the routes');
      },
    ],
    [
      'later',
      async () => {
        throw new Error('before the routes');
      },
    ],
  ])('before any route, %s, is no bad request', async (_name, fetch) => {
    door.http.open({ fetch } as unknown as Parameters<typeof door.http.open>[0]);
    const client = await door.raw(head('GET /storage/v1/bucket', 'connection: close\r\n')).closed();
    expect(client.status).toBe(500);
    expect(client.json()).toMatchObject({ code: 'InternalError' });
    expect(faults()[0]?.facts.fault).toContain('before the routes');
  });
});

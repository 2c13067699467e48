/** Requests that no route takes: wrong method, unknown route, broken or oversized HTTP; and the health routes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { exchange, headOf, openWire } from '../support/raw.ts';
import { type Server, startServer } from '../support/server.ts';
import { leavesNothing, makeBucket } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let server: Server;
let bucket: string;
const token = user('alice');

beforeAll(async () => {
  server = await startServer();
  bucket = await makeBucket(server);
});
afterAll(() => server?.kill());

describe('a wrong method', () => {
  const wrong: [string, () => string, string[]][] = [
    ['PATCH', () => '/bucket', ['GET', 'POST']],
    ['PUT', () => '/bucket', ['GET', 'POST']],
    ['DELETE', () => '/bucket', ['GET', 'POST']],
    ['POST', () => `/bucket/${bucket}`, ['GET', 'PUT', 'DELETE']],
    ['PATCH', () => `/bucket/${bucket}`, ['GET', 'PUT', 'DELETE']],
    ['GET', () => `/bucket/${bucket}/empty`, ['POST']],
    ['POST', () => `/object/info/${bucket}/x`, ['GET', 'HEAD']],
    ['POST', () => '/admin/status', ['GET']],
    ['POST', () => '@/health/live', ['GET']],
    ['DELETE', () => '@/health/ready', ['GET']],
    ['PROPFIND', () => `/object/${bucket}/x`, ['GET', 'PUT', 'POST', 'DELETE']],
  ];
  test.each(wrong)('%s is told what is allowed', async (method, at, allowed) => {
    const reply = await leavesNothing(server, () => ask(server, at(), { method, token: service }));
    expectProblem(reply, '405 MethodNotAllowed');
    const allow = String(reply.headers.allow).split(/,\s*/);
    expect(allow).toEqual(expect.arrayContaining(allowed));
    expect(allow).not.toContain(method);
  });
});

test.each([
  '/',
  '@/',
  '@/storage',
  '@/storage/v2/bucket',
  '@/nope',
  '/buckets',
  '/object',
  '/nope/x',
  '/admin/nope',
  '@/health',
  '@/health/nope',
  '@//storage/v1/bucket',
  '/bucket/a/b/c',
  `/Bucket`,
])('%s is no route', async (at) => {
  for (const as of [undefined, service]) {
    const reply = await ask(server, at, { token: as });
    // Without credentials a path that a protected route may stand under is not told apart.
    if (as === undefined && reply.status === 401) continue;
    expect([404, 405], `${at}: ${reply.status} ${reply.text()}`).toContain(reply.status);
    if (reply.status === 404) expectProblem(reply, '404 NoSuchRoute');
  }
});

describe('header bombs', () => {
  const get = (headers: Record<string, string>) =>
    headOf(`GET /storage/v1/bucket`, { authorization: `Bearer ${token}`, ...headers });

  test('one header of 20 KiB', async () => {
    expectProblem(
      await exchange(server, get({ 'x-bomb': 'x'.repeat(20_000) })),
      '431 HeaderTooLarge',
    );
  });

  test('a thousand headers', async () => {
    const many = Array.from({ length: 1000 }, (_, index): [string, string] => [
      `x-bomb-${index}`,
      'x'.repeat(10),
    ]);
    expectProblem(await exchange(server, get(Object.fromEntries(many))), '431 HeaderTooLarge');
  });

  test('a path of 20 KiB', async () => {
    const line = `GET /storage/v1/object/${bucket}/${'x'.repeat(20_000)}`;
    const reply = await exchange(server, headOf(line, {}));
    expectProblem(reply, '431 HeaderTooLarge');
  });

  test('an endless header is cut off', async () => {
    const wire = await openWire(server);
    wire.send('GET / HTTP/1.1\r\nx-bomb: ');
    const piece = 'x'.repeat(8192);
    for (let sent = 0; sent < 64 && !wire.socket.destroyed && wire.received() === ''; sent += 1) {
      wire.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expectProblem(await wire.reply(), '431 HeaderTooLarge');
    await wire.closed();
  });

  test('12 KiB of headers are fine', async () => {
    const reply = await exchange(server, get({ 'x-large': 'x'.repeat(12_000) }));
    expect(reply.status).toBe(200);
  });
});

describe('broken HTTP', () => {
  test.each([
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex').toString('latin1')],
    ['a header without a colon', 'GET / HTTP/1.1\r\nhost: x\r\nbroken\r\n\r\n'],
    ['a control character in the path', 'GET /a\u0000b HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a control character in a header', 'GET / HTTP/1.1\r\nhost: x\r\nx: a\u0000b\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nhost : x\r\n\r\n'],
    ['HTTP/3.7', 'GET / HTTP/3.7\r\nhost: x\r\n\r\n'],
  ])('%s is refused and the connection closed', async (_, text) => {
    const wire = await openWire(server);
    wire.send(text);
    const reply = await wire.reply();
    expect([400, 505]).toContain(reply.status);
    expect(reply.json()).toMatchObject({ statusCode: String(reply.status) });
    await wire.closed();
  });

  test('and the server goes on', async () => {
    expect((await ask(server, '@/health/live')).status).toBe(200);
    expect((await ask(server, '/bucket', { token })).status).toBe(200);
  });
});

describe('health', () => {
  test.each(['/health/live', '/health/ready'])('%s is 200 without credentials', async (at) => {
    const reply = await ask(server, `@${at}`);
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.headers['x-request-id']).toBeTruthy();
    expect((await ask(server, `@${at}`, { method: 'HEAD' })).status).toBe(200);
  });
});

test('every request is logged with caller, route, status and bytes, without query or secrets', async () => {
  const marker = 'find-me';
  await ask(server, `/object/${bucket}/${marker}?secret=in-the-query`, { token });

  const line = await until('the log line', () =>
    server.logs().find((entry) => JSON.stringify(entry).includes(marker)),
  );
  const text = JSON.stringify(line);
  expect(text).toContain('alice');
  expect(text).toContain('404');
  expect(server.output()).not.toContain('in-the-query');
  expect(server.output()).not.toContain(token.split('.')[2]);
});

/** What is on the wire: expectations, bodies that misbehave, and what is not HTTP. */
import { once } from 'node:events';
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

describe('Expect: 100-continue', () => {
  const expecting = 'content-length: 5\r\nexpect: 100-continue\r\n';

  test('is answered 100 once the upload is admitted, and the body follows', async () => {
    const client = await door.raw(put('x', expecting)).until(/^HTTP\/1\.1 100 Continue\r\n/);
    client.socket.write('hello');
    await client.until(/200 OK[\s\S]*"size":5/);
    client.socket.end();
  });

  test.each([
    ['401', 'without credentials', () => put('x', expecting, '')],
    ['413', 'of too many bytes', () => put('x', expecting.replace('5', '99999999'))],
    ['412', 'whose precondition fails', () => put('x', `if-match: *\r\n${expecting}`)],
    ['400', 'with a bad name', () => put('%ff', expecting)],
    ['404', 'into no bucket', () => put('x', expecting).replace('/b/', '/nosuch/')],
  ])(
    'is answered %s at once %s, and the body is never asked for',
    async (status, _name, request) => {
      const client = await door.raw(request()).closed();
      expect(client.text).not.toContain('100 Continue');
      expect(client.status).toBe(Number(status));
      expect(client.text).toMatch(/connection: close/i);
      expect(door.service.counts.begun).toBe(0);
    },
  );

  test('another expectation is left unmet silently', async () => {
    await door.raw(head('GET /health/live', 'expect: tea\r\n')).until(/200 OK/);
  });
});

describe('a body', () => {
  test('that stops arriving is refused as RequestTimeout, and the connection ends', async () => {
    await start({ settings: { bodyIdleTimeoutMs: 50 } });
    const client = await door.raw(`${put('x', 'content-length: 10\r\n')}12345`).closed();
    expect(client.status).toBe(408);
    expect(client.json()).toMatchObject({ code: 'RequestTimeout' });
    expect(door.service.counts.stored).toBe(0);
  });

  test('shorter than it declares is IncompleteBody, told to a client that still listens', async () => {
    const client = door.raw(`${put('x', 'content-length: 10\r\n')}12345`);
    await until(() => door.service.counts.begun === 1);
    client.socket.end();
    await client.closed();
    expect(client.status).toBe(400);
    expect(client.json()).toMatchObject({ code: 'IncompleteBody' });
    expect(door.service.counts.stored).toBe(0);
  });

  test('whose client goes away stores nothing', async () => {
    const client = door.raw(`${put('x', 'transfer-encoding: chunked\r\n')}5\r\nhello\r\n`);
    await until(() => door.service.counts.begun === 1);
    client.socket.destroy();
    await until(() => door.service.counts.ended === 1);
    expect(door.service.counts.stored).toBe(0);
    expect(door.lines.some(({ level }) => level === 'error')).toBe(false);
  });

  test('with broken chunks is refused', async () => {
    const client = await door
      .raw(`${put('x', 'transfer-encoding: chunked\r\n')}zz\r\nhello\r\n`)
      .closed();
    expect(client.status).toBe(400);
    expect(door.service.counts.stored).toBe(0);
  });

  test('longer than it declares is stored as declared, and the rest is no request', async () => {
    const client = await door
      .raw(`${put('x', 'content-length: 5\r\n')}hello, world\r\n\r\n`)
      .closed();
    expect(client.status).toBe(200);
    expect(door.service.objects_.get('b\nx')?.size).toBe(5);
  });

  test('of a refused upload is not read, and the answer arrives whole', async () => {
    const length = 1024 * 1024 * 1024;
    const client = door.raw(put('x', `content-length: ${length}\r\n`));
    client.socket.write(Buffer.alloc(64 * 1024));
    await client.closed();
    expect(client.status).toBe(413);
    expect(client.json()).toMatchObject({ code: 'EntityTooLarge' });
    expect(client.text).toMatch(/connection: close/i);
    expect(requestLine('/storage/v1/object/:bucket/:path{.*}')?.facts.bytes_in).toBe(0);
  });

  test('that is short and late does not cost a refused request its connection', async () => {
    const asked = once(door.http.server, 'request');
    const client = door.raw(put('x', 'content-length: 5\r\n', ''));
    await asked;
    client.socket.write('hello');
    await client.until(/\}$/);
    expect(client.status).toBe(401);
    expect(client.text).not.toMatch(/connection: close/i);
    client.socket.end();
  });

  test('that is short and never comes ends it', async () => {
    const client = await door.raw(put('x', 'content-length: 5\r\n', '')).closed();
    expect(client.status).toBe(401);
    expect(client.text).toMatch(/connection: close/i);
  });

  test('of a refused upload that never ends is drained no further than a bound', async () => {
    const client = door.raw(put('x', 'content-length: 1073741824\r\n', ''));
    const piece = Buffer.alloc(256 * 1024);
    let sent = 0;
    const pour = () => {
      while (!client.isClosed && client.socket.writable && client.socket.write(piece))
        sent += piece.length;
    };
    client.socket.on('drain', pour);
    pour();
    await client.closed();
    expect(client.status).toBe(401);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test('of a large upload is not taken faster than it is stored', async () => {
    const { socket } = door.raw(put('x', 'content-length: 4194304\r\n'));
    socket.write(Buffer.alloc(4 * 1024 * 1024));
    await until(() => door.service.objects_.has('b\nx'));
    socket.destroy();
  });
});

describe('a client that closes its half of the connection', () => {
  const answered = async (text: string) => {
    const client = door.raw('');
    client.socket.end(Buffer.from(text, 'latin1'));
    await client.closed();
    return client.text;
  };

  test('has its answer', async () => {
    expect(await answered(put('x', 'content-length: 5\r\n') + 'hello')).toMatch(/^HTTP\/1.1 200 /);
    expect(await answered(head('GET /storage/v1/object/b/x'))).toMatch(/ 200 [\s\S]*hello$/);
  });

  test('has the answers to all that it asked, in order', async () => {
    const three = ['/health/live', '/nothing', '/health/ready'].map((at) => head(`GET ${at}`));
    const statuses = (await answered(three.join(''))).match(/HTTP\/1.1 \d+/g);
    expect(statuses).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
  });
});

describe('what is not HTTP', () => {
  test('more than 16 KiB of headers is HeaderTooLarge in the usual JSON', async () => {
    const client = await door
      .raw(head('GET /health/live', `x: ${'a'.repeat(20_000)}\r\n`))
      .closed();
    expect(client.status).toBe(431);
    expect(client.json()).toMatchObject({ code: 'HeaderTooLarge', statusCode: '431' });
    expect(client.text).toMatch(/x-request-id: /i);
  });
  test.each([
    ['garbage', 'hello\r\n\r\n'],
    [
      'two lengths',
      head('PUT /storage/v1/object/b/x', 'content-length: 1\r\ncontent-length: 2\r\n'),
    ],
    ['length and chunks', head('PUT /x', 'content-length: 1\r\ntransfer-encoding: chunked\r\n')],
    ['no host', 'GET /storage/v1/bucket HTTP/1.1\r\n\r\n'],
    ['two hosts', head('GET /health/live', 'Host: x\r\nconnection: close\r\n')],
    [
      'two credentials',
      head('GET /storage/v1/bucket', 'Authorization: Bearer a\r\nauthorization: Bearer b\r\n'),
    ],
    ['a query that is not UTF-8', head('GET /storage/v1/object/list/b?prefix=%C3')],
    ['a query of raw bytes', head('GET /storage/v1/object/list/b?prefix=\xff')],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n'],
    ['a bad host', 'GET /storage/v1/bucket HTTP/1.1\r\nhost: a b:c\r\nconnection: close\r\n\r\n'],
  ])('%s is 400', async (_name, text) => {
    const client = door.raw(text);
    await client.until(/\}$/);
    client.socket.destroy();
    expect(client.status).toBe(400);
    expect(client.json()).toMatchObject({ code: 'InvalidRequest', statusCode: '400' });
    expect(client.text).toMatch(/x-request-id: /i);
  });
  test('headers that do not arrive are RequestTimeout', async () => {
    await start({ settings: { headersTimeoutMs: 100 } });
    const client = await door.raw('GET / HTTP/1.1\r\nhost: x\r\n').closed();
    expect(client.status).toBe(408);
  });
});

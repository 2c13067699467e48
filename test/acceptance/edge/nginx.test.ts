/**
 * The nginx.conf of the repository before the built server: nginx sends the bytes, aerostore decides.
 * What a client sees past nginx must be what it sees without it.
 */
import { randomBytes } from 'node:crypto';
import { utimesSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ask, encodePath, type Question } from '../support/client.ts';
import { sha256 } from '../support/hashes.ts';
import { confBefore, type Nginx, noNginx, startNginx } from '../support/nginx.ts';
import { openWire } from '../support/raw.ts';
import { type Server, startServer } from '../support/server.ts';
import { follow, sign } from '../support/signed.ts';
import { makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const alice = user('alice');
const bob = user('bob');
/** Beyond every size that is kept otherwise than as a file. */
const large = randomBytes(3 * 1024 * 1024 + 17);
const small = randomBytes(4096);
const name = 'fotos/größe & 100%.bin';

if (noNginx) console.log(`skipped: ${noNginx}`);

describe.skipIf(noNginx)('behind nginx', () => {
  let server: Server;
  let nginx: Nginx;
  let bucket: string;
  let publicBucket: string;

  beforeAll(async () => {
    server = await startServer({ env: { AEROSTORE_ACCEL: 'x-accel-redirect' } });
    nginx = await startNginx(confBefore(server));
    bucket = await makeBucket(server);
    publicBucket = await makeBucket(server, { settings: { policy: 'public' } });
    const headers = { 'content-type': 'text/html', 'cache-control': 'max-age=60' };
    for (const body of [large, small]) {
      const key = body === large ? name : 'small';
      await put(server, `${bucket}/${key}`, { token: alice, headers, body });
      await put(server, `${publicBucket}/${key}`, { token: alice, headers, body });
    }
  });
  afterAll(async () => {
    await nginx?.stop();
    await server?.stop();
  });

  const at = (path: string, of = bucket) => `/object/${of}/${encodePath(path)}`;
  const through = (path: string, question: Question = {}) => ask(nginx, path, question);

  test('aerostore hands a file on, and only a file', async () => {
    const direct = await ask(server, at(name), { token: alice });
    expect(direct.status).toBe(200);
    expect(direct.bytes).toHaveLength(0);
    expect(direct.headers['x-accel-redirect']).toMatch(
      /^\/aerostore-internal\/blobs\/([0-9a-f]{2})\/([0-9a-f]{2})\/\1\2[0-9a-f]{28}$/,
    );
    // In a pack there are bytes of others, too.
    const packed = await ask(server, at('small'), { token: alice });
    expect(packed.headers['x-accel-redirect']).toBeUndefined();
    expect(packed.bytes.equals(small)).toBe(true);
    // No header of nginx's leaves it.
    const reply = await through(at(name), { token: alice });
    expect(reply.headers['x-accel-redirect']).toBeUndefined();
  });

  test.each([
    ['a large object', name, large],
    ['a small one', 'small', small],
  ])('%s has the same bytes and headers as without it', async (_what, path, body) => {
    const plain = await startServer();
    const twin = await makeBucket(plain);
    const headers = { 'content-type': 'text/html', 'cache-control': 'max-age=60' };
    await put(plain, `${twin}/${path}`, { token: alice, headers, body });
    const query = '?download=a.html';
    const expected = await ask(plain, at(path, twin) + query, { token: alice });
    const got = await through(at(path) + query, { token: alice });
    await plain.stop();
    expect(got.status).toBe(200);
    expect(sha256(got.bytes)).toBe(sha256(body));
    const kept = { ...expected.headers, ...ofTheirOwn };
    expect({ ...got.headers, ...ofTheirOwn }).toEqual(kept);
    expect(got.headers['content-security-policy']).toContain('sandbox');
    expect(got.headers['last-modified']).toBe(
      (await ask(server, at(path), { method: 'HEAD', token: alice })).headers['last-modified'],
    );
  });
  /** Headers of the one request, the one upload or the one connection. */
  const ofTheirOwn = {
    'x-request-id': '',
    'last-modified': '',
    date: '',
    server: '',
    'keep-alive': '',
    connection: '',
  };

  test('ranges are the same bytes, with the same words', async () => {
    const { headers } = await through(at(name), { method: 'HEAD', token: alice });
    expect(headers['content-length']).toBe(String(large.length));
    const { etag, 'last-modified': modified } = headers;
    const size = large.length;
    const ask206: [Record<string, string | undefined>, number, number][] = [
      [{ range: 'bytes=0-0' }, 0, 0],
      [{ range: 'bytes=262143-262145' }, 262143, 262145],
      [{ range: `bytes=${size - 1}-` }, size - 1, size - 1],
      [{ range: 'bytes=-100' }, size - 100, size - 1],
      [{ range: 'bytes=5-99999999999999999999999999' }, 5, size - 1],
      [{ range: 'bytes=7-9', 'if-range': etag }, 7, 9],
      [{ range: 'bytes=7-9', 'if-range': modified }, 7, 9],
      [{ range: 'bytes=7-9', 'if-match': etag }, 7, 9],
    ];
    for (const [asked, start, end] of ask206) {
      const reply = await through(at(name), { token: alice, headers: asked });
      expect([asked, reply.status]).toEqual([asked, 206]);
      expect(reply.headers['content-range']).toBe(`bytes ${start}-${end}/${size}`);
      expect(reply.headers.etag).toBe(etag);
      expect(reply.bytes.equals(large.subarray(start, end + 1)), JSON.stringify(asked)).toBe(true);
    }
    const whole: Record<string, string>[] = [
      { range: 'bytes=7-9', 'if-range': '"another"' },
      { range: 'bytes=7-9', 'if-range': `W/${etag}` },
      { range: 'bytes=7-9', 'if-range': 'Thu, 01 Jan 1970 00:00:00 GMT' },
      { range: 'bytes=0-1,5-6' },
      { range: 'bytes=9-7' },
      { range: 'lines=1-2' },
    ];
    for (const asked of whole) {
      const reply = await through(at(name), { token: alice, headers: asked });
      expect([asked, reply.status]).toEqual([asked, 200]);
      expect(sha256(reply.bytes)).toBe(sha256(large));
    }
    const beyond = await through(at(name), { token: alice, headers: { range: `bytes=${size}-` } });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${size}`]);
    expect(beyond.json().code).toBe('InvalidRange');
  });

  test('conditions are judged once, by aerostore', async () => {
    const { headers } = await through(at(name), { method: 'HEAD', token: alice });
    const { etag, 'last-modified': modified } = headers;
    const cases: [Record<string, string | undefined>, number][] = [
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': '"another"' }, 200],
      [{ 'if-none-match': '"another"', 'if-modified-since': modified }, 200],
      [{ 'if-modified-since': modified }, 304],
      [{ 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 200],
      [{ 'if-match': etag }, 200],
      [{ 'if-match': '"another"' }, 412],
      [{ 'if-unmodified-since': modified }, 200],
      [{ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 412],
    ];
    for (const [asked, status] of cases) {
      const reply = await through(at(name), { token: alice, headers: asked });
      expect([asked, reply.status]).toEqual([asked, status]);
      if (status === 200) expect(sha256(reply.bytes)).toBe(sha256(large));
      else if (status === 304) expect(reply.headers.etag).toBe(etag);
    }
  });

  test('what nginx knows of the file says nothing about the object', async () => {
    const direct = await ask(server, at(name), { token: alice });
    const redirect = String(direct.headers['x-accel-redirect']);
    const file = path.join(server.dataDir, redirect.slice('/aerostore-internal/'.length));
    const seconds = 1_000_000_000;
    utimesSync(file, seconds, seconds);
    const itsTime = new Date(seconds * 1000).toUTCString();
    const itsTag = `"${seconds.toString(16)}-${large.length.toString(16)}"`;
    for (const headers of [{ 'if-modified-since': itsTime }, { 'if-none-match': itsTag }]) {
      const reply = await through(at(name), { token: alice, headers });
      expect([headers, reply.status]).toEqual([headers, 200]);
      expect(reply.headers['last-modified']).not.toBe(itsTime);
    }
    const headers = { range: 'bytes=0-9', 'if-range': itsTime };
    expect((await through(at(name), { token: alice, headers })).status).toBe(200);
  });

  test.each([name, 'small'])('who may not read %s gets no byte of it', async (path) => {
    const strangers: [Question, number, string][] = [
      [{}, 404, 'NoSuchBucket'],
      [{ token: bob }, 404, 'NoSuchBucket'],
      [{ token: 'nonsense' }, 401, 'InvalidJWT'],
    ];
    for (const [question, status, code] of strangers) {
      for (const headers of [{}, { range: 'bytes=0-9' }]) {
        const reply = await through(at(path), { ...question, headers });
        expect([reply.status, reply.json().code]).toEqual([status, code]);
      }
    }
    expect((await through(at(path), { token: service })).status).toBe(200);
    expect((await through(at(path, publicBucket))).status).toBe(200);
  });

  test('an object that is gone, or of other bytes, is so at once', async () => {
    const key = `${publicBucket}/changing`;
    await put(server, key, { token: alice, body: large });
    expect((await through(at('changing', publicBucket))).bytes.equals(large)).toBe(true);
    const other = randomBytes(large.length);
    await put(server, key, { token: alice, body: other });
    expect((await through(at('changing', publicBucket))).bytes.equals(other)).toBe(true);
    await ask(server, `/object/${key}`, { method: 'DELETE', token: alice });
    expect((await through(at('changing', publicBucket))).status).toBe(404);
  });

  test.each([name, 'small'])('a URL for one use opens %s once', async (path) => {
    const place = encodePath(`${bucket}/${path}`);
    const { url } = await sign(server, place, { token: alice, json: { single_use: true } });
    const edge = { ...server, url: nginx.url, agent: nginx.agent };
    const here = nginx.url + url.slice(server.url.length);
    expect((await follow(edge, here, { method: 'HEAD' })).status).toBe(200);
    const first = await follow(edge, here, { headers: { range: 'bytes=1-3' } });
    expect(first.status).toBe(206);
    expect(first.bytes).toHaveLength(3);
    const second = await follow(edge, here);
    expect([second.status, second.json().code]).toEqual([403, 'InvalidSignature']);
    const log = await until('nginx logs the request', () =>
      nginx.output().includes('/object/sign/') ? nginx.output() : false,
    );
    expect(log).not.toContain('token=');
  });

  test('a URL that is signed through nginx leads back to it', async () => {
    const asked = { method: 'POST', token: alice, json: {} };
    const { url } = (await through(`/object/sign/${bucket}/small`, asked)).json();
    expect(String(url).startsWith(`${nginx.url}/storage/v1/`)).toBe(true);
  });

  test('uploads pass, and are refused before their bytes are read', async () => {
    const up = await through(at('up'), { method: 'PUT', token: alice, body: large });
    expect(up.status).toBe(200);
    expect((await through(at('up'), { token: alice })).bytes.equals(large)).toBe(true);
    const wire = await openWire(nginx);
    wire.send(
      `PUT /storage/v1${at('huge')} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${alice}\r\n` +
        `Content-Length: ${2 ** 40}\r\n\r\n`,
    );
    const refused = await wire.reply();
    wire.drop();
    expect([refused.status, refused.json().code]).toEqual([413, 'EntityTooLarge']);
    const many = Buffer.from(JSON.stringify({ a: 'x'.repeat(8000) })).toString('base64');
    const headers = { 'x-metadata': many };
    const described = { method: 'PUT', token: alice, headers, body: 'x' };
    expect((await through(at('described'), described)).status).toBe(200);
  });

  describe('events', () => {
    test('come as they happen, as a stream', async () => {
      const heard: string[] = [];
      const stream = request(`${nginx.url}/storage/v1/events?bucket=${bucket}&from=now`, {
        headers: { authorization: `Bearer ${alice}` },
      });
      stream.once('response', (response) => {
        response.setEncoding('utf8').on('data', (chunk: string) => heard.push(chunk));
        response.on('error', () => undefined);
      });
      stream.on('error', () => undefined);
      stream.end();
      await until('the stream has caught up', () => heard.join('').includes('event: caughtup'));
      await put(server, `${bucket}/streamed`, { token: alice, body: 'x' });
      await until('the event', () => heard.join('').includes('"path":"streamed"'));
      stream.destroy();
    });

    test('come as they happen, by WebSocket', async () => {
      const heard: string[] = [];
      const url = `${nginx.url.replace('http:', 'ws:')}/storage/v1/events?bucket=${bucket}&from=now`;
      const socket = new WebSocket(url, { headers: { authorization: `Bearer ${alice}` } });
      socket.on('message', (data) => heard.push(String(data)));
      await until('it has caught up', () => heard.join('').includes('"caughtup"'));
      await put(server, `${bucket}/sent`, { token: alice, body: 'x' });
      await until('the event', () => heard.join('').includes('"path":"sent"'));
      socket.terminate();
    });
  });

  describe('the internal location', () => {
    const detours = [
      (file: string) => `/aerostore-internal/${file}`,
      (file: string) => `//aerostore-internal/${file}`,
      (file: string) => `/aerostore-internal//${file}`,
      (file: string) => `/aerostore-internal/./${file}`,
      (file: string) => `/aerostore-internal%2F${file}`,
      (file: string) => `/%61erostore-internal/${file}`,
      (file: string) => `/aerostore-internal/${file.replaceAll('/', '%2F')}`,
      (file: string) => `/storage/../aerostore-internal/${file}`,
      (file: string) => `/storage/v1/object/pub/..%2f..%2f..%2f..%2faerostore-internal/${file}`,
      (file: string) => `/storage/%2e%2e/aerostore-internal/${file}`,
      (file: string) => `/x/..;/aerostore-internal/${file}`,
      (file: string) => `/AEROSTORE-INTERNAL/${file}`,
      (file: string) => `/aerostore-internal/blobs/../${file}`,
      (file: string) => `/aerostore-internal/blobs../${file}`,
      (file: string) => `/aerostore-internal/blobs/%2e%2e/${file}`,
      (file: string) => `/aerostore-internal/${file}?`,
      (file: string) => `/aerostore-internal/${file}%00`,
      (file: string) => `/aerostore-internal/${file}#x`,
      (file: string) => `http://127.0.0.1/aerostore-internal/${file}`,
    ];

    test('can not be reached from outside, however it is written', async () => {
      const direct = await ask(server, at(name, publicBucket));
      const redirect = String(direct.headers['x-accel-redirect']);
      const file = redirect.slice('/aerostore-internal/'.length);
      const others = [file, 'version', 'keys/signing-keys', 'wal/00000000000000000001.wal'];
      const prefixes = ['', 'blobs/../', 'blobs/%2e%2e/'];
      for (const detour of detours) {
        for (const target of others.flatMap((one) => prefixes.map((prefix) => prefix + one))) {
          for (const method of ['GET', 'POST']) {
            const wire = await openWire(nginx);
            wire.send(
              `${method} ${detour(target)} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n` +
                `X-Accel-Redirect: ${redirect}\r\nConnection: close\r\n\r\n`,
            );
            const reply = await wire.reply();
            wire.drop();
            // Without credentials every write is 401, whatever is there.
            expect([400, 401, 404, 405], `${method} ${detour(target)}`).toContain(reply.status);
            expect(reply.bytes.length).toBeLessThan(1000);
          }
        }
      }
      // The same file is there for whom aerostore lets in.
      expect((await through(at(name, publicBucket))).bytes.equals(large)).toBe(true);
    });

    test('is not opened by what a user calls an object', async () => {
      const path = '/aerostore-internal/blobs/x';
      const asked = { token: alice, headers: { 'x-accel-redirect': path }, body: 'mine' };
      await put(server, `${publicBucket}/aerostore-internal/blobs/x`, asked);
      const reply = await through(at('aerostore-internal/blobs/x', publicBucket));
      expect(reply.text()).toBe('mine');
      expect((await through(`@${path}`)).status).toBe(404);
    });
  });
});

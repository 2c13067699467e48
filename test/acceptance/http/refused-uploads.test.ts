/** Bodies that are too large, of a wrong type, cut off or stuck: refused with their code, and nothing stays. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { headOf, openWire } from '../support/raw.ts';
import { type Server, startServer } from '../support/server.ts';
import { leavesNothing, makeBucket, staged } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let server: Server;
const token = user('alice');
const KIB = 1024;
const limit = 256 * KIB;

beforeAll(async () => {
  server = await startServer({
    env: { AEROSTORE_MAX_FILE_SIZE: '256KiB', AEROSTORE_BODY_IDLE_TIMEOUT: '300ms' },
  });
});
afterAll(() => server?.kill());

const uploadHead = (bucket: string, headers: Record<string, string | undefined>) =>
  headOf(`POST /storage/v1/object/${bucket}/upload`, {
    authorization: `Bearer ${token}`,
    ...headers,
  });

const isMissing = async (bucket: string) =>
  expectProblem(await ask(server, `/object/${bucket}/upload`, { token }), '404 NoSuchKey');

async function blobCount(): Promise<unknown> {
  return (await ask(server, '/admin/status', { token: service })).json().totals;
}

describe('too large', () => {
  const sizes: [string, Record<string, unknown>, number][] = [
    ['the server’s limit', {}, limit],
    ['the bucket’s lower limit', { max_file_size: 1000 }, 1000],
    ['the server’s limit below the bucket’s', { max_file_size: '1GiB' }, limit],
  ];

  test.each(sizes)(
    'declared above %s: refused before a byte of the body',
    async (_, settings, max) => {
      const bucket = await makeBucket(server, { settings });
      const wire = await openWire(server);
      const reply = await leavesNothing(server, async () => {
        wire.send(uploadHead(bucket, { 'content-length': String(max + 1) }));
        return wire.reply();
      });
      expectProblem(reply, '413 EntityTooLarge');
      wire.drop();
      await isMissing(bucket);
    },
  );

  test.each(sizes)('exactly %s fits, declared and chunked', async (_, settings, max) => {
    const bucket = await makeBucket(server, { settings });
    const body = Buffer.alloc(max, 'x');
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      const reply = await ask(server, `/object/${bucket}/upload`, {
        method: 'PUT',
        token,
        headers,
        body,
      });
      expect(reply.status, reply.text()).toBe(200);
      expect(reply.json().size).toBe(max);
    }
  });

  test.each(sizes)('chunked without a length, above %s: cut off', async (_, settings, max) => {
    const bucket = await makeBucket(server, { settings });
    const before = await blobCount();
    const reply = await leavesNothing(server, async () => {
      const wire = await openWire(server);
      wire.send(uploadHead(bucket, { 'transfer-encoding': 'chunked' }));
      // The last chunk never comes: the refusal does not wait for it.
      const size = max + 1;
      wire.send(`${size.toString(16)}\r\n`);
      wire.send(Buffer.alloc(size, 'x'));
      wire.send('\r\n');
      const answer = await wire.reply();
      wire.drop();
      return answer;
    });
    expectProblem(reply, '413 EntityTooLarge');
    expect(await blobCount()).toEqual(before);
    await isMissing(bucket);
  });

  test('a client that sends everything before it reads still reads the refusal', async () => {
    const bucket = await makeBucket(server);
    const reply = await leavesNothing(server, () =>
      ask(server, `/object/${bucket}/upload`, {
        method: 'POST',
        token,
        body: Buffer.alloc(4 * KIB * KIB, 'x'),
      }),
    );
    expectProblem(reply, '413 EntityTooLarge');
  });

  test('an endless chunked body is not read to its end', async () => {
    const bucket = await makeBucket(server);
    const wire = await openWire(server);
    wire.send(uploadHead(bucket, { 'transfer-encoding': 'chunked' }));
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    let sent = 0;
    while (!wire.received().includes('413') && sent < 2000) {
      wire.send(piece);
      sent += 1;
      await Promise.race([once(wire.socket, 'drain'), once(wire.socket, 'data'), tick()]);
    }
    expectProblem(await wire.reply(), '413 EntityTooLarge');
    await wire.closed();
  });
});

const tick = () => new Promise((resolve) => setImmediate(resolve));

describe('lengths that lie', () => {
  test('a body shorter than declared is incomplete, and nothing is stored', async () => {
    const bucket = await makeBucket(server);
    await leavesNothing(server, async () => {
      const wire = await openWire(server);
      wire.send(uploadHead(bucket, { 'content-length': '1000' }));
      wire.send('x'.repeat(999));
      wire.socket.end();
      await wire.closed();
      const received = wire.received();
      if (received !== '') expect(received).toMatch(/^HTTP\/1\.1 400 [\s\S]*"IncompleteBody"/);
    });
    await isMissing(bucket);
  });

  test('a body longer than declared is cut at its length; the rest is no request', async () => {
    const bucket = await makeBucket(server);
    const wire = await openWire(server);
    wire.send(uploadHead(bucket, { 'content-length': '4' }));
    wire.send('bodyGARBAGE /smuggled HTTP/1.1\r\n\r\n');
    const reply = await wire.reply();
    if (reply.status === 200) {
      expect((await ask(server, `/object/${bucket}/upload`, { token })).text()).toBe('body');
    } else expect(reply.status).toBe(400);
    await wire.closed();
  });

  test.each([
    ['both a length and chunks', { 'content-length': '4', 'transfer-encoding': 'chunked' }],
    ['a negative length', { 'content-length': '-4' }],
    ['a length that is no number', { 'content-length': 'four' }],
    ['a length with a sign', { 'content-length': '+4' }],
    ['an unknown transfer coding', { 'transfer-encoding': 'gzip, identity' }],
  ])('%s: refused', async (_, headers) => {
    const bucket = await makeBucket(server);
    const reply = await leavesNothing(server, async () => {
      const wire = await openWire(server);
      wire.send(uploadHead(bucket, headers as Record<string, string>));
      wire.send('body');
      const answer = await wire.reply();
      wire.drop();
      return answer;
    });
    expect([400, 411, 501], reply.text()).toContain(reply.status);
    await isMissing(bucket);
  });

  test('a broken chunk is incomplete, and nothing is stored', async () => {
    const bucket = await makeBucket(server);
    await leavesNothing(server, async () => {
      const wire = await openWire(server);
      wire.send(uploadHead(bucket, { 'transfer-encoding': 'chunked' }));
      wire.send('5\r\nhello\r\nZZ\r\n');
      await until('an answer or the end', () => wire.received() !== '' || wire.socket.destroyed);
      if (wire.received() !== '') expect(wire.received()).toMatch(/^HTTP\/1\.1 400 /);
      wire.drop();
    });
    await isMissing(bucket);
  });

  test('an encoded body is refused or stored as it is, never decoded', async () => {
    const bucket = await makeBucket(server);
    const reply = await ask(server, `/object/${bucket}/upload`, {
      method: 'POST',
      token,
      headers: { 'content-encoding': 'gzip' },
      body: 'not gzip',
    });
    if (reply.status === 200) expect(reply.json().size).toBe(8);
    else expect([400, 415]).toContain(reply.status);
  });
});

describe('clients that stop', () => {
  test.each([
    ['declared', { 'content-length': '200000' }, 'x'.repeat(100_000)],
    ['chunked', { 'transfer-encoding': 'chunked' }, `186a0\r\n${'x'.repeat(100_000)}\r\n`],
  ])('gone in the middle of a %s body: nothing stays', async (_, headers, half) => {
    const bucket = await makeBucket(server);
    await leavesNothing(server, async () => {
      const wire = await openWire(server);
      wire.send(uploadHead(bucket, headers as Record<string, string>));
      wire.send(half);
      await until('the upload has begun', () => staged(server).length > 0, 250).catch(
        () => undefined,
      );
      wire.drop();
    });
    await isMissing(bucket);
  });

  test('an idle body ends with 408, and nothing stays', async () => {
    const bucket = await makeBucket(server);
    const started = Date.now();
    const reply = await leavesNothing(server, async () => {
      const wire = await openWire(server);
      wire.send(uploadHead(bucket, { 'content-length': '1000' }));
      wire.send('x');
      const answer = await wire.reply();
      await wire.closed();
      return answer;
    });
    expectProblem(reply, '408 RequestTimeout');
    expect(Date.now() - started).toBeGreaterThanOrEqual(290);
    await isMissing(bucket);
  });

  test('a slow body that keeps coming is no idle one', async () => {
    const bucket = await makeBucket(server);
    const wire = await openWire(server);
    wire.send(uploadHead(bucket, { 'content-length': '8' }));
    // Eight bytes, each well within the timeout, together well beyond it.
    for (const byte of '01234567') {
      await new Promise((resolve) => setTimeout(resolve, 100));
      wire.send(byte);
    }
    expect((await wire.reply()).status).toBe(200);
    expect((await ask(server, `/object/${bucket}/upload`, { token })).text()).toBe('01234567');
    wire.drop();
  });
});

describe('types', () => {
  const picky = { allowed_mime_types: ['image/*', 'application/pdf'] };
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
  const send = (bucket: string, type: string | undefined, body: Buffer | string) =>
    ask(server, `/object/${bucket}/upload`, {
      method: 'POST',
      token,
      headers: type === undefined ? {} : { 'content-type': type },
      body,
    });

  test.each([
    'image/png',
    'image/x-odd',
    'IMAGE/PNG',
    'image/png; charset=x; q="a;b"',
    'application/pdf',
    'Application/PDF ; version=1',
  ])('%s is allowed', async (type) => {
    const bucket = await makeBucket(server, { settings: picky });
    const reply = await send(bucket, type, 'no magic here');
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.json().content_type).toBe(type);
  });

  test.each([
    ['text/plain', 'text/plain'],
    ['text/html; charset=image/png', 'text/html'],
    ['application/pdfx', 'application/pdfx'],
    ['application/json;image/png', 'application/json'],
    ['imagex/png', 'imagex/png'],
  ])('%s is not', async (type, named) => {
    const bucket = await makeBucket(server, { settings: picky });
    const reply = await leavesNothing(server, () => send(bucket, type, png));
    expectProblem(reply, '415 InvalidMimeType', `mime type ${named} is not supported`);
    await isMissing(bucket);
  });

  test('a missing type is guessed from the name, else application/octet-stream', async () => {
    const bucket = await makeBucket(server, { settings: picky });
    const reply = await leavesNothing(server, () => send(bucket, undefined, png));
    expectProblem(
      reply,
      '415 InvalidMimeType',
      'mime type application/octet-stream is not supported',
    );
    const named = await ask(server, `/object/${bucket}/a.png`, {
      method: 'POST',
      token,
      body: png,
    });
    expect(named.json()).toMatchObject({ content_type: 'image/png' });
  });

  test.each(['image', '/', 'image/', 'png', '*/*', 'image/png, text/html'])(
    'the malformed type %j is refused where types are restricted',
    async (type) => {
      const bucket = await makeBucket(server, { settings: picky });
      const reply = await leavesNothing(server, () => send(bucket, type, 'x'));
      expect([400, 415], reply.text()).toContain(reply.status);
    },
  );

  const disguised: [string, string, Buffer | string, string][] = [
    [
      'HTML as a picture',
      'image/png',
      '<!DOCTYPE html><html><script>alert(1)</script>',
      'text/html',
    ],
    ['HTML after white space', 'image/png', '\n\t <html>', 'text/html'],
    [
      'a ZIP as a picture',
      'image/png',
      Buffer.from('504b0304140000000000', 'hex'),
      'application/zip',
    ],
    ['an ELF as a PDF', 'application/pdf', Buffer.from('7f454c4602010100', 'hex'), ''],
  ];
  test.each(disguised)('%s is recognised by its bytes', async (_, type, body, found) => {
    const bucket = await makeBucket(server, { settings: picky });
    const padded = Buffer.concat([Buffer.from(body), Buffer.alloc(600)]);
    const reply = await leavesNothing(server, () => send(bucket, type, padded));
    expectProblem(reply, '415 InvalidMimeType', found === '' ? /is not supported/ : found);
    await isMissing(bucket);
  });

  test('an SVG as a PNG is another type, and both are refused or not by the list', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';
    const onlyPng = await makeBucket(server, { settings: { allowed_mime_types: ['image/png'] } });
    const refused = await leavesNothing(server, () => send(onlyPng, 'image/png', svg));
    expectProblem(refused, '415 InvalidMimeType', 'image/svg+xml');
    const anyImage = await makeBucket(server, { settings: picky });
    expect((await send(anyImage, 'image/png', svg)).status).toBe(200);
  });

  test('text/plain may hold tags, and a bucket without a list takes everything', async () => {
    const texts = await makeBucket(server, { settings: { allowed_mime_types: ['text/plain'] } });
    expect((await send(texts, 'text/plain', '<html><body>')).status).toBe(200);
    const open = await makeBucket(server);
    expect((await send(open, 'image/png', '<html><body>')).status).toBe(200);
  });
});

describe('Expect: 100-continue', () => {
  const expectation = (length: number) => ({
    expect: '100-continue',
    'content-length': String(length),
  });

  test('is answered with 100 where the upload may go on', async () => {
    const bucket = await makeBucket(server);
    const wire = await openWire(server);
    wire.send(uploadHead(bucket, expectation(4)));
    await until('100 Continue', () => wire.received().startsWith('HTTP/1.1 100 '));
    wire.send('body');
    expect((await wire.reply()).status).toBe(200);
    wire.drop();
  });

  const refusals: [string, Record<string, unknown>, Record<string, string>, string][] = [
    ['too large', { max_file_size: 3 }, {}, '413 EntityTooLarge'],
    [
      'of a wrong type',
      { allowed_mime_types: ['image/png'] },
      { 'content-type': 'text/css' },
      '415 InvalidMimeType',
    ],
    ['without credentials', {}, { authorization: '' }, '401 MissingAuthorization'],
    ['with a bad token', {}, { authorization: 'Bearer x.y.z' }, '401 InvalidJWT'],
    ['of a stranger', {}, { authorization: `Bearer ${user('stranger')}` }, '404 NoSuchBucket'],
    ['with a failed condition', {}, { 'if-match': '"x"' }, '412 PreconditionFailed'],
  ];
  test.each(refusals)('is refused before 100: %s', async (_, settings, headers, wanted) => {
    const bucket = await makeBucket(server, { settings });
    const wire = await openWire(server);
    const sent: Record<string, string | undefined> = { ...expectation(4), ...headers };
    if (headers.authorization === '') sent.authorization = undefined;
    const reply = await leavesNothing(server, async () => {
      wire.send(uploadHead(bucket, sent));
      return wire.reply();
    });
    expectProblem(reply, wanted);
    expect(wire.received()).not.toContain('100 Continue');
    wire.drop();
  });
});

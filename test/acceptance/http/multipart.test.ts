/** Uploads as multipart/form-data: one file part, fields before or after it. */
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { etagOf, sha256 } from '../support/hashes.ts';
import { expectProblem } from '../support/problems.ts';
import { headOf, openWire } from '../support/raw.ts';
import { type Server, startServer } from '../support/server.ts';
import { leavesNothing, makeBucket, stagingEmpties } from '../support/store.ts';
import { user } from '../support/tokens.ts';

let server: Server;
let bucket: string;
const token = user('alice');
const boundary = '----acceptance-7MA4YWxkTrZu0gW';

beforeAll(async () => {
  server = await startServer();
  bucket = await makeBucket(server);
});
afterAll(() => server?.kill());

interface Part {
  readonly name: string;
  readonly filename?: string;
  readonly type?: string;
  readonly body: Buffer | string;
}

const field = (name: string, body: string): Part => ({ name, body });
const file = (body: Buffer | string, more: Partial<Part> = {}): Part => ({
  name: '',
  filename: 'blob',
  type: 'text/plain',
  body,
  ...more,
});

function form(parts: readonly Part[]): Buffer {
  const chunks = parts.flatMap(({ name, filename, type, body }) => [
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"`,
    filename === undefined ? '' : `; filename="${filename}"`,
    type === undefined ? '' : `\r\ncontent-type: ${type}`,
    '\r\n\r\n',
    body,
    '\r\n',
  ]);
  return Buffer.concat([...chunks, `--${boundary}--\r\n`].map((chunk) => Buffer.from(chunk)));
}

const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
const send = (path: string, body: Buffer, to = bucket) =>
  ask(server, `/object/${to}/${path}`, { method: 'POST', token, headers, body });

test('a file part with an empty name is the body, with its own type', async () => {
  const body = Buffer.from('\u0000file\r\n--not a boundary\r\n', 'latin1');
  const reply = await send('plain', form([file(body, { type: 'application/x-own' })]));
  expect(reply.status, reply.text()).toBe(200);
  expect(reply.json()).toMatchObject({
    path: 'plain',
    size: body.length,
    content_type: 'application/x-own',
    etag: await etagOf(body),
    metadata: {},
  });
  const read = await ask(server, `/object/${bucket}/plain`, { token });
  expect(read.bytes.equals(body)).toBe(true);
});

const fields = [
  field('cacheControl', '3600'),
  field('metadata', '{"project":"x","n":1}'),
  field('contentType', 'image/png'),
];
test.each([
  ['before', [...fields, file('x')]],
  ['after', [file('x'), ...fields]],
])('fields %s the file part count, bare seconds mean max-age', async (where, parts) => {
  const reply = await send(`fields-${where}`, form(parts));
  expect(reply.status, reply.text()).toBe(200);
  expect(reply.json()).toMatchObject({
    cache_control: 'max-age=3600',
    metadata: { project: 'x', n: 1 },
    content_type: 'image/png',
    size: 1,
  });
});

test('a cacheControl that is no number is taken as it is', async () => {
  const reply = await send('cc', form([field('cacheControl', 'no-store'), file('x')]));
  expect(reply.json()).toMatchObject({ cache_control: 'no-store' });
});

test('the file part may have any name and an empty body', async () => {
  const reply = await send('named', form([file('', { name: 'file', filename: '../../evil.txt' })]));
  expect(reply.status, reply.text()).toBe(200);
  expect(reply.json()).toMatchObject({ path: 'named', size: 0 });
});

test('what FormData of a browser sends is understood, chunked and of 3 MiB', async () => {
  const body = Buffer.alloc(3 * 1024 * 1024, 'form data ');
  const data = new FormData();
  data.append('cacheControl', '60');
  data.append('', new Blob([body], { type: 'image/png' }), 'photo.png');
  const reply = await fetch(`${server.url}/storage/v1/object/${bucket}/browser`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: data,
  });
  expect(reply.status).toBe(200);
  expect(await reply.json()).toMatchObject({
    content_type: 'image/png',
    cache_control: 'max-age=60',
  });
  const read = await ask(server, `/object/${bucket}/browser`, { token });
  expect(sha256(read.bytes)).toBe(sha256(body));
});

test('forms of many sizes and in many pieces are taken, at once', async () => {
  const sizes = Array.from({ length: 32 }, (_, index) => 40_000 + index * 31_013);
  await Promise.all(
    sizes.map(async (size, index) => {
      const body = Buffer.alloc(size, `form ${size} `);
      const whole = form([field('cacheControl', '60'), file(body), ...fields.slice(1)]);
      const step = 10_007 + index * 3001;
      const pieces = Array.from({ length: Math.ceil(whole.length / step) }, (_, at) =>
        whole.subarray(at * step, (at + 1) * step),
      );
      const reply = await ask(server, `/object/${bucket}/pieces-${index}`, {
        method: 'POST',
        token,
        headers,
        body: Readable.from(pieces),
      });
      expect(reply.status, reply.text()).toBe(200);
      expect(reply.json()).toMatchObject({ size, etag: await etagOf(body) });
    }),
  );
  await stagingEmpties(server);
});

describe('refused', () => {
  const wrong: [string, Buffer][] = [
    ['no file part', form(fields)],
    ['two file parts', form([file('a'), file('b')])],
    ['nothing at all', form([])],
    ['an empty body', Buffer.alloc(0)],
    ['no multipart inside', Buffer.from('just text')],
    ['the end is missing', form([file('x')]).subarray(0, -boundary.length - 6)],
  ];
  test.each(wrong)('%s', async (_, body) => {
    const reply = await leavesNothing(server, () => send('wrong', body));
    expect(reply.status, reply.text()).toBe(400);
    expect(['InvalidRequest', 'IncompleteBody']).toContain(reply.json().code);
    expectProblem(await ask(server, `/object/${bucket}/wrong`, { token }), '404 NoSuchKey');
  });

  test('without a boundary', async () => {
    const reply = await leavesNothing(server, () =>
      ask(server, `/object/${bucket}/wrong`, {
        method: 'POST',
        token,
        headers: { 'content-type': 'multipart/form-data' },
        body: form([file('x')]),
      }),
    );
    expectProblem(reply, '400 InvalidRequest');
  });

  test.each([
    ['no JSON', '{"a":'],
    ['more than 8 KiB', JSON.stringify({ a: 'x'.repeat(8200) })],
  ])('metadata that is %s, before or after the file', async (_, metadata) => {
    for (const parts of [
      [field('metadata', metadata), file('x')],
      [file('x'), field('metadata', metadata)],
    ]) {
      const reply = await leavesNothing(server, () => send('wrong', form(parts)));
      expectProblem(reply, '400 InvalidMetadata');
    }
  });

  test('a type that the bucket doesn’t take, in the part or in a field before or after', async () => {
    const own = await makeBucket(server, { settings: { allowed_mime_types: ['text/plain'] } });
    for (const parts of [
      [file('x', { type: 'image/png' })],
      [field('contentType', 'image/png'), file('x')],
      [file('x'), field('contentType', 'image/png')],
    ]) {
      const reply = await leavesNothing(server, () => send('typed', form(parts), own));
      expectProblem(reply, '415 InvalidMimeType', 'mime type image/png is not supported');
    }
    expect((await send('typed', form([file('x')]), own)).status).toBe(200);
  });

  test('a file that is larger than the bucket takes, of which only the form’s length is known', async () => {
    const own = await makeBucket(server, { settings: { max_file_size: 1000 } });
    expect((await send('limit', form([file('x'.repeat(1000))]), own)).status).toBe(200);
    for (const size of [1001, 200_000]) {
      const reply = await leavesNothing(server, () =>
        send('larger', form([file('x'.repeat(size))]), own),
      );
      expectProblem(reply, '413 EntityTooLarge');
    }
  });

  test('a client that goes in the middle of its file leaves nothing', async () => {
    await leavesNothing(server, async () => {
      const body = form([file(Buffer.alloc(300_000, 'x'))]);
      const wire = await openWire(server);
      wire.send(
        headOf(`POST /storage/v1/object/${bucket}/half`, {
          authorization: `Bearer ${token}`,
          ...headers,
          'content-length': String(body.length),
        }),
      );
      wire.send(body.subarray(0, 200_000));
      await ask(server, '@/health/live');
      wire.drop();
    });
    await stagingEmpties(server);
    expectProblem(await ask(server, `/object/${bucket}/half`, { token }), '404 NoSuchKey');
  });
});

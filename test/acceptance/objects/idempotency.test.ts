/** API.md `idempotency-key`: every mutation is done once, and a repeat is answered as the first was. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, base, type Question, type Reply } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { fresh, head, leavesNothing, makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let server: Server;
const alice = user('alice');
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

type Mutation = (bucket: string) => readonly [path: string, question: Question];

const mutations: Record<string, Mutation> = {
  'POST of an object': (bucket) => [`/object/${bucket}/new`, { method: 'POST', body: 'text' }],
  'POST that would not overwrite': (bucket) => [
    `/object/${bucket}/new`,
    { method: 'POST', body: 'text', headers: { 'x-upsert': 'false' } },
  ],
  'PUT if there is none': (bucket) => [
    `/object/${bucket}/new`,
    { method: 'PUT', body: 'text', headers: { 'if-none-match': '*' } },
  ],
  'DELETE of an object': (bucket) => [`/object/${bucket}/old`, { method: 'DELETE' }],
  PATCH: (bucket) => [`/object/${bucket}/old`, { method: 'PATCH', json: { metadata: { n: 1 } } }],
  'PATCH of nothing': (bucket) => [`/object/${bucket}/old`, { method: 'PATCH', json: {} }],
  'delete many': (bucket) => [
    `/object/${bucket}`,
    { method: 'DELETE', json: { prefixes: ['old', 'none'] } },
  ],
  copy: (bucket) => [
    '/object/copy',
    { method: 'POST', json: { bucketId: bucket, sourceKey: 'old', destinationKey: 'new' } },
  ],
  move: (bucket) => [
    '/object/move',
    { method: 'POST', json: { bucketId: bucket, sourceKey: 'old', destinationKey: 'new' } },
  ],
  'POST of a bucket': () => ['/bucket', { method: 'POST', json: { name: fresh('made') } }],
  'PUT of a bucket': (bucket) => [`/bucket/${bucket}`, { method: 'PUT', json: { public: true } }],
  'an emptied bucket': (bucket) => [`/bucket/${bucket}/empty`, { method: 'POST' }],
  'a deleted bucket': (bucket) => [`/bucket/${bucket}?force=true`, { method: 'DELETE' }],
};

function asked(key: string, { headers, ...question }: Question): Question {
  return { token: alice, ...question, headers: { ...headers, 'idempotency-key': key } };
}

async function drained(): Promise<boolean> {
  const status = await ask(server, '/admin/status', { token: service });
  return status.json().drains === 0;
}

/** What an answer says: status, body, and the headers that are not about this one message. */
function said({ status, headers, text }: Reply): unknown {
  const { 'x-request-id': _id, date: _date, ...rest } = headers;
  return { status, headers: rest, body: text() };
}

test.each(Object.entries(mutations))('%s is done once', async (_name, mutation) => {
  const bucket = await makeBucket(server);
  await put(server, `${bucket}/old`, { token: alice, body: 'old' });
  const [path, question] = mutation(bucket);
  const key = fresh('key');
  const first = await ask(server, path, asked(key, question));
  expect(first.status, first.text()).toBe(200);
  await until('nothing is left to drain', drained);
  const repeat = await leavesNothing(server, () => ask(server, path, asked(key, question)));
  expect(said(repeat)).toEqual(said(first));
});

test('a repeat after kill -9 is answered as the first was', async () => {
  const own = await startServer();
  const bucket = await makeBucket(own);
  const upload = asked('k', { method: 'POST', body: 'text' });
  const first = await ask(own, `/object/${bucket}/a`, upload);
  await own.kill();
  const again = await startServer({ dataDir: own.dataDir });
  const before = await head(again);
  expect(said(await ask(again, `/object/${bucket}/a`, upload))).toEqual(said(first));
  expect(await head(again)).toBe(before);
  await again.kill();
});

describe('a key', () => {
  test.each<[string, Question]>([
    ['other bytes', { body: 'other' }],
    ['another type', { body: 'text', headers: { 'content-type': 'text/css' } }],
    ['other metadata', { body: 'text', headers: { 'x-metadata': 'eyJhIjoxfQ==' } }],
    ['another condition', { body: 'text', headers: { 'x-upsert': 'false' } }],
    ['another method', { method: 'PUT', body: 'text' }],
  ])('of %s is a conflict', async (_name, other) => {
    const bucket = await makeBucket(server);
    const key = fresh('key');
    const path = `/object/${bucket}/a`;
    await ask(server, path, asked(key, { method: 'POST', body: 'text' }));
    const conflict = await leavesNothing(server, () =>
      ask(server, path, asked(key, { method: 'POST', ...other })),
    );
    expectProblem(conflict, '409 IdempotencyConflict');
  });

  test('of a form is the same whatever its boundary and the order of its fields', async () => {
    const bucket = await makeBucket(server);
    const key = fresh('key');
    const form = (boundary: string, fields: readonly string[]) => {
      const parts = fields.map((field) => `--${boundary}\r\n${field}\r\n`).join('');
      const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
      return asked(key, { method: 'POST', headers, body: `${parts}--${boundary}--\r\n` });
    };
    const file = 'content-disposition: form-data; name=""; filename=""\r\n\r\ntext';
    const cache = 'content-disposition: form-data; name="cacheControl"\r\n\r\n60';
    const first = await ask(server, `/object/${bucket}/a`, form('one', [file, cache]));
    expect(first.status, first.text()).toBe(200);
    const repeat = await ask(server, `/object/${bucket}/a`, form('two', [cache, file]));
    expect(said(repeat)).toEqual(said(first));
  });

  test('belongs to its caller', async () => {
    const bucket = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
    const key = fresh('key');
    const upload = asked(key, { method: 'POST', body: 'text' });
    const mine = await ask(server, `/object/${bucket}/a`, upload);
    const hers = await ask(server, `/object/${bucket}/b`, { ...upload, token: user('bob') });
    expect([mine.status, hers.status]).toEqual([200, 200]);
  });

  test.each([
    ['', 400],
    ['x'.repeat(256), 400],
    ['\u00e9', 400],
    ['x'.repeat(255), 200],
    ['a key, with "signs"', 200],
  ])('%j is answered with %i', async (key, status) => {
    const bucket = await makeBucket(server);
    const reply = await ask(
      server,
      `/object/${bucket}/a`,
      asked(key, { method: 'PUT', body: 'x' }),
    );
    expect(reply.status, reply.text()).toBe(status);
    if (status === 400) expectProblem(reply, '400 InvalidRequest', /idempotency-key/);
  });

  test('of a refused request may be used again', async () => {
    const bucket = await makeBucket(server);
    const key = fresh('key');
    const copy = asked(key, {
      method: 'POST',
      json: { bucketId: bucket, sourceKey: 'a', destinationKey: 'b' },
    });
    expectProblem(await ask(server, '/object/copy', copy), '404 NoSuchKey');
    await put(server, `${bucket}/a`, { token: alice, body: 'x' });
    expect((await ask(server, '/object/copy', copy)).status).toBe(200);
  });
});

test('a repeat that comes while the first still sends its bytes is done once with it', async () => {
  const bucket = await makeBucket(server);
  const key = fresh('key');
  const path = `/object/${bucket}/slow`;
  const slow = connect({ port: server.port, host: '127.0.0.1' });
  let answer = '';
  slow.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  const ended = new Promise((resolve) => slow.once('close', resolve));
  slow.write(
    `POST ${base}${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n` +
      `authorization: Bearer ${alice}\r\nidempotency-key: ${key}\r\ncontent-length: 4\r\n\r\nte`,
  );
  const fast = await ask(server, path, asked(key, { method: 'POST', body: 'text' }));
  expect(fast.status, fast.text()).toBe(200);
  const before = await head(server);
  slow.write('xt');
  await ended;
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain(String(fast.json().version));
  expect(await head(server)).toBe(before);
});

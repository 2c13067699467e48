/** Real files of real packages, and one of 100 MiB: up, down, listed, compared by SHA-256, and gone. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, base, encodePath, type Reply, replyOf } from '../support/client.ts';
import { sha256 } from '../support/hashes.ts';
import { expectProblem } from '../support/problems.ts';
import { repository, type Server, startServer } from '../support/server.ts';
import { head, listPaths, makeBucket, staged, stagingEmpties } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let server: Server;
const token = user('alice');
const mib = 1024 * 1024;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

/** Packages with pictures, WASM, native code, empty files, dotfiles and fixtures. */
const packages = [
  'istanbul-reports',
  '@fastify/busboy',
  'classic-level/prebuilds',
  '@napi-rs',
  'pino',
  'hash-wasm',
  '@msgpackr-extract',
  'atomic-sleep',
  'stackback',
];

interface RealFile {
  readonly name: string;
  readonly file: string;
}

function filesOf(folder: string, name: string): RealFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    const key = `${name}/${entry.name}`;
    if (entry.isDirectory()) return filesOf(file, key);
    return entry.isFile() ? [{ name: key, file }] : [];
  });
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

test('every file of real packages comes back as it was', async () => {
  const found = packages.flatMap((name) =>
    filesOf(path.join(repository, 'node_modules', name), name),
  );
  // A check that looked at nothing would pass, too.
  expect(found.length).toBeGreaterThan(300);
  for (const odd of [/\.png$/, /\.node$/, /\/\.[^/]+$/, /\.ico$/]) {
    expect(
      found.some(({ name }) => odd.test(name)),
      String(odd),
    ).toBe(true);
  }
  const empty = found.filter(({ file }) => readFileSync(file).length === 0);
  expect(empty.length).toBeGreaterThan(0);

  const bucket = await makeBucket(server, { settings: { policy: 'authenticated' } });
  const hashes = new Map<string, string>();
  await inParallel(found, async ({ name, file }) => {
    const body = readFileSync(file);
    hashes.set(name, sha256(body));
    const url = `/object/${bucket}/${encodePath(name)}`;
    const stored = await ask(server, url, { method: 'POST', token, body });
    expect(stored.status, `${name}: ${stored.text()}`).toBe(200);
    expect(stored.json().size).toBe(body.length);
  });
  const names = found.map(({ name }) => name);
  const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(await listPaths(server, bucket, { token, query: 'limit=100' })).toEqual(inOrder);

  await inParallel(names, async (name) => {
    const url = `/object/${bucket}/${encodePath(name)}`;
    const read = await ask(server, url, { token: user('someone else') });
    expect(sha256(read.bytes), name).toBe(hashes.get(name));
    expect((await ask(server, url, { method: 'DELETE', token })).status).toBe(200);
    expectProblem(await ask(server, url, { token }), '404 NoSuchKey');
  });
  expect(await listPaths(server, bucket, { token })).toEqual([]);
  await stagingEmpties(server);
});

test('WebAssembly is stored with its type and comes back as it was', async () => {
  const file = path.join(repository, 'node_modules/oxc-parser/parser.wasm32-wasip1.wasm');
  const bundled = readdirSync(path.join(repository, 'node_modules/oxc-parser')).includes(
    path.basename(file),
  );
  // An installation without the WASI build still has a module to send: the smallest legal one.
  const body = bundled ? readFileSync(file) : Buffer.from('0061736d01000000', 'hex');
  const bucket = await makeBucket(server);
  const url = `/object/${bucket}/module.wasm`;
  const stored = await ask(server, url, { method: 'PUT', token, body });
  expect(stored.json()).toMatchObject({ content_type: 'application/wasm', size: body.length });
  const read = await ask(server, url, { token });
  expect(read.bytes.equals(body)).toBe(true);
  expect(read.bytes.subarray(0, 4).toString('latin1')).toBe('\0asm');
});

/** Bytes that differ everywhere, made as they are read. */
function* pieces(count: number): Generator<Buffer> {
  for (let index = 0; index < count; index += 1) {
    const piece = Buffer.alloc(mib, `${index} `);
    piece.writeUInt32LE(index, 0);
    yield piece;
  }
}

test('100 MiB go up and down, streamed', async () => {
  const bucket = await makeBucket(server);
  const sent = createHash('sha256');
  for (const piece of pieces(100)) sent.update(piece);
  const wanted = sent.digest('hex');
  const stored = await ask(server, `/object/${bucket}/large.bin`, {
    method: 'POST',
    token,
    headers: { 'content-length': 100 * mib },
    body: Readable.from(pieces(100)),
  });
  expect(stored.status, stored.text()).toBe(200);
  expect(stored.json()).toMatchObject({ size: 100 * mib });

  const got = createHash('sha256');
  const response = await streamed(`/object/${bucket}/large.bin`);
  for await (const chunk of response) got.update(chunk);
  expect(got.digest('hex')).toBe(wanted);

  const range = { range: `bytes=${50 * mib - 5}-${50 * mib + 4}` };
  const middle = await ask(server, `/object/${bucket}/large.bin`, { token, headers: range });
  const around = Buffer.concat([...pieces(51)].slice(49)).subarray(mib - 5, mib + 5);
  expect(middle.bytes.equals(around)).toBe(true);
  const beyond = await ask(server, `/object/${bucket}/more.bin`, {
    method: 'POST',
    token,
    headers: { 'content-length': 100 * mib + 1 },
    body: Readable.from([]),
  }).catch((error: unknown) => error as Error);
  if (!(beyond instanceof Error)) expectProblem(beyond, '413 EntityTooLarge');
});

async function streamed(url: string): Promise<AsyncIterable<Buffer>> {
  const asked = request(`${server.url}${base}${url}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  asked.end();
  const [response] = await once(asked, 'response');
  return response as AsyncIterable<Buffer>;
}

/** An upload of which the second half waits. */
function halfUpload(url: string, as: string): { asked: ClientRequest; reply: Promise<Reply> } {
  const asked = request(`${server.url}${base}${url}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${as}`, 'content-length': 2 * mib },
  });
  const reply = once(asked, 'response').then(async ([response]) => {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return replyOf(response, Buffer.concat(chunks));
  });
  asked.write(Buffer.alloc(mib, '1'));
  return { asked, reply };
}

const swaps: [string, string, string][] = [
  ['by someone else', 'bob', '404 NoSuchBucket'],
  ['by the same owner', 'alice', '404 NoSuchBucket'],
];
test.each(swaps)(
  'an upload into a bucket deleted and created again %s is refused at the commit',
  async (_, owner, wanted) => {
    const bucket = await makeBucket(server);
    const { asked, reply } = halfUpload(`/object/${bucket}/late`, token);
    await until('the upload is on its way', () => staged(server).length > 0);
    const removed = await ask(server, `/bucket/${bucket}`, { method: 'DELETE', token });
    expect(removed.status).toBe(200);
    const created = await ask(server, '/bucket', {
      method: 'POST',
      token: user(owner),
      json: { name: bucket, policy: 'public', write_policy: 'authenticated' },
    });
    expect(created.status, created.text()).toBe(200);
    const before = await head(server);
    asked.end(Buffer.alloc(mib, '2'));
    expectProblem(await reply, wanted);
    await stagingEmpties(server);
    expect(await head(server)).toBe(before);
    expect(await listPaths(server, bucket, { token: service })).toEqual([]);
  },
);

const changes: [string, Record<string, unknown>, string][] = [
  ['a lower limit', { max_file_size: mib }, '413 EntityTooLarge'],
  ['a list of other types', { allowed_mime_types: ['image/png'] }, '415 InvalidMimeType'],
  ['a stricter write_policy', { write_policy: 'owner' }, '404 NoSuchBucket'],
];
test.each(changes)(
  '%s set while the bytes stream counts at the commit',
  async (_, json, wanted) => {
    const bucket = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
    const { asked, reply } = halfUpload(`/object/${bucket}/late`, user('bob'));
    await until('the upload is on its way', () => staged(server).length > 0);
    const changed = await ask(server, `/bucket/${bucket}`, { method: 'PUT', token, json });
    expect(changed.status, changed.text()).toBe(200);
    asked.end(Buffer.alloc(mib, '2'));
    expectProblem(await reply, wanted);
    await stagingEmpties(server);
    expect(await listPaths(server, bucket, { token: service })).toEqual([]);
  },
);

test('an object stored by someone else while the bytes stream is not overwritten', async () => {
  const bucket = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
  const { asked, reply } = halfUpload(`/object/${bucket}/late`, user('bob'));
  await until('the upload is on its way', () => staged(server).length > 0);
  const first = await ask(server, `/object/${bucket}/late`, {
    method: 'PUT',
    token,
    body: 'first',
  });
  expect(first.status).toBe(200);
  asked.end(Buffer.alloc(mib, '2'));
  expectProblem(await reply, '403 AccessDenied');
  expect((await ask(server, `/object/${bucket}/late`, { token })).text()).toBe('first');
});

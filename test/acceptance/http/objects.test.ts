/** The main job: store, read, look at, list and delete objects, in buckets of each policy. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { etagOf, sha256 } from '../support/hashes.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { fresh, leavesNothing, makeBucket, put, stagingEmpties } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';

let server: Server;
const alice = user('alice');
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

describe.each(['private', 'authenticated', 'public'])('in a %s bucket', (policy) => {
  test('an object is stored, read, looked at, listed and deleted', async () => {
    const bucket = await makeBucket(server, { settings: { policy } });
    const body = Buffer.from('\u0000\u00ff some bytes\r\n--\n', 'latin1');
    const etag = await etagOf(body);

    const stored = await ask(server, `/object/${bucket}/docs/a.txt`, {
      method: 'POST',
      token: alice,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'max-age=60' },
      body,
    });
    expect(stored.status, stored.text()).toBe(200);
    const object = {
      id: expect.any(String),
      bucket,
      path: 'docs/a.txt',
      size: body.length,
      content_type: 'text/plain; charset=utf-8',
      owner_id: 'alice',
      etag,
      version: expect.any(String),
      cache_control: 'max-age=60',
      metadata: {},
      created_at: expect.stringMatching(timestamp),
      updated_at: expect.stringMatching(timestamp),
    };
    const uploaded = stored.json();
    expect(uploaded).toEqual({ ...object, Id: uploaded.id, Key: `${bucket}/docs/a.txt` });
    expect(stored.headers['x-aerostore-position']).toMatch(/^\d+$/);

    const read = await ask(server, `/object/${bucket}/docs/a.txt`, { token: alice });
    expect(read.status).toBe(200);
    expect(read.bytes.equals(body)).toBe(true);
    expect(read.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(body.length),
      etag: `"${etag}"`,
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
    });
    expect(Date.parse(String(read.headers['last-modified']))).toBe(
      Math.floor(Date.parse(String(uploaded.updated_at)) / 1000) * 1000,
    );

    const headed = await ask(server, `/object/${bucket}/docs/a.txt`, {
      method: 'HEAD',
      token: alice,
    });
    expect(headed.status).toBe(200);
    expect(headed.bytes.length).toBe(0);
    const volatile = { date: '', 'x-request-id': '' };
    expect({ ...headed.headers, ...volatile }).toEqual({ ...read.headers, ...volatile });

    const { updated_at: updatedAt, Id: _, Key: __, ...row } = uploaded;
    const info = await ask(server, `/object/info/${bucket}/docs/a.txt`, { token: alice });
    expect(info.json()).toEqual({
      ...row,
      last_modified: updatedAt,
      name: 'docs/a.txt',
      bucket_id: bucket,
    });
    expect(info.headers.etag).toBe(`"${etag}"`);
    const infoHead = await ask(server, `/object/info/${bucket}/docs/a.txt`, {
      method: 'HEAD',
      token: alice,
    });
    expect(infoHead.status).toBe(200);
    expect(infoHead.headers.etag).toBe(`"${etag}"`);
    expect(infoHead.bytes.length).toBe(0);

    const listed = await ask(server, `/object/list/${bucket}`, { token: alice });
    expect(listed.json()).toEqual({
      objects: [{ ...row, updated_at: updatedAt }],
      prefixes: [],
      next_cursor: null,
    });

    const removed = await ask(server, `/object/${bucket}/docs/a.txt`, {
      method: 'DELETE',
      token: alice,
    });
    expect(removed.status).toBe(200);
    expect(removed.json()).toEqual({ message: 'Successfully deleted' });
    expect(Number(removed.headers['x-aerostore-position'])).toBeGreaterThan(
      Number(stored.headers['x-aerostore-position']),
    );
    for (const [method, path] of [
      ['GET', `/object/${bucket}/docs/a.txt`],
      ['GET', `/object/info/${bucket}/docs/a.txt`],
      ['DELETE', `/object/${bucket}/docs/a.txt`],
    ] as const) {
      expectProblem(await ask(server, path, { method, token: alice }), '404 NoSuchKey');
    }
    const gone = await ask(server, `/object/${bucket}/docs/a.txt`, {
      method: 'HEAD',
      token: alice,
    });
    expect(gone.status).toBe(404);
    expect(gone.bytes.length).toBe(0);
    const empty = await ask(server, `/object/list/${bucket}`, { token: alice });
    expect(empty.json()).toMatchObject({ objects: [] });
    await stagingEmpties(server);
  });

  test('authenticated and public routes read the same bytes where they apply', async () => {
    const bucket = await makeBucket(server, { settings: { policy } });
    await put(server, `${bucket}/a`, { token: alice, body: 'same' });
    for (const stem of ['/object/authenticated', '/object/info/authenticated']) {
      const reply = await ask(server, `${stem}/${bucket}/a`, { token: alice });
      expect(reply.status, stem).toBe(200);
    }
    for (const stem of ['/object/public', '/object/info/public']) {
      for (const token of [undefined, alice, service]) {
        const reply = await ask(server, `${stem}/${bucket}/a`, { token });
        expect(reply.status, stem).toBe(policy === 'public' ? 200 : 404);
      }
    }
  });
});

describe('uploads', () => {
  let bucket: string;
  beforeAll(async () => {
    bucket = await makeBucket(server);
  });
  const upload = (path: string, question: object) =>
    ask(server, `/object/${bucket}/${path}`, { method: 'POST', token: alice, ...question });

  const types: [string, string | undefined, string][] = [
    ['photo.png', undefined, 'image/png'],
    ['page.html', undefined, 'text/html'],
    ['data.json', undefined, 'application/json'],
    ['PHOTO.JPG', undefined, 'image/jpeg'],
    ['noext', undefined, 'application/octet-stream'],
    ['odd.zzzz', undefined, 'application/octet-stream'],
    ['photo.png', 'text/plain', 'text/plain'],
    ['x', 'Text/HTML; Charset=UTF-8', 'Text/HTML; Charset=UTF-8'],
  ];
  test.each(types)('%s sent as %s has the type %s', async (name, sent, wanted) => {
    const path = `${fresh('t')}/${name}`;
    const headers = sent === undefined ? {} : { 'content-type': sent };
    const stored = await upload(path, { headers, body: 'x' });
    // A guess may add the charset that its type usually has.
    const matches = sent === undefined ? new RegExp(`^${wanted}(;|$)`) : new RegExp(`^${wanted}$`);
    expect(stored.json().content_type).toMatch(matches);
    const read = await ask(server, `/object/${bucket}/${path}`, { token: alice });
    expect(read.headers['content-type']).toBe(stored.json().content_type);
  });

  test('an empty body is an empty object', async () => {
    const stored = await upload('empty', { body: '' });
    expect(stored.json()).toMatchObject({ size: 0, etag: await etagOf('') });
    const read = await ask(server, `/object/${bucket}/empty`, { token: alice });
    expect(read.status).toBe(200);
    expect(read.headers['content-length']).toBe('0');
  });

  test('a chunked body without a length is stored whole', async () => {
    const body = Buffer.alloc(700_001, 'chunk ');
    const stored = await upload('chunked', {
      headers: { 'transfer-encoding': 'chunked' },
      body,
    });
    expect(stored.json()).toMatchObject({ size: body.length, etag: await etagOf(body) });
    const read = await ask(server, `/object/${bucket}/chunked`, { token: alice });
    expect(sha256(read.bytes)).toBe(sha256(body));
  });

  test.each([0, 1, 4095, 4096, 65_535, 65_536, 65_537, 262_144, 262_145, 1_048_576, 1_048_577])(
    'a body of %i bytes comes back as it was',
    async (size) => {
      const body = Buffer.from(
        Array.from({ length: size }, (_, index) => (index * 31 + size) % 251),
      );
      const path = `size-${size}`;
      const stored = await upload(path, { body });
      expect(stored.json()).toMatchObject({ size, etag: await etagOf(body) });
      const read = await ask(server, `/object/${bucket}/${path}`, { token: alice });
      expect(sha256(read.bytes)).toBe(sha256(body));
    },
  );

  test('user metadata travels in x-metadata and is shown in info', async () => {
    const metadata = { project: 'aé', nested: { n: [1, null, true] } };
    const header = Buffer.from(JSON.stringify(metadata)).toString('base64');
    const stored = await upload('meta', { headers: { 'x-metadata': header }, body: 'x' });
    expect(stored.json().metadata).toEqual(metadata);
    const info = await ask(server, `/object/info/${bucket}/meta`, { token: alice });
    expect(info.json().metadata).toEqual(metadata);
  });

  const badMetadata: [string, string][] = [
    ['no base64', '%%%'],
    ['no JSON', Buffer.from('{"a":').toString('base64')],
    ['more than 8 KiB', Buffer.from(JSON.stringify({ a: 'x'.repeat(8200) })).toString('base64')],
  ];
  test.each(badMetadata)('metadata that is %s is refused', async (_, value) => {
    const reply = await leavesNothing(server, () =>
      upload('bad-meta', { headers: { 'x-metadata': value }, body: 'x' }),
    );
    expectProblem(reply, '400 InvalidMetadata');
  });

  test('a right content-digest is accepted, a wrong one refused', async () => {
    const digest = (text: string) =>
      `sha-256=:${Buffer.from(sha256(text), 'hex').toString('base64')}:`;
    const right = await upload('digest', {
      headers: { 'content-digest': digest('body') },
      body: 'body',
    });
    expect(right.status, right.text()).toBe(200);
    const wrong = await leavesNothing(server, () =>
      upload('digest', { headers: { 'content-digest': digest('other') }, body: 'body' }),
    );
    expectProblem(wrong, '400 BadDigest');
    const garbage = await leavesNothing(server, () =>
      upload('digest', { headers: { 'content-digest': 'sha-256=:???:' }, body: 'body' }),
    );
    expect(garbage.status).toBe(400);
  });

  test('an overwrite keeps id, owner and creation, and replaces the rest', async () => {
    const shared = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
    const bob = user('bob');
    const header = Buffer.from('{"a":1}').toString('base64');
    const first = await put(server, `${shared}/x`, {
      token: bob,
      headers: { 'content-type': 'text/css', 'x-metadata': header, 'cache-control': 'no-store' },
      body: 'one',
    });
    const second = await put(server, `${shared}/x`, {
      token: service,
      headers: { 'content-type': 'text/plain' },
      body: 'second',
    });
    const { id, owner_id: owner, created_at: created } = first.json();
    expect(second.json()).toMatchObject({
      id,
      owner_id: owner,
      created_at: created,
      content_type: 'text/plain',
      metadata: {},
      size: 6,
      etag: await etagOf('second'),
    });
    expect(second.json().cache_control).not.toBe('no-store');
    expect(second.json().version).not.toBe(first.json().version);
    expect((await ask(server, `/object/${shared}/x`, { token: bob })).text()).toBe('second');
    const again = await put(server, `${shared}/x`, { token: bob, body: 'second' });
    expect(again.json().version, 'the same bytes are a new version').not.toBe(
      second.json().version,
    );
    expect(again.json().etag).toBe(second.json().etag);
  });

  test('an object deleted and stored again is another object', async () => {
    const first = await upload('again', { body: '1' });
    await ask(server, `/object/${bucket}/again`, { method: 'DELETE', token: alice });
    const second = await upload('again', { body: '1' });
    expect(second.json().id).not.toBe(first.json().id);
  });

  test('x-upsert: false refuses to overwrite, and everything else overwrites', async () => {
    const headers = { 'x-upsert': 'false' };
    expect((await upload('upsert', { headers, body: '1' })).status).toBe(200);
    const refused = await leavesNothing(server, () => upload('upsert', { headers, body: '2' }));
    expectProblem(refused, '409 KeyAlreadyExists');
    expect((await upload('upsert', { headers: { 'x-upsert': 'true' }, body: '3' })).status).toBe(
      200,
    );
    expect((await upload('upsert', { body: '4' })).status).toBe(200);
    const put = await ask(server, `/object/${bucket}/upsert`, {
      method: 'PUT',
      token: alice,
      body: '5',
    });
    expect(put.status).toBe(200);
    expect((await ask(server, `/object/${bucket}/upsert`, { token: alice })).text()).toBe('5');
  });

  test('a reader that has begun finishes the bytes it began with', async () => {
    const old = Buffer.alloc(8 * 1024 * 1024, 'old ');
    await upload('shared', { body: old });
    const reads = Array.from({ length: 4 }, () =>
      ask(server, `/object/${bucket}/shared`, { token: alice }),
    );
    const replaced = await upload('shared', { body: Buffer.alloc(old.length, 'new ') });
    expect(replaced.status).toBe(200);
    for (const read of await Promise.all(reads)) {
      // Old or new, never a mixture: and what the etag says.
      expect(read.headers.etag).toBe(`"${await etagOf(read.bytes)}"`);
    }
  });

  test('many writers of one path leave exactly one whole object', async () => {
    const bodies = Array.from({ length: 24 }, (_, index) => `writer ${index}`.repeat(1000 + index));
    const replies = await Promise.all(bodies.map((body) => upload('contested', { body })));
    expect(replies.map(({ status }) => status)).toEqual(bodies.map(() => 200));
    const last = replies.toSorted(
      (a, b) =>
        Number(a.headers['x-aerostore-position']) - Number(b.headers['x-aerostore-position']),
    );
    const read = await ask(server, `/object/${bucket}/contested`, { token: alice });
    expect(read.headers.etag).toBe(`"${String(last.at(-1)?.json().etag)}"`);
    expect(await etagOf(read.bytes)).toBe(last.at(-1)?.json().etag);
  });

  test('of many creators with x-upsert: false exactly one succeeds', async () => {
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        upload('only-one', { headers: { 'x-upsert': 'false' }, body: `creator ${index}` }),
      ),
    );
    const statuses = replies.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, ...Array.from({ length: 15 }, () => 409)]);
    await stagingEmpties(server);
  });
});

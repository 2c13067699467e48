/** API.md "Buckets": listing, updating, emptying and deleting. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { digest, fresh, leavesNothing, makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';

let server: Server;
const alice = user('alice');
const bob = user('bob');
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

const create = (json: unknown, token = alice) =>
  ask(server, '/bucket', { method: 'POST', token, json });
const update = (name: string, json: unknown, token = alice) =>
  ask(server, `/bucket/${name}`, { method: 'PUT', token, json });
const get = (name: string, token = alice) => ask(server, `/bucket/${name}`, { token });

async function list(query: string, token: string): Promise<string[]> {
  const reply = await ask(server, `/bucket?${query}`, { token });
  expect(reply.status, reply.text()).toBe(200);
  const rows: unknown = JSON.parse(reply.text());
  return (rows as { name: string }[]).map((row) => row.name);
}

describe('listing', () => {
  let stem: string;
  beforeAll(async () => {
    stem = fresh('seen');
    const wanted: [string, string, Record<string, unknown>][] = [
      ['d-private', 'alice', {}],
      ['b-authenticated', 'alice', { policy: 'authenticated' }],
      ['a-public', 'alice', { policy: 'public' }],
      ['c-writable', 'alice', { write_policy: 'authenticated' }],
      ['e-bobs', 'bob', {}],
    ];
    for (const [suffix, owner, settings] of wanted) {
      const reply = await create({ name: `${stem}-${suffix}`, ...settings }, user(owner));
      expect(reply.status, reply.text()).toBe(200);
    }
  });
  const named = (...suffixes: string[]) => suffixes.map((suffix) => `${stem}-${suffix}`);
  const all = ['a-public', 'b-authenticated', 'c-writable', 'd-private', 'e-bobs'];

  test('shows what the caller sees, and no more', async () => {
    const query = `search=${stem}&sortColumn=name&sortOrder=asc`;
    expect(await list(query, alice)).toEqual(
      named('a-public', 'b-authenticated', 'c-writable', 'd-private'),
    );
    expect(await list(query, bob)).toEqual(
      named('a-public', 'b-authenticated', 'c-writable', 'e-bobs'),
    );
    expect(await list(query, user('carol'))).toEqual(
      named('a-public', 'b-authenticated', 'c-writable'),
    );
    expect(await list(query, service)).toEqual(named(...all));
  });

  test('limit and offset cut a page, search ignores case, order can be turned', async () => {
    const query = `search=${stem.toUpperCase()}&sortColumn=name`;
    expect(await list(`${query}&sortOrder=desc`, service)).toEqual(named(...all.toReversed()));
    expect(await list(`${query}&sortOrder=asc&limit=2&offset=1`, service)).toEqual(
      named('b-authenticated', 'c-writable'),
    );
    expect(
      await list(`search=${stem}&sortColumn=created_at&sortOrder=asc&limit=1`, service),
    ).toEqual(named('d-private'));
    expect(await list(`search=${stem}&offset=5`, service)).toEqual([]);
    expect(await list('search=there-is-none', service)).toEqual([]);
  });

  test.each(['limit=x', 'limit=-1', 'offset=-1', 'sortColumn=colour', 'sortOrder=up'])(
    'refused: ?%s',
    async (query) => {
      expectProblem(await ask(server, `/bucket?${query}`, { token: alice }), '400 InvalidRequest');
    },
  );

  test('rows have the bucket’s JSON', async () => {
    const reply = await ask(server, `/bucket?search=${stem}-a-public`, { token: bob });
    expect(JSON.parse(reply.text())).toEqual([(await get(`${stem}-a-public`)).json()]);
  });
});

describe('updating', () => {
  test('each settable field is replaced, the others stay', async () => {
    const name = await makeBucket(server, {
      settings: { max_file_size: 5, allowed_mime_types: ['image/png'] },
    });
    const before = (await get(name)).json();
    const reply = await update(name, { policy: 'public' });
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.json()).toEqual({
      ...before,
      policy: 'public',
      public: true,
      updated_at: expect.stringMatching(timestamp),
      message: 'Successfully updated',
    });
    expect(reply.headers['x-aerostore-position']).toMatch(/^\d+$/);
    const { message: _, ...bucket } = reply.json();
    expect((await get(name)).json()).toEqual(bucket);
    expect(String(bucket.updated_at) >= String(before.updated_at)).toBe(true);
  });

  const changes: [string, Record<string, unknown>, Record<string, unknown>][] = [
    ['public: false', { public: false }, { public: false }],
    ['public: true', { public: true }, { policy: 'public' }],
    ['write_policy', { write_policy: 'authenticated' }, { write_policy: 'authenticated' }],
    [
      'null clears the size',
      { max_file_size: null },
      { max_file_size: null, file_size_limit: null },
    ],
    ['null clears it by its alias', { file_size_limit: null }, { max_file_size: null }],
    ['a size', { file_size_limit: '2kb' }, { max_file_size: 2000 }],
    ['null clears the types', { allowed_mime_types: null }, { allowed_mime_types: null }],
    ['types', { allowed_mime_types: ['text/*'] }, { allowed_mime_types: ['text/*'] }],
    ['type STANDARD is ignored', { type: 'STANDARD', public: true }, { policy: 'public' }],
  ];
  test.each(changes)('%s', async (_, json, wanted) => {
    const name = await makeBucket(server, {
      settings: { policy: 'authenticated', max_file_size: 5, allowed_mime_types: ['image/png'] },
    });
    const reply = await update(name, json);
    expect(reply.status, reply.text()).toBe(200);
    expect((await get(name)).json()).toMatchObject(wanted);
  });

  test('id and name are ignored where they are the bucket’s, and refused otherwise', async () => {
    const name = await makeBucket(server);
    const same = await update(name, { id: name, name, public: true });
    expect(same.json()).toMatchObject({ name, public: true });
    for (const json of [{ id: 'other' }, { name: 'other' }]) {
      expectProblem(await leavesNothing(server, () => update(name, json)), '400 InvalidRequest');
    }
  });

  test('an unknown field is named, an unknown policy refused', async () => {
    const name = await makeBucket(server);
    const unknown = await leavesNothing(server, () => update(name, { owner_id: 'bob' }));
    expectProblem(unknown, '400 InvalidRequest', /owner_id/);
    const policy = await leavesNothing(server, () => update(name, { policy: 'open' }));
    expectProblem(policy, '400 InvalidRequest', /policy/);
  });

  test('a policy is not widened by the owner while the bucket holds objects of others', async () => {
    const name = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
    await put(server, `${name}/of-bob`, { token: bob, body: 'x' });
    for (const policy of ['authenticated', 'public']) {
      const reply = await leavesNothing(server, () => update(name, { policy }));
      expectProblem(reply, '403 AccessDenied');
    }
    expectProblem(await update(name, { public: true }), '403 AccessDenied');
    expect((await update(name, { write_policy: 'owner' })).status).toBe(200);
    expect((await update(name, { policy: 'public' }, service)).status).toBe(200);
    expect((await update(name, { policy: 'private' })).status, 'narrowing').toBe(200);
    await ask(server, `/object/${name}/of-bob`, { method: 'DELETE', token: bob });
    expect((await update(name, { policy: 'public' })).status, 'without objects of others').toBe(
      200,
    );
  });
});

describe('emptying and deleting', () => {
  test.each([
    ['no body', {}],
    ['an empty body', { body: '' }],
    ['{}', { json: {} }],
  ])('emptying with %s takes every object and answers with their number', async (_, body) => {
    const name = await makeBucket(server);
    for (const path of ['a', 'b/c', 'b/d']) {
      await put(server, `${name}/${path}`, { token: alice, body: path });
    }
    const reply = await ask(server, `/bucket/${name}/empty`, {
      method: 'POST',
      token: alice,
      ...body,
    });
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.json()).toEqual({ message: expect.any(String), deleted: 3 });
    expect(reply.headers['x-aerostore-position']).toMatch(/^\d+$/);
    expectProblem(await ask(server, `/object/${name}/b/c`, { token: alice }), '404 NoSuchKey');
    const listed = await ask(server, `/object/list/${name}`, { token: alice });
    expect(listed.json()).toEqual({ objects: [], prefixes: [], next_cursor: null });
    expect((await get(name)).status).toBe(200);
  });

  test('emptying an empty bucket is fine', async () => {
    const name = await makeBucket(server);
    const reply = await ask(server, `/bucket/${name}/empty`, { method: 'POST', token: alice });
    expect(reply.json()).toMatchObject({ deleted: 0 });
  });

  test('a bucket that is not empty is deleted only by force', async () => {
    const name = await makeBucket(server);
    await put(server, `${name}/a`, { token: alice, body: 'a' });
    const remove = (query: string) =>
      ask(server, `/bucket/${name}${query}`, { method: 'DELETE', token: alice });
    for (const query of ['', '?force=false']) {
      expectProblem(await leavesNothing(server, () => remove(query)), '409 BucketNotEmpty');
    }
    expect((await ask(server, `/object/${name}/a`, { token: alice })).text()).toBe('a');
    const forced = await remove('?force=true');
    expect(forced.status).toBe(200);
    expect(forced.json()).toEqual({ message: 'Successfully deleted' });
    expect(forced.headers['x-aerostore-position']).toMatch(/^\d+$/);
    expectProblem(await get(name), '404 NoSuchBucket');
    expectProblem(await ask(server, `/object/${name}/a`, { token: alice }), '404 NoSuchBucket');
  });

  test('an empty bucket is deleted, and a new one of its name holds nothing old', async () => {
    const name = await makeBucket(server);
    await put(server, `${name}/old`, { token: alice, body: 'old' });
    await ask(server, `/bucket/${name}?force=true`, { method: 'DELETE', token: alice });
    expect((await create({ name }, bob)).status).toBe(200);
    expect((await get(name, bob)).json().owner_id).toBe('bob');
    for (const token of [bob, service]) {
      expectProblem(await ask(server, `/object/${name}/old`, { token }), '404 NoSuchKey');
      const listed = await ask(server, `/object/list/${name}`, { token });
      expect(listed.json()).toMatchObject({ objects: [] });
    }
    const removed = await ask(server, `/bucket/${name}`, { method: 'DELETE', token: bob });
    expect(removed.json()).toEqual({ message: 'Successfully deleted' });
  });

  test('a missing bucket is missing on every route', async () => {
    const routes: [string, string, unknown?][] = [
      ['GET', '/bucket/there-is-none'],
      ['PUT', '/bucket/there-is-none', { public: true }],
      ['POST', '/bucket/there-is-none/empty'],
      ['DELETE', '/bucket/there-is-none'],
      ['DELETE', '/bucket/there-is-none?force=true'],
      ['GET', '/object/list/there-is-none'],
      ['GET', '/object/there-is-none/a'],
      ['GET', '/object/info/there-is-none/a'],
      ['PUT', '/object/there-is-none/a'],
      ['POST', '/object/there-is-none/a'],
      ['DELETE', '/object/there-is-none/a'],
    ];
    for (const [method, path, json] of routes) {
      for (const token of [alice, service]) {
        const reply = await leavesNothing(server, () =>
          ask(server, path, { method, token, ...(json ? { json } : {}) }),
        );
        expectProblem(reply, '404 NoSuchBucket');
      }
    }
    expect(await digest(server)).toBe(await digest(server));
  });
});

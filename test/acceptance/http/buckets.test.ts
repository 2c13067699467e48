/** API.md "Buckets": forms, aliases, limits and refusals of every bucket route. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { digest, fresh, head, leavesNothing, makeBucket, put } from '../support/store.ts';
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

describe('creating', () => {
  test('a bucket is private and its owner’s to write unless said otherwise', async () => {
    const name = fresh('plain');
    const reply = await create({ name });
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.json()).toEqual({
      id: name,
      name,
      policy: 'private',
      write_policy: 'owner',
      owner_id: 'alice',
      allowed_mime_types: null,
      max_file_size: null,
      created_at: expect.stringMatching(timestamp),
      updated_at: expect.stringMatching(timestamp),
      public: false,
      owner: 'alice',
      file_size_limit: null,
      type: 'STANDARD',
    });
    expect(reply.json().created_at).toBe(reply.json().updated_at);
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
    expect(reply.headers['x-aerostore-position']).toMatch(/^\d+$/);
    expect(reply.headers['x-request-id']).toBeTruthy();
    expect((await get(name)).json()).toEqual(reply.json());
  });

  test('the answer’s position is the log’s head and each mutation’s is greater', async () => {
    const first = await create({ name: fresh('p') });
    expect(String(first.headers['x-aerostore-position'])).toBe(await head(server));
    const second = await create({ name: fresh('p') });
    const positions = [first, second].map((reply) => Number(reply.headers['x-aerostore-position']));
    expect(positions[1]).toBeGreaterThan(positions[0] ?? Number.NaN);
  });

  const forms: [string, Record<string, unknown>, Record<string, unknown>][] = [
    ['public: true means policy public', { public: true }, { policy: 'public', public: true }],
    ['public: false means private', { public: false }, { policy: 'private', public: false }],
    [
      'policy authenticated',
      { policy: 'authenticated' },
      { policy: 'authenticated', public: false },
    ],
    ['policy public', { policy: 'public' }, { policy: 'public', public: true }],
    ['write_policy', { write_policy: 'authenticated' }, { write_policy: 'authenticated' }],
    [
      'a limit as a number',
      { max_file_size: 1000 },
      { max_file_size: 1000, file_size_limit: 1000 },
    ],
    [
      'file_size_limit as an alias',
      { file_size_limit: 77 },
      { max_file_size: 77, file_size_limit: 77 },
    ],
    ['20mb is decimal', { max_file_size: '20mb' }, { max_file_size: 20_000_000 }],
    ['3KB in capitals', { file_size_limit: '3KB' }, { max_file_size: 3000 }],
    ['2MiB is binary', { max_file_size: '2MiB' }, { max_file_size: 2_097_152 }],
    ['1gib in small letters', { max_file_size: '1gib' }, { max_file_size: 1_073_741_824 }],
    ['5kIb in any case', { max_file_size: '5kIb' }, { max_file_size: 5120 }],
    ['a null limit is no limit', { max_file_size: null }, { max_file_size: null }],
    ['a null file_size_limit', { file_size_limit: null }, { file_size_limit: null }],
    ['null types are no limit', { allowed_mime_types: null }, { allowed_mime_types: null }],
    [
      'types, exact and with a wildcard',
      { allowed_mime_types: ['image/*', 'application/pdf'] },
      { allowed_mime_types: ['image/*', 'application/pdf'] },
    ],
    ['type STANDARD is accepted and ignored', { type: 'STANDARD' }, { type: 'STANDARD' }],
  ];
  test.each(forms)('%s', async (_, settings, wanted) => {
    const name = fresh('form');
    const reply = await create({ name, ...settings });
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.json()).toMatchObject({ id: name, ...wanted });
  });

  test('id alone names it, and id beside an equal name is fine', async () => {
    const id = fresh('by-id');
    expect((await create({ id })).json()).toMatchObject({ id, name: id });
    const both = fresh('both');
    expect((await create({ id: both, name: both })).json()).toMatchObject({ id: both, name: both });
  });

  test.each(['A', '0', 'a.b_c-d', 'Zz9', 'x'.repeat(100), 'a..b', 'end.'])(
    'the name %s is legal',
    async (name) => {
      const reply = await create({ name });
      expect(reply.status, reply.text()).toBe(200);
      expect((await get(name)).json()).toMatchObject({ id: name, name });
    },
  );

  const illegal = [
    '.hidden',
    '-dash',
    '_low',
    '..',
    '.',
    'a b',
    'a/b',
    'a\\b',
    'ü',
    'a\u0000b',
    'a\n',
    'a%2fb',
    'バケツ',
    'x'.repeat(101),
    '',
  ]; // prettier keeps these together: each breaks the pattern in another way
  test.each(illegal)('the name %j is refused', async (name) => {
    const reply = await leavesNothing(server, () => create({ name }));
    expectProblem(reply, '400 InvalidBucketName');
  });

  const reserved = [
    'sign',
    'revoke',
    'restore',
    'list',
    'list-v2',
    'copy',
    'move',
    'info',
    'public',
    'authenticated',
    'upload',
    'render',
    's3',
  ];
  test.each(reserved)('the word %s is reserved', async (name) => {
    expectProblem(await create({ name }), '400 InvalidBucketName');
    expectProblem(await create({ name }, service), '400 InvalidBucketName');
  });

  test('a name is unique, also against a bucket that the caller can’t see', async () => {
    const name = await makeBucket(server);
    for (const token of [alice, bob, service]) {
      const reply = await leavesNothing(server, () => create({ name }, token));
      expectProblem(reply, '409 BucketAlreadyExists');
    }
    expect((await get(name)).json().owner_id).toBe('alice');
  });

  const wrong: [string, unknown, RegExp?][] = [
    ['unknown policy', { name: 'wrong', policy: 'secret' }, /policy/],
    ['unknown write_policy', { name: 'wrong', write_policy: 'everyone' }, /write_policy/],
    ['unknown field, named', { name: 'wrong', colour: 'red' }, /colour/],
    ['a second unknown field, named', { name: 'wrong', maxFileSize: 1 }, /maxFileSize/],
    [
      '__proto__ is an unknown field',
      JSON.parse('{"name":"wrong","__proto__":{"x":1}}'),
      /__proto__/,
    ],
    ['no name', { policy: 'public' }, /name/],
    ['a name that is a number', { name: 5 }, /name/],
    ['a name that is null', { name: null }, /name/],
    ['different id and name', { id: 'one', name: 'two' }, /id|name/],
    ['public that is a text', { name: 'wrong', public: 'yes' }, /public/],
    ['a negative limit', { name: 'wrong', max_file_size: -1 }, /max_file_size/],
    ['a broken limit', { name: 'wrong', max_file_size: 1.5 }, /max_file_size/],
    ['a limit of no size', { name: 'wrong', max_file_size: 'large' }, /max_file_size/],
    [
      'a limit of an unknown unit',
      { name: 'wrong', file_size_limit: '20 apples' },
      /file_size_limit/,
    ],
    [
      'types that are a text',
      { name: 'wrong', allowed_mime_types: 'image/png' },
      /allowed_mime_types/,
    ],
    [
      'a type without a slash',
      { name: 'wrong', allowed_mime_types: ['png'] },
      /allowed_mime_types|png/,
    ],
    ['an array', [{ name: 'wrong' }]],
    ['a text', 'wrong'],
    ['null', null],
  ];
  test.each(wrong)('refused: %s', async (_, json, message) => {
    const reply = await leavesNothing(server, () => create(json));
    expectProblem(reply, '400 InvalidRequest', message);
  });

  const bodies: [string, string | undefined][] = [
    ['an empty body', ''],
    ['no body', undefined],
    ['malformed JSON', '{"name": "wrong"'],
    ['JSON with something after it', '{"name":"wrong"} x'],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1')],
  ];
  test.each(bodies)('refused: %s', async (_, body) => {
    const headers = { 'content-type': 'application/json' };
    const question = { method: 'POST', token: alice, headers };
    const reply = await leavesNothing(server, () =>
      ask(server, '/bucket', body === undefined ? question : { ...question, body }),
    );
    expectProblem(reply, '400 InvalidRequest');
  });

  test('a JSON body above 1 MiB is too large', async () => {
    const json = { name: 'wrong', allowed_mime_types: ['a/'.padEnd(1_100_000, 'x')] };
    const reply = await leavesNothing(server, () => create(json));
    expect(reply.status, reply.text()).toBe(413);
    expect(reply.json().code).toBe('EntityTooLarge');
  });

  test('without credentials it is 401, whatever the body', async () => {
    for (const json of [{ name: 'anon' }, { name: '..' }, {}]) {
      const reply = await leavesNothing(server, () =>
        ask(server, '/bucket', { method: 'POST', json }),
      );
      expectProblem(reply, '401 MissingAuthorization');
    }
  });

  test('a bucket of the service role belongs to its sub, or to nobody', async () => {
    const reply = await create({ name: fresh('of-service') }, service);
    expect(reply.json()).toMatchObject({ owner_id: null, owner: '' });
  });

  test('where only the service role may create, a user is refused', async () => {
    const strict = await startServer({ env: { AEROSTORE_BUCKET_CREATORS: 'service' } });
    try {
      const asUser = await ask(strict, '/bucket', {
        method: 'POST',
        token: alice,
        json: { name: 'mine' },
      });
      expectProblem(asUser, '403 AccessDenied');
      const asService = await ask(strict, '/bucket', {
        method: 'POST',
        token: service,
        json: { name: 'mine' },
      });
      expect(asService.status).toBe(200);
    } finally {
      await strict.kill();
    }
  });
});

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

/** API.md "Buckets": how a bucket is made: forms, aliases, limits and refusals. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { fresh, head, leavesNothing, makeBucket } from '../support/store.ts';
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
const get = (name: string, token = alice) => ask(server, `/bucket/${name}`, { token });

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

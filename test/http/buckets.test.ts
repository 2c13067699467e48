/** Bucket routes, and who may not reach them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDoor, type TestDoor } from './support/door.ts';

let door: TestDoor;
beforeAll(async () => {
  door = await startDoor();
});
afterAll(() => door.close());
beforeEach(() => {
  door.service.rows.clear();
  door.service.objects_.clear();
});

const create = (json: unknown, as = 'ann') => door.call('/bucket', { method: 'POST', json, as });
const change = (name: string, json: unknown) =>
  door.call(`/bucket/${name}`, { method: 'PUT', json });
const body = async (response: Response | Promise<Response>) =>
  (await (await response).json()) as Record<string, unknown>;

describe('a bucket', () => {
  test('is shown with its facts and the aliases of Supabase', async () => {
    const answer = await create({ name: 'photos', policy: 'public', max_file_size: '20mb' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
    expect(await body(answer)).toEqual({
      id: 'photos',
      name: 'photos',
      policy: 'public',
      write_policy: 'owner',
      owner_id: 'ann',
      allowed_mime_types: null,
      max_file_size: 20_000_000,
      created_at: '2026-01-02T03:04:05.678Z',
      updated_at: '2026-01-02T03:04:05.678Z',
      public: true,
      owner: 'ann',
      file_size_limit: 20_000_000,
      type: 'STANDARD',
    });
  });

  test('is made private, for its owner, without limits, unless it says otherwise', async () => {
    expect(await body(create({ id: 'b' }, 'service'))).toMatchObject({
      policy: 'private',
      write_policy: 'owner',
      public: false,
      owner_id: null,
      owner: '',
      max_file_size: null,
    });
  });

  test('takes the words of storage-js', async () => {
    const json = {
      id: 'b',
      name: 'b',
      type: 'STANDARD',
      public: true,
      file_size_limit: null,
      allowed_mime_types: ['Image/*'],
    };
    expect(await body(create(json))).toMatchObject({
      policy: 'public',
      allowed_mime_types: ['image/*'],
    });
  });

  test('keeps what a PUT leaves out, and null clears a limit', async () => {
    await create({
      name: 'b',
      policy: 'authenticated',
      max_file_size: 5,
      allowed_mime_types: ['a/b'],
    });
    const answer = await change('b', { max_file_size: null, id: 'b', name: 'b', type: 'STANDARD' });
    expect(await body(answer)).toMatchObject({
      message: 'Successfully updated',
      policy: 'authenticated',
      max_file_size: null,
      allowed_mime_types: ['a/b'],
    });
  });

  test('that is authenticated does not become private by public: false, a public one does', async () => {
    await create({ name: 'b', policy: 'authenticated' });
    expect(await body(change('b', { public: false }))).toMatchObject({ policy: 'authenticated' });
    expect(await body(change('b', { public: true }))).toMatchObject({ policy: 'public' });
    expect(await body(change('b', { public: false }))).toMatchObject({ policy: 'private' });
  });

  test('is emptied and deleted with bodies that may be missing, empty or {}', async () => {
    await create({ name: 'b' });
    for (const init of [{}, { body: '' }, { json: {} }]) {
      const answer = await door.call('/bucket/b/empty', { method: 'POST', ...init });
      expect(await body(answer)).toEqual({ message: 'Successfully emptied', deleted: 0 });
    }
    await door.call('/object/b/x', { method: 'POST', body: 'x' });
    const refused = await door.call('/bucket/b', { method: 'DELETE', json: {} });
    expect(refused.status).toBe(409);
    expect(await body(refused)).toMatchObject({ error: 'ResourceNotEmpty', statusCode: '409' });
    const removed = await door.call('/bucket/b?force=true', { method: 'DELETE' });
    expect(await body(removed)).toEqual({ message: 'Successfully deleted' });
  });

  test('is listed', async () => {
    await create({ name: 'a' });
    await create({ name: 'b' });
    const rows = await (
      await door.call('/bucket?limit=1&offset=1&sortColumn=name&sortOrder=asc')
    ).json();
    expect(rows).toMatchObject([{ name: 'b', type: 'STANDARD' }]);
    expect((await door.call('/bucket', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('a bad request is refused and told what is wrong', () => {
  const cases: [string, unknown, string, RegExp][] = [
    ['unknown field', { name: 'b', colour: 1 }, 'InvalidRequest', /"colour"/],
    ['prototype field', JSON.parse('{"name":"b","__proto__":{}}'), 'InvalidRequest', /__proto__/],
    ['no name', {}, 'InvalidRequest', /"name"/],
    ['name of no text', { name: 7 }, 'InvalidRequest', /"name"/],
    ['two names', { name: 'a', id: 'b' }, 'InvalidRequest', /"id"/],
    ['empty name', { name: '' }, 'InvalidBucketName', /./],
    ['bad name', { name: '../b' }, 'InvalidBucketName', /./],
    ['reserved name', { name: 'list' }, 'InvalidBucketName', /reserved/],
    ['unknown policy', { name: 'b', policy: 'open' }, 'InvalidRequest', /"policy"/],
    ['null policy', { name: 'b', policy: null }, 'InvalidRequest', /"policy"/],
    [
      'policy against public',
      { name: 'b', policy: 'private', public: true },
      'InvalidRequest',
      /"public"/,
    ],
    ['bad write policy', { name: 'b', write_policy: 'all' }, 'InvalidRequest', /"write_policy"/],
    ['bad size', { name: 'b', max_file_size: '20 parsecs' }, 'InvalidRequest', /"max_file_size"/],
    ['negative size', { name: 'b', file_size_limit: -1 }, 'InvalidRequest', /"file_size_limit"/],
    [
      'two sizes',
      { name: 'b', max_file_size: 1, file_size_limit: 2 },
      'InvalidRequest',
      /"file_size_limit"/,
    ],
    [
      'bad type',
      { name: 'b', allowed_mime_types: ['png'] },
      'InvalidRequest',
      /"allowed_mime_types/,
    ],
    ['no types', { name: 'b', allowed_mime_types: [] }, 'InvalidRequest', /"allowed_mime_types"/],
    [
      'types of no list',
      { name: 'b', allowed_mime_types: 'a/b' },
      'InvalidRequest',
      /"allowed_mime_types"/,
    ],
    ['another kind', { name: 'b', type: 'ANALYTICS' }, 'InvalidRequest', /"type"/],
    ['a list', [], 'InvalidRequest', /object/],
    ['null', null, 'InvalidRequest', /object/],
  ];
  test.each(cases)('%s', async (_name, json, code, message) => {
    const answer = await create(json);
    expect(answer.status).toBe(400);
    const problem = await body(answer);
    expect(problem).toMatchObject({ statusCode: '400', code });
    expect(problem.message).toMatch(message);
    expect(door.service.rows.size).toBe(0);
  });

  test.each([
    ['malformed', '{"name":', 400],
    ['empty', '', 400],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400],
    ['nested too deep', '['.repeat(30_000), 400],
    ['too large', JSON.stringify({ name: 'x'.repeat(70_000) }), 413],
  ])('a body that is %s', async (_name, text, status) => {
    const answer = await door.call('/bucket', { method: 'POST', body: text });
    expect(answer.status).toBe(status);
  });

  test.each([
    'limit=0',
    'limit=x',
    'limit=-1',
    'limit=1&limit=2',
    'offset=-1',
    'sortColumn=owner',
    'sortOrder=up',
    'limit=',
  ])('the query %s', async (query) => {
    const answer = await door.call(`/bucket?${query}`);
    expect(answer.status).toBe(400);
    expect((await body(answer)).message).toContain(query.split('=')[0]);
  });

  test('a PUT that renames, and force that is neither true nor false', async () => {
    await create({ name: 'b' });
    expect((await change('b', { name: 'c' })).status).toBe(400);
    expect((await change('b', { colour: 'c' })).status).toBe(400);
    expect((await door.call('/bucket/b?force=yes', { method: 'DELETE' })).status).toBe(400);
    expect((await door.call('/bucket/..%2Fb')).status).toBe(400);
  });

  test('one that is taken', async () => {
    await create({ name: 'b' });
    const answer = await create({ name: 'b' });
    expect(answer.status).toBe(409);
    expect(await body(answer)).toMatchObject({ error: 'Duplicate', code: 'BucketAlreadyExists' });
  });
});

describe('without credentials', () => {
  test.each([
    ['GET', '/bucket'],
    ['GET', '/bucket/..'],
    ['POST', '/bucket'],
    ['PUT', '/bucket/no such'],
    ['DELETE', '/bucket/b?force=yes'],
    ['POST', '/bucket/b/empty'],
    ['POST', '/object/b/%ff'],
    ['PUT', '/object/list/x'],
    ['DELETE', '/object/b/x'],
    ['GET', '/object/list/b?limit=x'],
    ['GET', '/admin/status'],
    ['GET', '/admin/digest'],
    ['GET', '/admin/recovery'],
  ])('%s %s is 401 before anything is looked at', async (method, path) => {
    const raw = door.raw(
      `${method} /storage/v1${path.replace(' ', '%20')} HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nconnection: close\r\n\r\n{{{`,
    );
    await raw.closed();
    const expected = method === 'PUT' && path.startsWith('/object/list') ? 405 : 401;
    expect(raw.status).toBe(expected);
    if (expected === 401)
      expect(raw.text.toLowerCase()).toContain('\r\nwww-authenticate: bearer\r\n');
  });
});

test('the admin routes are for the service role', async () => {
  for (const name of ['status', 'recovery', 'digest']) {
    expect((await door.call(`/admin/${name}`)).status).toBe(403);
    expect((await door.call(`/admin/${name}`, { as: 'service' })).status).toBe(200);
  }
});

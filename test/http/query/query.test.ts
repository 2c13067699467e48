/** Queries over HTTP: rows and cursors, who sees what, and what is refused by name. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoreDoor, startStoreDoor } from '../support/store-door.ts';

let door: StoreDoor;

beforeAll(async () => {
  door = await startStoreDoor();
  const post = { method: 'POST', as: 'ann' };
  await door.call('/bucket', {
    ...post,
    json: { name: 'avatars', public: true, write_policy: 'authenticated' },
  });
  await door.call('/bucket', { ...post, json: { name: 'secret', write_policy: 'authenticated' } });
  for (const [at, as, body, metadata] of [
    ['avatars/a.png', 'ann', 'aaaaa', '{"project":"x","n":10}'],
    ['avatars/b.png', 'bob', 'bb', '{"project":"y"}'],
    ['avatars/c.txt', 'ann', 'c', '{}'],
    ['secret/ann.txt', 'ann', 'ann', '{}'],
    ['secret/bob.txt', 'bob', 'bobbob', '{"__proto__":"z"}'],
  ] as const) {
    const type = at.endsWith('png') ? 'image/png' : 'text/plain';
    const headers = { 'content-type': type, 'x-metadata': btoa(metadata) };
    const answer = await door.call(`/object/${at}`, { method: 'PUT', as, body, headers });
    expect(answer.status).toBe(200);
  }
});

afterAll(() => door.close());

interface Page {
  readonly rows: Record<string, unknown>[];
  readonly next_cursor: string | null;
  readonly explain?: Record<string, unknown>;
  readonly message?: string;
  readonly code?: string;
}

async function ask(search: string, as: string | null = 'ann', collection = 'storage_objects') {
  const answer = await door.call(`/query/${collection}?${search}`, { as });
  return { status: answer.status, ...((await answer.json()) as Page) };
}

const pathsOf = async (search: string, as = 'ann') =>
  ((await ask(search, as)).rows ?? []).map(({ bucket_id, path }) => `${bucket_id}/${path}`);

describe('rows', () => {
  test('have the columns of an object, times and metadata as elsewhere', async () => {
    const { rows, next_cursor } = await ask('path=eq.a.png');
    expect(next_cursor).toBeNull();
    expect(rows).toEqual([
      {
        id: expect.any(String),
        bucket_id: 'avatars',
        path: 'a.png',
        owner_id: 'ann',
        size: 5,
        content_type: 'image/png',
        etag: expect.stringMatching(/^[0-9a-f]{64}$/),
        version: expect.any(String),
        cache_control: null,
        metadata: { project: 'x', n: 10 },
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        updated_at: expect.any(String),
      },
    ]);
  });

  test('are those that the caller may read', async () => {
    const open = ['avatars/a.png', 'avatars/b.png', 'avatars/c.txt'];
    expect(await pathsOf('')).toEqual([...open, 'secret/ann.txt']);
    expect(await pathsOf('', 'bob')).toEqual([...open, 'secret/bob.txt']);
    expect(await pathsOf('', 'eve')).toEqual(open);
    expect(await pathsOf('', 'service')).toEqual([...open, 'secret/ann.txt', 'secret/bob.txt']);
    expect(await pathsOf('bucket_id=eq.secret', 'eve')).toEqual([]);
    expect((await ask('bucket_id=eq.secret', 'eve')).next_cursor).toBeNull();
    expect((await ask('', null)).status).toBe(401);
  });

  test.each([
    ['bucket_id=eq.avatars&size=gte.2&size=lt.5', ['avatars/b.png']],
    ['owner_id=eq.me&content_type=like.image/*', ['avatars/a.png']],
    ['owner_id=eq.me&order=size.asc', ['avatars/c.txt', 'secret/ann.txt', 'avatars/a.png']],
    ['metadata->>project=eq.x', ['avatars/a.png']],
    ['metadata-%3E%3Eproject=in.(x,y)&order=path.desc', ['avatars/b.png', 'avatars/a.png']],
    ['metadata->n=gt.9', ['avatars/a.png']],
    ['metadata->>__proto__=is.null&bucket_id=eq.secret', ['secret/ann.txt']],
    ['order=created_at.desc&limit=2', ['secret/ann.txt', 'avatars/c.txt']],
    ['created_at=gte.2100-01-01', []],
    ['bucket_id=in.(secret,nowhere)', ['secret/ann.txt']],
  ])('%s', async (search, expected) => {
    expect(await pathsOf(search)).toEqual(expected);
  });

  test('show what is selected only', async () => {
    const { rows } = await ask('select=size,path&path=eq.a.png');
    expect(rows).toEqual([{ size: 5, path: 'a.png' }]);
    expect(Object.keys(rows[0] ?? {})).toEqual(['size', 'path']);
  });

  test('of buckets are those that the caller sees', async () => {
    const names = async (search: string, as: string) =>
      (await ask(search, as, 'storage_buckets')).rows?.map(({ name }) => name);
    expect(await names('', 'ann')).toEqual(['avatars', 'secret']);
    await door.call('/bucket/secret', {
      method: 'PUT',
      as: 'ann',
      json: { write_policy: 'owner' },
    });
    expect(await names('', 'eve')).toEqual(['avatars']);
    expect(await names('public=is.false', 'ann')).toEqual(['secret']);
    expect(await names('owner_id=eq.me&order=name.desc', 'ann')).toEqual(['secret', 'avatars']);
    const [row] = (await ask('limit=1', 'ann', 'storage_buckets')).rows ?? [];
    expect(row).toMatchObject({
      id: 'avatars',
      policy: 'public',
      max_file_size: null,
      public: true,
    });
  });
});

describe('a cursor', () => {
  test.each(['', 'order=size.desc', 'order=created_at.desc', 'order=metadata->>project'])(
    'goes through all rows once: %s',
    async (search) => {
      const all = await pathsOf(search);
      const found: string[] = [];
      let cursor: string | null = null;
      do {
        const more: string = cursor === null ? '' : `&cursor=${cursor}`;
        const page = await ask(`${search}&limit=1${more}`);
        expect(page.status).toBe(200);
        found.push(...page.rows.map(({ bucket_id, path }) => `${bucket_id}/${path}`));
        cursor = page.next_cursor;
      } while (cursor !== null);
      expect(found).toEqual(all);
    },
  );

  test('of another query, or of nobody, is refused', async () => {
    const { next_cursor } = await ask('limit=1');
    for (const search of [
      `cursor=${next_cursor}&order=size`,
      `cursor=${next_cursor}&size=gt.1`,
      'cursor=x',
      'cursor=bnVsbA',
      `cursor=${'A'.repeat(9_000)}`,
    ]) {
      expect(await ask(search)).toMatchObject({
        status: 400,
        message: expect.stringContaining('"cursor"'),
      });
    }
    const fingerprint = JSON.parse(Buffer.from(String(next_cursor), 'base64url').toString())[0];
    const forged = Buffer.from(JSON.stringify([fingerprint, {}, 'x'])).toString('base64url');
    expect((await ask(`cursor=${forged}`)).status).toBe(400);
    const wild = Buffer.from(JSON.stringify([fingerprint, 'secret', ''])).toString('base64url');
    expect(await pathsOf(`cursor=${wild}`, 'eve')).toEqual([]);
    expect((await ask(`cursor=${next_cursor}&limit=5&select=path`)).status).toBe(200);
  });
});

describe('what is wrong is refused by its name', () => {
  test.each([
    ['nonsense=eq.1', 'nonsense'],
    ['__proto__=eq.1', '__proto__'],
    ['hasOwnProperty=eq.1', 'hasOwnProperty'],
    ['size=resembles.1', 'resembles'],
    ['size=eq.abc', 'size'],
    ['size=eq.1e400', 'size'],
    ['created_at=gte.soon', 'created_at'],
    ['limit=0', 'limit'],
    ['limit=x', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['order=nonsense', 'nonsense'],
    ['order=', 'fine'],
    ['select=nonsense', 'nonsense'],
    ['explain=maybe', 'explain'],
    ['as_of=5&bucket_id=eq.avatars', 'not available yet'],
    [Array.from({ length: 1_200 }, () => 'size=gt.1').join('&'), 'size'],
    [`path=like.${'*a'.repeat(2_000)}`, 'fine'],
    [`path=like.${'*a'.repeat(3_000)}`, 'path'],
  ])('%.40s', async (search, named) => {
    const answer = await ask(search);
    if (named === 'fine') return expect(answer.status).toBe(200);
    expect(answer).toMatchObject({ status: 400, code: 'InvalidRequest' });
    expect(answer.message).toContain(named);
  });

  test('a limit beyond the most is the most', async () => {
    expect((await ask('limit=999999999')).status).toBe(200);
  });
});

test('explain says which index, to the service role alone', async () => {
  const { explain } = await ask('bucket_id=eq.avatars&owner_id=eq.bob&explain=true', 'service');
  expect(explain).toMatchObject({ index: 'owner', scanned: 1 });
  expect((await ask('explain=true')).status).toBe(403);
  expect((await ask('explain=true', 'ann', 'storage_buckets')).status).toBe(403);
  expect((await ask('explain=false')).explain).toBeUndefined();
});

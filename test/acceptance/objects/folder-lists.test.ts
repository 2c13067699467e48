/** API.md POST /object/list and /object/list-v2: what is refused, what is shown to whom, and cursors. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';

let server: Server;
let bucket: string;
const alice = user('alice');
const bob = user('bob');
const eve = user('eve');
const hers = ['a/1', 'a/2', 'b', 'ß', '日本/語'];
const his = ['a/his', 'c'];

beforeAll(async () => {
  server = await startServer();
  bucket = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
  for (const path of hers) await put(server, `${bucket}/${path}`, { token: alice, body: path });
  for (const path of his) await put(server, `${bucket}/${path}`, { token: bob, body: path });
});
afterAll(() => server?.kill());

type Route = 'list' | 'list-v2';
const list = (route: Route, json: unknown, token = service, name = bucket) =>
  ask(server, `/object/${route}/${name}`, { method: 'POST', token, json });

interface Tree {
  readonly hasNext: boolean;
  readonly nextCursor?: string;
  readonly folders: readonly { readonly name: string }[];
  readonly objects: readonly { readonly name: string }[];
}
const tree = async (json: unknown, token = service) => {
  const reply = await list('list-v2', json, token);
  expect(reply.status, reply.text()).toBe(200);
  const body: unknown = reply.json();
  return body as Tree;
};
const names = (rows: unknown) => (rows as { readonly name: string }[]).map(({ name }) => name);

describe('a private bucket', () => {
  test('shows to each what is theirs, and all to the service', async () => {
    expect(names((await list('list', {}, alice)).json())).toEqual(['a', 'b', 'ß', '日本']);
    expect(names((await list('list', { prefix: 'a' }, bob)).json())).toEqual(['his']);
    expect(names((await list('list', {}, eve)).json())).toEqual([]);
    expect(names((await tree({}, alice)).objects)).toEqual(hers);
    expect(names((await tree({}, bob)).objects)).toEqual(his);
    expect(names((await tree({})).objects)).toEqual([
      ...hers.slice(0, 2),
      'a/his',
      'b',
      'c',
      ...hers.slice(3),
    ]);
  });
});

test.each<Route>(['list', 'list-v2'])(
  'POST /object/%s tells of an invisible bucket what it tells of none',
  async (route) => {
    const hidden = await makeBucket(server, { owner: 'bob' });
    await put(server, `${hidden}/a`, { token: bob, body: 'x' });
    const invisible = await list(route, {}, alice, hidden);
    expect(invisible.text()).toBe((await list(route, {}, alice, 'none')).text());
    expectProblem(invisible, '404 NoSuchBucket');
    const anonymous = await ask(server, `/object/${route}/${bucket}`, { method: 'POST', json: {} });
    expectProblem(anonymous, '401 MissingAuthorization');
  },
);

const wrong: readonly (readonly [Route, unknown, RegExp])[] = [
  ['list', { limit: 0 }, /limit/],
  ['list', { limit: -1 }, /limit/],
  ['list', { limit: 1.5 }, /limit/],
  ['list', { limit: '10' }, /limit/],
  ['list', { offset: -1 }, /offset/],
  ['list', { offset: 1e300 }, /offset/],
  ['list', { search: 1 }, /search/],
  ['list', { search: 'x'.repeat(1025) }, /search/],
  ['list', { prefix: 'x'.repeat(1025) }, /prefix/],
  ['list', { prefix: null }, /prefix/],
  ['list', { sortBy: { column: 'size' } }, /sortBy.column/],
  ['list', { sortBy: { column: '__proto__' } }, /sortBy.column/],
  ['list', { sortBy: { order: 'up' } }, /sortBy.order/],
  ['list', { sortBy: 'name' }, /sortBy/],
  ['list', { cursor: 'x' }, /cursor/],
  ['list', [], /JSON object/],
  ['list-v2', { limit: 0 }, /limit/],
  ['list-v2', { with_delimiter: 'true' }, /with_delimiter/],
  ['list-v2', { offset: 1 }, /offset/],
  ['list-v2', { sortBy: { column: 'last_accessed_at' } }, /sortBy.column/],
  ['list-v2', { cursor: 'nonsense' }, /cursor/],
  ['list-v2', { cursor: Buffer.from('[]').toString('base64url') }, /cursor/],
  ['list-v2', { cursor: Buffer.from('{"__proto__":1}').toString('base64url') }, /cursor/],
  ['list-v2', { cursor: 'x'.repeat(9000) }, /cursor/],
];
test.each(wrong)('POST /object/%s with %j is refused by name', async (route, json, message) => {
  expectProblem(await list(route, json), '400 InvalidRequest', message);
});

test.each<Route>(['list', 'list-v2'])(
  'POST /object/%s needs no body, and clamps its limit',
  async (route) => {
    const bare = await ask(server, `/object/${route}/${bucket}`, {
      method: 'POST',
      token: service,
    });
    expect(bare.status, bare.text()).toBe(200);
    expect((await list(route, { limit: 1e9 })).text()).toBe(bare.text());
  },
);

describe('a cursor', () => {
  test('belongs to its order', async () => {
    const { nextCursor } = await tree({ limit: 1 });
    const sortBy = { column: 'created_at', order: 'asc' };
    expectProblem(await list('list-v2', { cursor: nextCursor, sortBy }), '400 InvalidRequest');
    const tampered = `${nextCursor?.slice(0, -1)}${nextCursor?.endsWith('A') ? 'B' : 'A'}`;
    expectProblem(await list('list-v2', { cursor: tampered }), '400 InvalidRequest');
  });

  test.each(['name', 'created_at', 'updated_at'])(
    'by %s goes on where it was, whatever came and went before it',
    async (column) => {
      const own = await makeBucket(server);
      const at = (path: string) => `${own}/${path}`;
      for (const path of ['b', 'd', 'f', 'h'])
        await put(server, at(path), { token: alice, body: path });
      const sortBy = { column, order: 'asc' };
      const page = (json: object) => list('list-v2', { sortBy, ...json }, alice, own);
      const body: unknown = (await page({ limit: 2 })).json();
      const first = body as Tree;
      expect(names(first.objects)).toEqual(['b', 'd']);
      await ask(server, `/object/${at('b')}`, { method: 'DELETE', token: alice });
      await ask(server, `/object/${at('d')}`, { method: 'DELETE', token: alice });
      await put(server, at('a'), { token: alice, body: 'x' });
      const rest = (await page({ cursor: first.nextCursor })).json() as unknown as Tree;
      const late = column === 'name' ? [] : ['a'];
      expect(names(rest.objects)).toEqual(['f', 'h', ...late]);
    },
  );
});

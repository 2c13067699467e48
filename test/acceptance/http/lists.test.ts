/** API.md GET /object/list: prefix, delimiter, limit and cursor, in the order of UTF-8 bytes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { listPaths, makeBucket, put } from '../support/store.ts';
import { user } from '../support/tokens.ts';

interface Page {
  readonly objects: readonly { readonly path: string }[];
  readonly prefixes: readonly string[];
  readonly next_cursor: string | null;
}

let server: Server;
let bucket: string;
const token = user('alice');
const paths = [
  'Z',
  'a',
  'a b',
  'a+b',
  'a.txt',
  'a/',
  'a/1',
  'a/2',
  'a/b/3',
  'a/b/4',
  'a/ü',
  'a0',
  'b/x',
  'b//y',
  'é',
  '日本/語',
  '日本/誤',
  '\u{1f600}',
  '\uffee',
];

beforeAll(async () => {
  server = await startServer();
  bucket = await makeBucket(server);
  for (const path of paths) await put(server, `${bucket}/${path}`, { token, body: path });
});
afterAll(() => server?.kill());

const byBytes = (names: readonly string[]) =>
  names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

async function page(query: Record<string, string>, as = token): Promise<Page> {
  const at = `/object/list/${bucket}?${new URLSearchParams(query)}`;
  const reply = await ask(server, at, { token: as });
  expect(reply.status, reply.text()).toBe(200);
  const body: unknown = reply.json();
  return body as Page;
}

const names = ({ objects }: Page) => objects.map(({ path }) => path);

/** What a list with this prefix and delimiter comes to, worked out from the paths. */
function wanted(prefix: string, delimiter?: string): { objects: string[]; prefixes: string[] } {
  const below = byBytes(paths.filter((path) => path.startsWith(prefix)));
  if (delimiter === undefined) return { objects: below, prefixes: [] };
  const cut = (path: string) => path.indexOf(delimiter, prefix.length);
  const grouped = below.filter((path) => cut(path) >= 0);
  return {
    objects: below.filter((path) => cut(path) < 0),
    prefixes: [...new Set(grouped.map((path) => path.slice(0, cut(path) + delimiter.length)))],
  };
}

test('without a query every object is listed, in the order of UTF-8 bytes', async () => {
  const found = await page({});
  expect(names(found)).toEqual(byBytes(paths));
  expect(found.prefixes).toEqual([]);
  expect(found.next_cursor).toBeNull();
});

test.each(['', 'a', 'a/', 'a/b', 'b/', 'b//', '日', '日本/', 'none', '%'])(
  'the prefix %j takes what begins with it',
  async (prefix) => {
    expect(names(await page({ prefix }))).toEqual(wanted(prefix).objects);
  },
);

test.each([
  ['', '/'],
  ['a', '/'],
  ['a/', '/'],
  ['a/b/', '/'],
  ['b/', '/'],
  ['日本/', '/'],
  ['', 'b'],
  ['', '本/'],
])('the prefix %j with the delimiter %j is one level', async (prefix, delimiter) => {
  const found = await page({ prefix, delimiter });
  expect({ objects: names(found), prefixes: found.prefixes }).toEqual(wanted(prefix, delimiter));
});

describe.each([1, 2, 3, 5, 100])('pages of %i', (limit) => {
  test.each([[{}], [{ prefix: 'a' }], [{ delimiter: '/' }], [{ prefix: 'a/', delimiter: '/' }]] as [
    Record<string, string>,
  ][])('of %j have no gap and no duplicate', async (query) => {
    const objects: string[] = [];
    const prefixes: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const at: Record<string, string> = cursor === '' ? {} : { cursor };
      const found: Page = await page({ ...query, limit: String(limit), ...at });
      expect(found.objects.length + found.prefixes.length).toBeLessThanOrEqual(limit);
      objects.push(...names(found));
      prefixes.push(...found.prefixes);
      cursor = found.next_cursor;
    }
    expect({ objects, prefixes }).toEqual(wanted(query.prefix ?? '', query.delimiter));
  });
});

test('a cursor goes on where it was, whatever is stored and deleted meanwhile', async () => {
  const first = await page({ limit: '3' });
  await put(server, `${bucket}/0-before`, { token, body: 'x' });
  const deleted = names(first).at(-1) ?? '';
  const url = `/object/${bucket}/${encodeURIComponent(deleted)}`;
  await ask(server, url, { method: 'DELETE', token });
  const rest = names(await page({ cursor: first.next_cursor ?? '' }));
  expect(rest).toEqual(byBytes(paths).slice(3));
  await put(server, `${bucket}/${deleted}`, { token, body: deleted });
  await ask(server, `/object/${bucket}/0-before`, { method: 'DELETE', token });
});

test('a limit above 1,000 is clamped, and 1,001 objects are two pages', async () => {
  const many = await makeBucket(server);
  const wantedPaths = Array.from(
    { length: 1001 },
    (_, index) => `n/${String(index).padStart(5, '0')}`,
  );
  for (let at = 0; at < wantedPaths.length; at += 50) {
    await Promise.all(
      wantedPaths
        .slice(at, at + 50)
        .map((path) => put(server, `${many}/${path}`, { token, body: '' })),
    );
  }
  const reply = await ask(server, `/object/list/${many}?limit=5000`, { token });
  expect((reply.json().objects as unknown[]).length).toBe(1000);
  expect(reply.json().next_cursor).not.toBeNull();
  expect(await listPaths(server, many, { token })).toEqual(wantedPaths);
});

test('in a private bucket users list their own rows alone, page by page too', async () => {
  const shared = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
  for (let index = 0; index < 12; index += 1) {
    const owner = user(index % 3 === 0 ? 'bob' : 'alice');
    const name = `d${index % 2}/${String(index).padStart(2, '0')}`;
    await put(server, `${shared}/${name}`, { token: owner, body: 'x' });
  }
  const bob = user('bob');
  const own = ['d0/00', 'd0/06', 'd1/03', 'd1/09'];
  expect(await listPaths(server, shared, { token: bob })).toEqual(own);
  expect(await listPaths(server, shared, { token: bob, query: 'limit=1' })).toEqual(own);
  expect(await listPaths(server, shared, { token: bob, query: 'prefix=d1' })).toEqual(own.slice(2));
  const folders = await ask(server, `/object/list/${shared}?delimiter=/`, { token: user('carol') });
  expect(folders.json(), 'not even folders of what is unreadable').toEqual({
    objects: [],
    prefixes: [],
    next_cursor: null,
  });
});

test.each(['limit=x', 'limit=-1', 'limit=1.5', 'cursor=garbage', 'cursor=%00'])(
  'refused: ?%s',
  async (query) => {
    const reply = await ask(server, `/object/list/${bucket}?${query}`, { token });
    expectProblem(reply, '400 InvalidRequest');
  },
);

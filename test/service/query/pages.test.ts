/** Pages of queries on a whole store, held against what a plain loop over everything finds. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { callerId } from '../../../src/domain/caller.ts';
import type { ObjectRow } from '../../../src/domain/object.ts';
import { readableRows } from '../../../src/domain/policy.ts';
import { compareMarks, type Mark, markOf } from '../../../src/domain/query/order.ts';
import { matches, parseQuery } from '../../../src/domain/query/query.ts';
import { createAccess } from '../../../src/service/access.ts';
import type { QueryLimits } from '../../../src/service/query/objects.ts';
import { createQueries } from '../../../src/service/query/query.ts';
import type { Call } from '../../../src/service/service.ts';
import {
  createBucket,
  key,
  nobody,
  openRig,
  put,
  type Rig,
  service,
  user,
} from '../../support/rig.ts';
import { silent } from '../../support/views.ts';

const callers = [user('ann'), user('bob'), user('eve'), service] as const;
const nobodys: QueryLimits = { scanRows: 10_000, sortRows: 100_000 };

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
  const [ann, bob] = callers;
  for (const [name, policy] of [
    ['archive', 'private'],
    ['lost', 'private'],
    ['open', 'public'],
    ['team', 'authenticated'],
    ['zoo', 'private'],
  ] as const) {
    await createBucket(rig, ann, name, { policy, write_policy: 'authenticated' });
  }
  for (let index = 0; index < 90; index += 1) {
    const bucket = ['archive', 'open', 'team', 'zoo'][index % 4] ?? '';
    const call = index % 3 === 0 ? bob : ann;
    const path = `${'abc'[index % 3]}/${(index * 7) % 30}.${index % 2 ? 'png' : 'txt'}`;
    const metadata =
      index % 5 === 0 ? { metadata: JSON.stringify({ n: index, s: `${index}` }) } : {};
    const contentType = index % 2 ? 'image/png' : 'text/plain';
    const bytes = Buffer.alloc((index * 13) % 40);
    await put(rig, call, { bucket, path, bytes, contentType, ...metadata });
  }
});

interface Asking {
  readonly call: Call;
  readonly search: string;
  readonly order?: string;
  readonly limit?: number;
  readonly limits?: QueryLimits;
}

function parsed({ call, search, order = '' }: Asking) {
  const query = parseQuery({
    collection: 'storage_objects',
    filters: [...new URLSearchParams(search)],
    order,
    select: undefined,
    me: callerId(call.caller),
  });
  if (!query.ok) throw new Error(query.rejection.message);
  return query.value;
}

async function page(asking: Asking, after?: Mark) {
  const { call, limit = 7, limits = nobodys } = asking;
  const queries = createQueries({ views: rig.store.views, access: createAccess(silent), limits });
  const explain = call.caller.kind === 'service';
  const request = { query: parsed(asking), limit, explain, ...(after ? { after } : {}) };
  const found = await queries.objects(call, request);
  if (!found.ok) throw new Error(found.rejection.message);
  return found.value;
}

async function everyPage(asking: Asking) {
  const rows: string[] = [];
  const sizes: number[] = [];
  let after: Mark | undefined;
  do {
    const { rows: some, next } = await page(asking, after);
    rows.push(...some.map(({ bucket_id, path }) => `${bucket_id}/${path}`));
    sizes.push(some.length);
    after = next;
    if (sizes.length > 2_000) throw new Error('the pages do not end');
  } while (after);
  return { rows, sizes };
}

async function expected(asking: Asking): Promise<string[]> {
  const { filters, order } = parsed(asking);
  const found: (ObjectRow & { bucket_id: string })[] = [];
  for (const bucket of await rig.store.views.buckets()) {
    const readable = readableRows(asking.call.caller, bucket);
    if (!readable) continue;
    for (const row of await rig.store.views.rowsOf(bucket.keyspace, 1_000)) {
      if (readable.rows === 'own' && row.owner_id !== readable.ownerId) continue;
      found.push({ ...row, bucket_id: bucket.name });
    }
  }
  return found
    .filter((row) => matches(filters, row))
    .sort((left, right) => compareMarks(order, markOf(order, left), markOf(order, right)))
    .map(({ bucket_id, path }) => `${bucket_id}/${path}`);
}

const filters = [
  'bucket_id=eq.archive',
  'bucket_id=eq.open',
  'bucket_id=eq.lost',
  'bucket_id=in.(zoo,team,nowhere)',
  'bucket_id=gt.open',
  'bucket_id=like.*o*',
  'owner_id=eq.me',
  'owner_id=eq.bob',
  'owner_id=neq.me',
  'owner_id=eq.nobody',
  'path=like.a/*',
  'path=gte.b/',
  'path=lt.b/2',
  'path=eq.c/14.txt',
  'path=in.(c/14.txt,a/0.txt)',
  'size=gt.20',
  'content_type=like.image/*',
  'created_at=gte.2026-01-01T00:00:00.100Z',
  'created_at=lt.2026-01-01T00:00:00.200Z',
  'created_at=lt.1999-01-01',
  'created_at=gt.9999-01-01',
  'metadata->n=gte.20',
  'metadata->>s=is.null',
];
const orders = [
  '',
  'path.asc',
  'path.desc',
  'bucket_id.desc',
  'bucket_id,path.desc',
  'bucket_id.asc,path.asc,size.desc',
  'created_at.asc',
  'created_at.desc',
  'size.desc',
  'size,created_at.desc',
  'owner_id.desc,size',
  'metadata->n.desc',
  'metadata->>s',
  'id',
];

test('pages together are all that is readable and asked for, in order, whatever the budget', async () => {
  const asking = fc.record({
    call: fc.constantFrom(...callers),
    search: fc
      .uniqueArray(fc.constantFrom(...filters), { maxLength: 3 })
      .map((some) => some.join('&')),
    order: fc.constantFrom(...orders),
    limit: fc.constantFrom(1, 3, 7, 1_000),
    limits: fc.constantFrom(nobodys, { ...nobodys, scanRows: 10 }, { ...nobodys, scanRows: 1 }),
  });
  await fc.assert(
    fc.asyncProperty(asking, async (one) => {
      const { rows, sizes } = await everyPage(one);
      expect(rows).toEqual(await expected(one));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(one.limit);
    }),
    { numRuns: 150 },
  );
});

test('every order is answered alike with a page of one row and with one page', async () => {
  for (const order of orders) {
    for (const call of callers) {
      const all = await expected({ call, search: '', order });
      expect((await everyPage({ call, search: '', order, limit: 1 })).rows, order).toEqual(all);
      expect((await page({ call, search: '', order, limit: all.length })).next).toBeUndefined();
    }
  }
});

describe('the plan', () => {
  const explained = async (search: string, order = '') =>
    (await page({ call: service, search, order })).explanation;

  test.each([
    ['bucket_id=eq.open', '', 'path', 'index', 8],
    ['bucket_id=eq.open&path=like.a/1*', '', 'path', 'index', 5],
    ['bucket_id=eq.open&path=eq.a/0.txt', '', 'path', 'index', 1],
    ['bucket_id=eq.open&owner_id=eq.bob', '', 'owner', 'index', 8],
    ['owner_id=eq.nobody', '', 'none', 'index', 0],
    ['bucket_id=eq.open', 'created_at.desc', 'created_at', 'index', 8],
    ['bucket_id=eq.open&created_at=gte.9999-01-01', '', 'created_at', 'sorted', 0],
    ['bucket_id=eq.open&owner_id=eq.bob', 'created_at.desc', 'owner', 'sorted', 8],
    ['bucket_id=eq.open', 'size.desc', 'path', 'sorted', 23],
    ['bucket_id=eq.nowhere', '', 'none', 'index', 0],
  ])('of %s %s goes by %s', async (search, order, index, way, atMost) => {
    const explanation = await explained(search, order);
    expect(explanation).toMatchObject({ index, order: way });
    expect(explanation?.scanned).toBeLessThanOrEqual(atMost);
  });

  test('is told to the service role alone', async () => {
    const { queries } = rig.store.service;
    const query = parsed({ call: callers[0], search: '' });
    const refused = await queries.objects(callers[0], { query, limit: 1, explain: true });
    expect(refused).toMatchObject({ ok: false, rejection: { code: 'AccessDenied' } });
  });
});

describe('work', () => {
  test('ends at the budget with a page, empty or not, and a cursor', async () => {
    const limits = { ...nobodys, scanRows: 12 };
    const asking = { call: service, search: 'path=like.*nothing', limits };
    const { rows, next, explanation } = await page(asking);
    expect(rows).toEqual([]);
    expect(next).toBeDefined();
    expect(explanation?.scanned).toBeLessThanOrEqual(12);
  });

  test('of sorting is refused beyond its own, and says what to do', async () => {
    const limits = { scanRows: 10, sortRows: 20 };
    const asking = { call: service, search: '', order: 'size.desc', limits };
    await expect(page(asking)).rejects.toThrow('"order"');
    await expect(page({ ...asking, search: 'path=gt.a' })).rejects.toThrow('"order"');
    const narrow = { ...asking, search: 'bucket_id=eq.open&path=like.a/1*' };
    expect((await page(narrow)).explanation).toMatchObject({ order: 'sorted' });
  });
});

test('a cursor goes on behind its row, whatever is written in between', async () => {
  const asking = { call: callers[0], search: 'bucket_id=eq.lost', limit: 2 };
  for (const path of ['a', 'c', 'e', 'g']) {
    await put(rig, callers[0], { bucket: 'lost', path, bytes: Buffer.from(path) });
  }
  const first = await page(asking);
  expect(first.rows.map(({ path }) => path)).toEqual(['a', 'c']);
  for (const path of ['b', 'd']) {
    await put(rig, callers[0], { bucket: 'lost', path, bytes: Buffer.from(path) });
  }
  await rig.store.service.objects.remove(callers[0], key('lost', 'c'));
  await rig.store.service.objects.remove(callers[0], key('lost', 'e'));
  const second = await page(asking, first.next);
  expect(second.rows.map(({ path }) => path)).toEqual(['d', 'g']);
  expect(second.next).toBeUndefined();
});

test('each private bucket that the service role looks into is a bypass, logged once', async () => {
  const lines: unknown[] = [];
  const access = createAccess({ ...silent, info: (_message, facts) => lines.push(facts) });
  const queries = createQueries({ views: rig.store.views, access });
  const query = parsed({ call: service, search: '', order: 'created_at.desc' });
  await queries.objects(service, { query, limit: 1_000, explain: false });
  expect(lines.map((facts) => (facts as { bucket: string }).bucket).sort()).toEqual([
    'archive',
    'lost',
    'zoo',
  ]);
});

test('a query without credentials is refused, and counted as a denial', async () => {
  const counted: string[] = [];
  const access = createAccess({ ...silent, count: (counter) => counted.push(counter) });
  const queries = createQueries({ views: rig.store.views, access });
  const query = parsed({ call: nobody, search: '' });
  const refused = await queries.objects(nobody, { query, limit: 1, explain: false });
  expect(refused).toMatchObject({ ok: false, rejection: { code: 'MissingAuthorization' } });
  expect(counted).toEqual(['policy_denial']);
});

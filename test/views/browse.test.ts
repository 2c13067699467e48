/** Lists in other orders, from an offset and by the beginning of a name, against sorting everything. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CommittedRecord } from '../../src/domain/events.ts';
import type {
  BlobId,
  BucketName,
  BucketUid,
  KeyspaceId,
  ObjectId,
  ObjectPath,
  Position,
} from '../../src/domain/names.ts';
import { browsable } from '../../src/views/reading/browse.ts';
import type { BrowseMark, BrowsePage, BrowseQuery } from '../../src/views/views.ts';
import { framesOf } from '../support/random-log.ts';
import { memoryViews } from '../support/views.ts';

const keyspace = 1 as KeyspaceId;

interface Item {
  readonly path: string;
  readonly ownerId: string | null;
  readonly timeMs: number;
}

function stored({ path, ownerId, timeMs }: Item, index: number): CommittedRecord {
  const bucket = {
    uid: 'uid' as BucketUid,
    name: 'b' as BucketName,
    policy: 'private',
    owner_id: 'alice',
  } as const;
  return {
    event: {
      type: 'object.stored',
      bucket,
      keyspace,
      object: {
        id: `id-${index}` as ObjectId,
        path: path as ObjectPath,
        owner_id: ownerId,
        content_type: 'text/plain',
        version: 'v',
        cache_control: null,
        metadata: null,
        size: 1,
        etag: 'etag',
        blob_id: index.toString(16).padStart(32, '0') as BlobId,
        crcs: new Uint8Array(0),
        created_at: null,
      },
      previous: null,
      source: null,
      restored_from: null,
      token: null,
    },
    actor: { sub: null, role: 'user', request_id: null },
    position: (10 + index) as Position,
    timeMs,
    epoch: 1,
  };
}

async function viewsOf(items: readonly Item[]) {
  const { applier, views } = await memoryViews();
  await applier.replay(framesOf(items.map(stored), [50]));
  return views;
}

const compare = (left: string, right: string) =>
  Buffer.compare(Buffer.from(left), Buffer.from(right));

function naive(items: readonly Item[], query: BrowseQuery): BrowseMark[] {
  const { prefix, delimiter, search, by, order, ownerId } = query;
  const marks = new Map<string, BrowseMark>();
  for (const item of items) {
    const { path } = item;
    if (!path.startsWith(prefix)) continue;
    if (ownerId !== undefined && item.ownerId !== ownerId) continue;
    const end = delimiter ? path.indexOf(delimiter, prefix.length) : -1;
    const value = end < 0 || !delimiter ? path : path.slice(0, end + delimiter.length);
    if (!value.slice(prefix.length).toLowerCase().startsWith(search.toLowerCase())) continue;
    const kind = end < 0 ? 'path' : 'prefix';
    const time = kind === 'path' && by !== 'path' ? item.timeMs : 0;
    marks.set(kind + value, { kind, value, time });
  }
  const sign = order === 'asc' ? 1 : -1;
  return [...marks.values()].sort((left, right) => {
    if (by === 'path') return sign * compare(left.value, right.value);
    if (left.kind !== right.kind) return left.kind === 'prefix' ? -1 : 1;
    return sign * (left.time - right.time || compare(left.value, right.value));
  });
}

const valuesOf = (page: BrowsePage | undefined) =>
  page?.entries.map((entry) => (entry.kind === 'prefix' ? entry.value : entry.row.path));

const segment = fc.constantFrom('a', 'A', 'b', 'B', 'é', 'É', '/', '//', '🎈', '\uffff', '-', '.');
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
const listed = fc.uniqueArray(
  fc.record({
    path,
    ownerId: fc.constantFrom('alice', 'bob', null),
    timeMs: fc.integer({ min: 1, max: 5 }),
  }),
  { selector: (item) => item.path, maxLength: 60, size: 'max' },
);
const text = fc.array(segment, { maxLength: 2 }).map((parts) => parts.join(''));
const query = fc.record(
  {
    keyspace: fc.constant(keyspace),
    prefix: text,
    delimiter: fc.constantFrom('/', '//'),
    search: fc.array(segment, { maxLength: 3 }).map((parts) => parts.join('').replaceAll('/', '')),
    by: fc.constantFrom('path', 'created_at', 'updated_at'),
    order: fc.constantFrom('asc', 'desc'),
    offset: fc.integer({ min: 0, max: 6 }),
    limit: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(1000)),
    ownerId: fc.constantFrom('alice', 'bob', 'nobody'),
  },
  {
    requiredKeys: ['keyspace', 'prefix', 'search', 'by', 'order', 'offset', 'limit'],
    noNullPrototype: true,
  },
) as fc.Arbitrary<BrowseQuery>;

it('shows what sorting and filtering everything gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      listed,
      fc.array(query, { minLength: 10, maxLength: 10 }),
      async (items, all) => {
        const views = await viewsOf(items);
        for (const asked of all) {
          const marks = naive(items, asked);
          const page = await views.browse(asked);
          const shown = marks.slice(asked.offset, asked.offset + asked.limit);
          expect(valuesOf(page), JSON.stringify(asked)).toEqual(shown.map(({ value }) => value));
          expect(page?.next !== undefined).toBe(marks.length > asked.offset + asked.limit);
        }
      },
    ),
    { numRuns: 200 },
  );
}, 60_000);

it('goes on behind its mark and says everything once', async () => {
  await fc.assert(
    fc.asyncProperty(listed, query, async (items, asked) => {
      const views = await viewsOf(items);
      const found: string[] = [];
      let after: BrowseMark | undefined;
      do {
        const page = await views.browse({ ...asked, offset: 0, ...(after ? { after } : {}) });
        found.push(...(valuesOf(page) ?? []));
        after = page?.next;
      } while (after);
      expect(found).toEqual(naive(items, asked).map(({ value }) => value));
    }),
    { numRuns: 200 },
  );
}, 60_000);

it('keeps the first of however many there are', async () => {
  const items = Array.from({ length: 4000 }, (_, index) => ({
    path: `f${index}`,
    ownerId: 'alice',
    timeMs: 1 + ((index * 7919) % 4001),
  }));
  const views = await viewsOf(items);
  for (const order of ['asc', 'desc'] as const) {
    const asked = { keyspace, prefix: '', search: '', by: 'created_at', order } as const;
    const page = await views.browse({ ...asked, offset: 2, limit: 3 });
    const wanted = naive(items, { ...asked, offset: 2, limit: 3 }).slice(2, 5);
    expect(valuesOf(page)).toEqual(wanted.map(({ value }) => value));
    expect(page?.next).toEqual(wanted.at(-1));
  }
});

it('reads no more than it may, and a folder counts once whatever lies in it', async () => {
  const item = (path: string): Item => ({ path, ownerId: 'alice', timeMs: 1 });
  const many = Array.from({ length: 300 }, (_, index) => item(`dir/${index}`));
  const views = await viewsOf([...many, item('z')]);
  const asked = { keyspace, prefix: '', search: '', order: 'asc', offset: 0, limit: 10 } as const;
  const page = await views.browse({ ...asked, delimiter: '/', by: 'created_at' });
  expect(valuesOf(page)).toEqual(['dir/', 'z']);
  expect(await views.browse({ ...asked, by: 'path', offset: browsable + 1 })).toMatchObject({
    entries: [],
  });
});

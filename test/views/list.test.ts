import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
import type { ListMark, ListPage, ListQuery } from '../../src/views/views.ts';
import { framesOf } from '../support/random-log.ts';
import { memoryViews } from '../support/views.ts';

const keyspace = 1 as KeyspaceId;
const bucket = {
  uid: 'uid' as BucketUid,
  name: 'b' as BucketName,
  policy: 'private',
  owner_id: 'alice',
} as const;

function stored(path: string, index: number, ownerId: string | null): CommittedRecord {
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
        size: index,
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
    timeMs: 1000 + index,
    epoch: 1,
  };
}

function deleted(path: string, index: number, ownerId: string | null): CommittedRecord {
  const { event, ...rest } = stored(path, index, ownerId);
  if (event.type !== 'object.stored') throw new Error('not stored');
  const { id, size, etag, blob_id, content_type, version } = event.object;
  const { position, timeMs } = rest;
  return {
    ...rest,
    event: {
      type: 'object.deleted',
      bucket,
      keyspace,
      id,
      path: path as ObjectPath,
      previous: {
        size,
        etag,
        blob_id,
        owner_id: ownerId,
        content_type,
        version,
        created_at: timeMs,
        position,
      },
      cause: null,
    },
    position: 30_000 as Position,
  };
}

type Listed = readonly { readonly path: string; readonly ownerId: string | null }[];

async function viewsOf(paths: Listed) {
  const made = await memoryViews();
  const records = paths.map(({ path, ownerId }, index) => stored(path, index, ownerId));
  // Neighbours in key order must not leak in.
  const other = stored('a/other', 9999, 'alice');
  const elsewhere = {
    ...other,
    event: { ...other.event, keyspace: 2 as KeyspaceId } as typeof other.event,
  };
  await made.applier.replay(framesOf([...records, elsewhere], [50]));
  return made;
}

const bytes = (text: string) => Buffer.from(text);
const compare = (left: string, right: string) => Buffer.compare(bytes(left), bytes(right));

/** What a list says, from first principles. */
function naive(
  paths: Listed,
  query: ListQuery,
): Pick<ListPage, 'prefixes' | 'next'> & { objects: string[] } {
  const { prefix, delimiter, after, limit, ownerId } = query;
  const begun = paths
    .filter((item) => ownerId === undefined || item.ownerId === ownerId)
    .map(({ path }) => path)
    .filter((path) => path.startsWith(prefix))
    .filter((path) => {
      if (!after) return true;
      if (after.kind === 'prefix' && path.startsWith(after.value)) return false;
      return compare(path, after.value) > 0;
    })
    .sort(compare);
  const marks = new Map<string, ListMark>();
  for (const path of begun) {
    const found = delimiter ? path.indexOf(delimiter, prefix.length) : -1;
    const value = found < 0 || !delimiter ? path : path.slice(0, found + delimiter.length);
    const kind = found < 0 ? 'path' : 'prefix';
    marks.set(`${kind}:${value}`, { kind, value });
  }
  const all = [...marks.values()];
  const page = all.slice(0, Math.max(0, limit));
  const valuesOf = (kind: string) =>
    page.filter((mark) => mark.kind === kind).map(({ value }) => value);
  return {
    objects: valuesOf('path'),
    prefixes: valuesOf('prefix'),
    next: all.length > page.length ? page.at(-1) : undefined,
  };
}

const segment = fc.constantFrom('a', 'b', 'ab', 'é', '/', '//', '写', '🎈', '\uffff', '-', '.');
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
const ownerId = fc.constantFrom('alice', 'bob', null);
const listed = fc.uniqueArray(fc.record({ path, ownerId }), {
  selector: (item) => item.path,
  maxLength: 60,
  size: 'max',
});
const text = fc.array(segment, { maxLength: 2 }).map((parts) => parts.join(''));
const query = fc.record(
  {
    keyspace: fc.constant(keyspace),
    prefix: text,
    delimiter: fc.constantFrom('/', '//', 'b', '写'),
    after: fc.record({ kind: fc.constantFrom('path', 'prefix'), value: path }),
    limit: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(1000)),
    ownerId: fc.constantFrom('alice', 'bob', 'nobody'),
  },
  { requiredKeys: ['keyspace', 'prefix', 'limit'], noNullPrototype: true },
) as fc.Arbitrary<ListQuery>;

describe('a list', () => {
  it('is what sorting and filtering all paths gives, for any query', async () => {
    await fc.assert(
      fc.asyncProperty(
        listed,
        fc.array(query, { minLength: 10, maxLength: 10 }),
        async (paths, queries) => {
          const { views } = await viewsOf(paths);
          for (const asked of queries) {
            const page = await views.list(asked);
            const objects = page.objects.map((row) => row.path);
            expect({ ...page, objects }).toEqual(naive(paths, asked));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('read page by page says everything once', async () => {
    await fc.assert(
      fc.asyncProperty(listed, query, async (paths, asked) => {
        const { views } = await viewsOf(paths);
        const whole = await views.list({ ...asked, limit: 1000 });
        const objects: string[] = [];
        const prefixes: string[] = [];
        let after = asked.after;
        for (;;) {
          const page = await views.list({ ...asked, ...(after ? { after } : {}) });
          objects.push(...page.objects.map((row) => row.path));
          prefixes.push(...page.prefixes);
          if (!page.next) break;
          after = page.next;
        }
        expect(objects).toEqual(whole.objects.map((row) => row.path));
        expect(prefixes).toEqual(whole.prefixes);
      }),
      { numRuns: 200 },
    );
  });

  it('passes over what lies under a common prefix instead of reading it', async () => {
    const folders = ['a', 'b', 'c'].flatMap((folder) =>
      Array.from({ length: 2000 }, (_, index) => ({
        path: `${folder}/${index}`,
        ownerId: 'alice',
      })),
    );
    const { views, store } = await viewsOf(folders);
    let entries = 0;
    const iterator = store.iterator.bind(store);
    store.iterator = (range, options) => {
      const walk = iterator(range, options);
      const nextv = walk.nextv.bind(walk);
      walk.nextv = async (size: number) => {
        const page = await nextv(size);
        entries += page.length;
        return page;
      };
      return walk;
    };
    for (const owner of [{}, { ownerId: 'alice' }]) {
      entries = 0;
      const page = await views.list({ keyspace, prefix: '', delimiter: '/', limit: 100, ...owner });
      expect(page.prefixes).toEqual(['a/', 'b/', 'c/']);
      expect(entries).toBeLessThan(100);
      entries = 0;
      await views.list({ keyspace, prefix: '', limit: 10, ...owner });
      expect(entries).toBeLessThan(20);
    }
  });

  it('is of one moment, whatever is applied meanwhile', async () => {
    const paths = Array.from({ length: 3000 }, (_, index) => ({
      path: `p${index}`,
      ownerId: 'alice',
    }));
    const { views, applier } = await viewsOf(paths);
    const listing = views.list({ keyspace, prefix: '', limit: 5000, ownerId: 'alice' });
    const gone = deleted('p2999', 2999, 'alice');
    await applier.replay(framesOf([stored('p1-late', 20_000, 'alice'), gone]));
    expect(views.object(keyspace, 'p2999' as ObjectPath)).toBeUndefined();
    expect((await listing).objects.length).toBe(3000);
  });
});

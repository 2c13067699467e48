/** Reads of objects: one, a page of a list, all of them. Order is by the UTF-8 bytes of the path. */
import type { AbstractSnapshot } from 'abstract-level';
import type { KeyspaceId, ObjectPath } from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import { after, keyspaceOf, kindRange, objectKey, ownedKey, within } from './keys.ts';
import { Cursor, type Entry } from './store/cursor.ts';
import { openRow } from './store/rows.ts';
import type { ViewsStore } from './store.ts';
import { type ListMark, type ListPage, type ListQuery, ViewsDamaged } from './views.ts';

export function readObject(
  store: ViewsStore,
  keyspace: KeyspaceId,
  path: ObjectPath,
): ObjectRow | undefined {
  return store.get(objectKey(keyspace, path)) as ObjectRow | undefined;
}

/** From one snapshot; the cost is that of the page, whatever lies under its common prefixes. */
export async function listObjects(store: ViewsStore, query: ListQuery): Promise<ListPage> {
  const snapshot = store.snapshot();
  try {
    return await readPage({ store, query, snapshot });
  } finally {
    await snapshot.close();
  }
}

interface Listing {
  readonly store: ViewsStore;
  readonly query: ListQuery;
  readonly snapshot: AbstractSnapshot;
}

async function readPage(listing: Listing): Promise<ListPage> {
  const { store, query, snapshot } = listing;
  const base = baseOf(query);
  const range = rangeOf(base, query);
  const objects: ObjectRow[] = [];
  const prefixes: string[] = [];
  if (query.limit <= 0 || Buffer.compare(range.gte, range.lt) >= 0) {
    return { objects, prefixes, next: undefined };
  }
  const expected = query.delimiter ? 32 : query.limit + 1;
  const cursor = new Cursor(store, range, { snapshot, expected });
  try {
    let next: ListMark | undefined;
    for (;;) {
      const entry = await cursor.next();
      if (!entry) return { objects, prefixes, next: undefined };
      if (objects.length + prefixes.length >= query.limit) return { objects, prefixes, next };
      const path = entry.key.toString('utf8', base.length);
      const prefix = commonPrefix(path, query);
      if (prefix === undefined) {
        objects.push(rowOf(listing, entry, path));
        next = { kind: 'path', value: path };
      } else {
        prefixes.push(prefix);
        next = { kind: 'prefix', value: prefix };
        cursor.seek(after(Buffer.concat([base, Buffer.from(prefix)])));
      }
    }
  } finally {
    await cursor.close();
  }
}

/** What stands before the path in the keys of the index that answers the query. */
function baseOf({ keyspace, ownerId }: ListQuery): Buffer {
  return ownerId === undefined ? objectKey(keyspace, '') : ownedKey(ownerId, keyspace, '');
}

function rangeOf(base: Buffer, { prefix, after: mark }: ListQuery) {
  const range = within(Buffer.concat([base, Buffer.from(prefix)]));
  if (!mark) return range;
  const value = Buffer.concat([base, Buffer.from(mark.value)]);
  // The least key after one path is that path and a NUL, which no path contains.
  const from = mark.kind === 'prefix' ? after(value) : Buffer.concat([value, Buffer.from([0])]);
  return Buffer.compare(from, range.gte) > 0 ? { ...range, gte: from } : range;
}

/** `path` up to the first delimiter after the prefix, the delimiter included. */
function commonPrefix(path: string, { prefix, delimiter }: ListQuery): string | undefined {
  if (!delimiter) return undefined;
  const found = path.indexOf(delimiter, prefix.length);
  return found < 0 ? undefined : path.slice(0, found + delimiter.length);
}

function rowOf({ store, query, snapshot }: Listing, entry: Entry, path: string): ObjectRow {
  if (query.ownerId === undefined) return openRow(entry.key, entry.row) as ObjectRow;
  const row = store.get(objectKey(query.keyspace, path), snapshot);
  if (!row)
    throw new ViewsDamaged(
      `the owner index names a path of keyspace ${query.keyspace} that is not there`,
    );
  return row as ObjectRow;
}

export async function ownsAny(
  store: ViewsStore,
  keyspace: KeyspaceId,
  ownerId: string,
): Promise<boolean> {
  return !(await store.isEmpty(within(ownedKey(ownerId, keyspace, ''))));
}

export async function* everyObject(
  store: ViewsStore,
): AsyncGenerator<{ readonly keyspace: KeyspaceId; readonly row: ObjectRow }> {
  for await (const { key, value } of store.entries(kindRange('o'))) {
    yield { keyspace: keyspaceOf(key), row: value as ObjectRow };
  }
}

/**
 * The views at one moment: buckets, and walks through the rows of a keyspace by one of its indexes,
 * all from one snapshot. A walk reads ahead little and in growing steps, for most callers stop early.
 */
import type { AbstractSnapshot } from 'abstract-level';
import type { BucketRow } from '../../domain/bucket.ts';
import type { BucketName, KeyspaceId, ObjectId, ObjectPath } from '../../domain/names.ts';
import type { ObjectRow } from '../../domain/object.ts';
import {
  after,
  bucketKey,
  createdKey,
  type KeyRange,
  keyspaceOfOwned,
  kindRange,
  objectKey,
  ownedKey,
  within,
} from '../keys.ts';
import { openRow } from '../store/rows.ts';
import type { ViewsStore } from '../store.ts';
import { type Moment, ViewsDamaged, type Walk, type WalkEdge, type WalkQuery } from '../views.ts';

/** Runs `use` on one snapshot, which is let go of in every case. */
export async function readMoment<T>(
  store: ViewsStore,
  use: (moment: Moment) => Promise<T>,
): Promise<T> {
  const snapshot = store.snapshot();
  try {
    return await use({
      bucket: (name: BucketName) => store.get(bucketKey(name), snapshot) as BucketRow | undefined,
      buckets: () => bucketsAt(store, snapshot),
      keyspacesOf: (ownerId) => keyspacesOf(store, snapshot, ownerId),
      walk: (query) => openWalk(store, snapshot, query),
    });
  } finally {
    await snapshot.close();
  }
}

async function bucketsAt(store: ViewsStore, snapshot: AbstractSnapshot): Promise<BucketRow[]> {
  const rows: BucketRow[] = [];
  for await (const { value } of store.entries(kindRange('b'), snapshot)) {
    rows.push(value as BucketRow);
  }
  return rows;
}

/** One seek for each keyspace, however many rows lie in it. */
async function keyspacesOf(
  store: ViewsStore,
  snapshot: AbstractSnapshot,
  ownerId: string,
): Promise<KeyspaceId[]> {
  const keyspaces: KeyspaceId[] = [];
  const base = ownedKey(ownerId);
  const iterator = store.iterator(within(base), { snapshot });
  try {
    for (;;) {
      const [entry] = await iterator.nextv(1);
      if (!entry) return keyspaces;
      const keyspace = keyspaceOfOwned(entry[0], base);
      keyspaces.push(keyspace);
      iterator.seek(after(ownedKey(ownerId, keyspace, '')));
    }
  } finally {
    await iterator.close();
  }
}

const firstPage = 16;
const lastPage = 256;

function openWalk(store: ViewsStore, snapshot: AbstractSnapshot, query: WalkQuery): Walk {
  const { keyspace, by, direction } = query;
  const base = baseOf(query);
  const range = rangeOf(base, query);
  const isEmpty = Buffer.compare(range.gte, range.lt) >= 0;
  const iterator = store.iterator(range, {
    snapshot,
    reverse: direction === 'desc',
    highWaterMarkBytes: 128 * 1024,
  });
  let page: [key: Buffer, row: Buffer][] = [];
  let at = 0;
  let size = firstPage;
  const rowOf = (key: Buffer, row: Buffer): ObjectRow => {
    if (by.index === 'path') return openRow(key, row) as ObjectRow;
    const path =
      by.index === 'created_at' ? String(openRow(key, row)) : key.toString('utf8', base.length);
    const found = store.get(objectKey(keyspace, path as ObjectPath), snapshot);
    if (found) return found as ObjectRow;
    throw new ViewsDamaged(`an index names a path of keyspace ${keyspace} that is not there`);
  };
  return {
    async next() {
      if (isEmpty) return undefined;
      if (at >= page.length) {
        page = await iterator.nextv(size);
        at = 0;
        size = Math.min(size * 2, lastPage);
      }
      const entry = page[at];
      at += 1;
      return entry && rowOf(entry[0], entry[1]);
    },
    close: () => iterator.close(),
  };
}

/** What stands before the path or the time in the keys of the index. */
function baseOf({ keyspace, by }: WalkQuery): Buffer {
  switch (by.index) {
    case 'path':
      return objectKey(keyspace, '');
    case 'owner':
      return ownedKey(by.ownerId, keyspace, '');
    case 'created_at':
      return createdKey(keyspace);
    default:
      return by satisfies never;
  }
}

function rangeOf(base: Buffer, { keyspace, from, to }: WalkQuery): KeyRange {
  const keyOf = ({ at, edge }: WalkEdge): Buffer => {
    const key =
      typeof at === 'string'
        ? Buffer.concat([base, Buffer.from(at)])
        : createdKey(keyspace, at.createdAt, at.id ?? ('' as ObjectId));
    if (edge === 'before') return key;
    // The least key behind one path or id is it and a NUL, which neither contains.
    return edge === 'after' ? Buffer.concat([key, Buffer.from([0])]) : after(key);
  };
  const whole = within(base);
  return { gte: from ? keyOf(from) : whole.gte, lt: to ? keyOf(to) : whole.lt };
}

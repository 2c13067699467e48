/** Reads of buckets: their rows, what their keyspaces hold, and which old keyspaces await draining. */
import { type BucketRow, noTotals, type Totals } from '../domain/bucket.ts';
import type { BucketName, KeyspaceId } from '../domain/names.ts';
import { bucketKey, keyspaceOf, kindRange, totalsKey } from './keys.ts';
import type { ViewsStore } from './store.ts';
import type { Drain } from './views.ts';

export function readBucket(store: ViewsStore, name: BucketName): BucketRow | undefined {
  return store.getKept(bucketKey(name)) as BucketRow | undefined;
}

/** In order of name. */
export async function readBuckets(store: ViewsStore): Promise<BucketRow[]> {
  const rows: BucketRow[] = [];
  for await (const { value } of store.entries(kindRange('b'))) rows.push(value as BucketRow);
  return rows;
}

export function readTotals(store: ViewsStore, keyspace: KeyspaceId): Totals {
  return (store.get(totalsKey(keyspace)) as Totals | undefined) ?? noTotals;
}

/** Of each keyspace that holds something. */
export async function readEveryTotals(store: ViewsStore): Promise<[KeyspaceId, Totals][]> {
  const totals: [KeyspaceId, Totals][] = [];
  for await (const { key, value } of store.entries(kindRange('t'))) {
    totals.push([keyspaceOf(key), value as Totals]);
  }
  return totals;
}

/** The oldest keyspace first. */
export async function readDrains(store: ViewsStore): Promise<Drain[]> {
  const drains: Drain[] = [];
  for await (const { value } of store.entries(kindRange('d'))) drains.push(value as Drain);
  return drains;
}

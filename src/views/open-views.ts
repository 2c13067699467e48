/** The views as the floors above read them: each method is a read of the rows in the store. */
import type { ConsumerRow } from '../domain/consumers/consumer.ts';
import type { Crcs } from '../domain/events.ts';
import type { BlobId } from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import type { WebhookRow } from '../domain/webhooks/webhook.ts';
import { readBucket, readBuckets, readDrains, readTotals } from './buckets.ts';
import { digestOf } from './digest.ts';
import {
  consumerKey,
  crcsKey,
  historyKey,
  idempotencyKey,
  type KeyRange,
  kindRange,
  tokenUseKey,
  webhookKey,
  within,
} from './keys.ts';
import { everyObject, listObjects, ownsAny, readObject } from './objects.ts';
import { browse } from './reading/browse.ts';
import { readMoment } from './reading/moment.ts';
import { readRevocations } from './reading/revocations.ts';
import { knowsBlob, readDue } from './releases.ts';
import type { ViewsStore } from './store.ts';
import type { IdempotencyRow, Views } from './views.ts';

export function openViews(store: ViewsStore): Views {
  return {
    get applied() {
      return store.applied;
    },
    bucket: (name) => readBucket(store, name),
    buckets: () => readBuckets(store),
    totals: (keyspace) => readTotals(store, keyspace),
    object: (keyspace, path) => readObject(store, keyspace, path),
    list: (query) => listObjects(store, query),
    browse: (query) => browse(store, query),
    ownsAny: (keyspace, ownerId) => ownsAny(store, keyspace, ownerId),
    read: (use) => readMoment(store, use),
    crcs: (blobId) => crcsOf(store, blobId),
    // The CRCs stay exactly as long as a row refers to the blob or its release is retained.
    isRetained: (blobId) => crcsOf(store, blobId) !== undefined,
    knowsBlob: (blobId) => knowsBlob(store, blobId),
    due: (untilMs, limit) => readDue(store, { untilMs, limit }),
    idempotent: (actor, key) => store.get(idempotencyKey(actor, key)) as IdempotencyRow | undefined,
    objectAt: (place) => (store.get(historyKey(place)) ?? undefined) as ObjectRow | undefined,
    isTokenUsed: (jti) => store.get(tokenUseKey(jti)) !== undefined,
    revocations: (token) => readRevocations(store, token),
    consumer: (owner, name) => store.get(consumerKey(owner, name)) as ConsumerRow | undefined,
    consumers: (owner) =>
      rowsIn<ConsumerRow>(store, owner ? within(consumerKey(owner, '')) : kindRange('n')),
    webhook: (id) => store.get(webhookKey(id)) as WebhookRow | undefined,
    webhooks: () => rowsIn<WebhookRow>(store, kindRange('m')),
    drains: () => readDrains(store),
    rowsOf: async (keyspace, limit) => {
      const { objects } = await listObjects(store, { keyspace, prefix: '', limit });
      return [...objects];
    },
    everyObject: () => everyObject(store),
    digest: () => digestOf(store),
  };
}

function crcsOf(store: ViewsStore, blobId: BlobId): Crcs | undefined {
  return store.get(crcsKey(blobId)) as Crcs | undefined;
}

async function rowsIn<T>(store: ViewsStore, range: KeyRange): Promise<T[]> {
  const rows: T[] = [];
  for await (const { value } of store.entries(range)) rows.push(value as T);
  return rows;
}

/**
 * The projection: a pure function from a committed record, and the totals before it, to what
 * changes in the views. Exhaustive over the events; `PROJECTION` is raised whenever the rows that
 * come out of it change, so that views of another projection are built anew.
 */
import { type BucketFacts, bucketAfter, bucketFacts } from '../domain/bucket.ts';
import { consumerAfter } from '../domain/consumers/consumer.ts';
import type { BucketEvent, CommittedRecord, StoreEvent, TokenRevoked } from '../domain/events.ts';
import type { KeyspaceId } from '../domain/names.ts';
import { objectAfter } from '../domain/object.ts';
import { webhookAfter } from '../domain/webhooks/webhook.ts';
import {
  bucketKey,
  consumerKey,
  drainKey,
  idempotencyKey,
  revocationKey,
  timelineKey,
  tokenUseKey,
  webhookKey,
} from './keys.ts';
import { Change, type RunningTotals } from './projecting/change.ts';
import {
  type CommittedAt,
  deleteObject,
  moveObject,
  patchObject,
  restoreObject,
  storeObject,
} from './projecting/project-object.ts';
import type { Drain, IdempotencyRow } from './views.ts';

export const PROJECTION = 3;

/** `retention.advanced` changes nothing here: what it removes must be looked up (retention.ts). */
export function project(record: CommittedRecord, before: RunningTotals): Change {
  const change = new Change(record, before);
  projectEvent(change, record);
  if (record.idempotency) {
    const { key, request_hash } = record.idempotency;
    const { position, timeMs: time } = record;
    const answer = answerOf(record.event, record);
    const row: IdempotencyRow = { request_hash, position, time, answer };
    change.put(idempotencyKey(record.actor, key), row);
  }
  return change.finish();
}

function projectEvent(change: Change, record: CommittedRecord): void {
  const { event } = record;
  switch (event.type) {
    case 'object.stored':
      storeObject(change, event, record);
      return;
    case 'object.patched':
      patchObject(change, event, record);
      return;
    case 'object.moved':
      moveObject(change, event, record);
      return;
    case 'object.deleted':
      deleteObject(change, event, record);
      return;
    case 'object.restored':
      restoreObject(change, event, record);
      return;
    case 'bucket.created':
    case 'bucket.updated':
    case 'bucket.emptied':
    case 'bucket.deleted':
    case 'bucket.switched':
      projectBucket(change, event, record);
      return;
    case 'token.used': {
      const { jti, bucket_uid, path, expires_at } = event;
      change.put(tokenUseKey(jti), { bucket_uid, path, expires_at });
      return;
    }
    case 'token.revoked':
      revoke(change, event, record);
      return;
    case 'consumer.defined':
      change.put(consumerKey(event, event.name), consumerAfter(event, record));
      return;
    case 'consumer.removed':
      change.remove(consumerKey(event, event.name));
      return;
    case 'webhook.defined':
      change.put(webhookKey(event.id), webhookAfter(event, record));
      return;
    case 'webhook.removed':
      change.remove(webhookKey(event.id));
      return;
    case 'store.opened':
    case 'request.answered':
    case 'retention.advanced':
    case 'checkpoint.signed':
      return;
    default:
      event satisfies never;
  }
}

/** As the service's methods name what they return. */
function answerOf(event: StoreEvent, at: CommittedAt): IdempotencyRow['answer'] {
  switch (event.type) {
    case 'object.stored':
    case 'object.patched':
    case 'object.moved':
      return { object: objectAfter(event, at) };
    case 'bucket.created':
    case 'bucket.updated':
      return { bucket: bucketAfter(event, at) };
    case 'bucket.emptied':
      return { deleted: event.count };
    case 'consumer.defined':
      return { consumer: consumerAfter(event, at) };
    case 'webhook.defined':
      return { webhook: webhookAfter(event, at) };
    case 'request.answered':
      return JSON.parse(event.answer) as IdempotencyRow['answer'];
    default:
      return {};
  }
}

function projectBucket(change: Change, event: BucketEvent, at: CommittedAt): void {
  const { name } = event.bucket;
  const row = bucketAfter(event, at);
  const moment = timelineKey(name, at.position);
  if (row) change.put(bucketKey(name), row);
  else change.remove(bucketKey(name));
  change.put(moment, row ?? { uid: event.bucket.uid, deleted: true });
  if (event.type !== 'bucket.created') change.expire({ before: moment });
  if (!row) change.expire({ key: moment });
  if ('old_keyspace' in event) {
    const cause = { type: event.type, position: at.position };
    drain(change, { bucket: event.bucket, keyspace: event.old_keyspace, cause });
  }
}

/**
 * The totals say whether there is anything to drain, for it is by them that the row goes again; the
 * record's own count is for those who read events.
 */
function drain(
  change: Change,
  {
    bucket,
    keyspace,
    cause,
  }: {
    readonly bucket: BucketFacts;
    readonly keyspace: KeyspaceId;
    readonly cause: Drain['cause'];
  },
): void {
  if (change.totalsOf(keyspace).count === 0) return;
  const row: Drain = { keyspace, bucket: bucketFacts(bucket), cause };
  change.put(drainKey(keyspace), row);
}

function revoke(change: Change, event: TokenRevoked, at: CommittedAt): void {
  const { type: _type, ...revocation } = event;
  change.put(revocationKey(event, at.position), revocation);
}

/** Buckets: create, read, list, update, empty, delete (B1–B5). */
import { type BucketRow, bucketAfter, noTotals } from '../domain/bucket.ts';
import {
  type BucketChanges,
  type BucketState,
  decideCreate,
  decideDeleteBucket,
  decideEmpty,
  decideUpdate,
  opensToOthers,
} from '../domain/bucket-decisions.ts';
import type { Ids } from '../domain/effects.ts';
import type { BucketEvent } from '../domain/events.ts';
import type { BucketName, BucketUid } from '../domain/names.ts';
import { type BucketCreators, seesBucket } from '../domain/policy.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import type { Views } from '../views/views.ts';
import type { Access } from './access.ts';
import { authorOf, type Commit, type CommitOutcome } from './commit.ts';
import type { Once } from './idempotency.ts';
import { bucketLock } from './locks.ts';
import type { BucketListing, Buckets, Call } from './service.ts';

export interface BucketParts {
  readonly views: Views;
  readonly commit: Commit;
  readonly access: Access;
  readonly ids: Ids;
  readonly bucketCreators: BucketCreators;
  /** Called once a keyspace was left behind with rows in it. */
  readonly drainSoon: () => void;
}

/** Each change is done once for each idempotency key. */
export function createBuckets(parts: BucketParts & { readonly once: Once }): Buckets {
  const { once } = parts;
  const buckets = createCases(parts);
  return {
    ...buckets,
    create: (call, name, settings) => once.run(call, () => buckets.create(call, name, settings)),
    update: (call, name, changes) => once.run(call, () => buckets.update(call, name, changes)),
    empty: (call, name) => once.run(call, () => buckets.empty(call, name)),
    remove: (call, name, options) => once.run(call, () => buckets.remove(call, name, options)),
  };
}

function createCases(parts: BucketParts): Buckets {
  const { views, access, ids, bucketCreators, drainSoon } = parts;
  const change = <E extends BucketEvent>(
    call: Call,
    name: BucketName,
    decide: (state: BucketState) => Result<E | undefined>,
  ) => changeBucket(parts, { call, name, decide });
  return {
    async create(call, name, settings) {
      const refusal = access(call, { action: 'bucket.create', bucketCreators });
      if (refusal) return refuse(refusal);
      const uid = ids.uuid() as BucketUid;
      const { caller } = call;
      const changed = await change(call, name, (state) =>
        decideCreate(state, { caller, name, settings, uid, bucketCreators }),
      );
      return changed.ok ? withBucket(changed.value) : changed;
    },

    async get(call, name) {
      const bucket = views.bucket(name);
      const refusal = access(call, { action: 'bucket.see', bucket });
      return refusal || !bucket ? refuse(refusal ?? rejection('NoSuchBucket')) : ok(bucket);
    },

    async list(call, listing) {
      const refusal = access(call, { action: 'bucket.list' });
      if (refusal) return refuse(refusal);
      const visible = (await views.buckets()).filter((bucket) => seesBucket(call.caller, bucket));
      return ok(arrange(visible, listing));
    },

    update: (call, name, changes) => update(parts, { call, name, changes }),

    async empty(call, name) {
      const refusal = access(call, { action: 'bucket.empty', bucket: views.bucket(name) });
      if (refusal) return refuse(refusal);
      const { caller } = call;
      const changed = await change(call, name, (state) => decideEmpty(state, { caller }));
      if (!changed.ok) return changed;
      drainSoon();
      const deleted = changed.value.events[0]?.count ?? 0;
      return ok({ deleted, position: changed.value.position });
    },

    async remove(call, name, { force }) {
      const refusal = access(call, { action: 'bucket.delete', bucket: views.bucket(name) });
      if (refusal) return refuse(refusal);
      const { caller } = call;
      const changed = await change(call, name, (state) =>
        decideDeleteBucket(state, { caller, force }),
      );
      if (!changed.ok) return changed;
      drainSoon();
      return ok({ position: changed.value.position });
    },
  };
}

function stateOf(views: Views, name: BucketName): BucketState {
  const bucket = views.bucket(name);
  return { bucket, totals: bucket ? views.totals(bucket.keyspace) : noTotals };
}

async function update(
  parts: BucketParts,
  request: {
    readonly call: Call;
    readonly name: BucketName;
    readonly changes: BucketChanges;
  },
): ReturnType<Buckets['update']> {
  const { views, access } = parts;
  const { call, name, changes } = request;
  const { caller } = call;
  const state = stateOf(views, name);
  const { bucket, totals } = state;
  const refusal = access(call, { action: 'bucket.update', bucket });
  if (refusal) return refuse(refusal);
  if (bucket && opensToOthers({ bucket, totals, changes })) {
    // Asked for the record of who widened it; decideUpdate says what a refused caller can do.
    access(call, { action: 'bucket.widen', bucket });
  }
  const early = decideUpdate(state, { caller, changes });
  if (!early.ok) return early;
  const decide = (now: BucketState) => decideUpdate(now, { caller, changes });
  const changed = await changeBucket(parts, { call, name, decide });
  if (!changed.ok) return changed;
  if (changed.value.events.length > 0) return withBucket(changed.value);
  const unchanged = views.bucket(name);
  return unchanged
    ? ok({ bucket: unchanged, position: changed.value.position })
    : refuse(rejection('NoSuchBucket'));
}

function changeBucket<E extends BucketEvent>(
  { commit, views }: BucketParts,
  change: {
    readonly call: Call;
    readonly name: BucketName;
    readonly decide: (state: BucketState) => Result<E | undefined>;
  },
): Promise<Result<CommitOutcome<E>>> {
  return commit<E>({
    ...authorOf(change.call),
    locks: [bucketLock(change.name, 'exclusive')],
    decide: () => {
      const decided = change.decide(stateOf(views, change.name));
      return decided.ok ? ok(decided.value ? [decided.value] : []) : decided;
    },
  });
}

function withBucket(outcome: CommitOutcome<BucketEvent>): Result<{
  readonly bucket: BucketRow;
  readonly position: CommitOutcome<BucketEvent>['position'];
}> {
  const { events, position, timeMs } = outcome;
  const bucket = events[0] && bucketAfter(events[0], { position, timeMs });
  if (!bucket) throw new Error('a created or updated bucket has no row');
  return ok({ bucket, position });
}

function arrange(buckets: readonly BucketRow[], listing: BucketListing): BucketRow[] {
  const { search, sortColumn, sortOrder, offset, limit } = listing;
  const wanted = search.toLowerCase();
  const column = sortColumn === 'id' ? 'name' : sortColumn;
  const sign = sortOrder === 'asc' ? 1 : -1;
  return buckets
    .filter((bucket) => bucket.name.toLowerCase().includes(wanted))
    .sort((left, right) => sign * compare(left[column], right[column]))
    .slice(offset, offset + limit);
}

function compare(left: string | number, right: string | number): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

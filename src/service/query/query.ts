/** The use cases of querying: who may, what of it, and the record of who looked past a policy. */
import type { BucketRow } from '../../domain/bucket.ts';
import { seesBucket } from '../../domain/policy.ts';
import { compareMarks, markOf } from '../../domain/query/order.ts';
import { matches } from '../../domain/query/query.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Moment, Views } from '../../views/views.ts';
import type { Access } from '../access.ts';
import type { Call } from '../service.ts';
import { type ObjectPage, pageOf, type QueryLimits } from './objects.ts';
import type { Explanation, Queries, QueryPage, QueryRequest } from './queries.ts';
import { Budget } from './rows.ts';
import { type Source, sourcesOf } from './sources.ts';

export interface QueryParts {
  readonly views: Views;
  readonly access: Access;
  readonly limits?: QueryLimits;
}

const usualLimits: QueryLimits = { scanRows: 10_000, sortRows: 100_000 };

export function createQueries(parts: QueryParts): Queries {
  const { views, access } = parts;
  return {
    async objects(call, request) {
      const refusal = refuseAnonymous(access, call) ?? refuseExplanation(call, request);
      if (refusal) return refuse(refusal);
      return views.read((moment) => queryObjects(parts, { call, request, moment }));
    },

    async buckets(call, request) {
      const refusal = access(call, { action: 'bucket.list' }) ?? refuseExplanation(call, request);
      if (refusal) return refuse(refusal);
      return ok(await views.read((moment) => queryBuckets(moment, call, request)));
    },
  };
}

/** Before any bucket is looked at; everyone else is shown what they may read, or nothing. */
function refuseAnonymous(access: Access, call: Call) {
  if (call.caller.kind !== 'anonymous') return undefined;
  return access(call, { action: 'object.list', bucket: undefined });
}

/** It tells of rows beyond the caller's own. */
function refuseExplanation({ caller }: Call, { explain }: QueryRequest) {
  if (!explain || caller.kind === 'service') return undefined;
  return rejection('AccessDenied', 'Only the service role may ask for "explain"');
}

async function queryObjects(
  { views, access, limits = usualLimits }: QueryParts,
  { call, request, moment }: { call: Call; request: QueryRequest; moment: Moment },
): Promise<Result<QueryPage<ObjectPage['rows'][number]>>> {
  const { query, limit, after, explain } = request;
  const { filters, order } = query;
  const sources = await sourcesOf(moment, call.caller, filters);
  const entered = new Set<Source>();
  const entering = (source: Source) => {
    if (entered.has(source)) return;
    entered.add(source);
    access(call, { action: 'object.list', bucket: source.bucket, ownsObjects: true });
  };
  const budget = new Budget(limits.scanRows);
  const asked = { filters, order, after };
  const countOf = ({ bucket }: Source) => views.totals(bucket.keyspace).count;
  const page = await pageOf({ moment, asked, budget, limits, limit, countOf, entering }, sources);
  if (!page.ok) return page;
  const { rows, next } = page.value;
  const explanation = explain
    ? explanationOf(page.value, { budget, buckets: entered.size })
    : undefined;
  return ok({ rows, next, ...(explanation ? { explanation } : {}) });
}

function explanationOf(
  { indexes, isSorted }: ObjectPage,
  { budget, buckets }: { readonly budget: Budget; readonly buckets: number },
): Explanation {
  return {
    index: indexes.size === 0 ? 'none' : [...indexes].sort().join('+'),
    order: isSorted ? 'sorted' : 'index',
    buckets,
    scanned: budget.scanned,
    budget: budget.rows,
  };
}

/** Buckets are few: all that the caller sees are read and sorted. */
async function queryBuckets(
  moment: Moment,
  { caller }: Call,
  { query, limit, after, explain }: QueryRequest,
): Promise<QueryPage<BucketRow>> {
  const { filters, order } = query;
  const all = await moment.buckets();
  const marked = all
    .filter((bucket) => seesBucket(caller, bucket))
    .map((bucket) => ({ bucket, row: bucketQueryRow(bucket) }))
    .filter(({ row }) => matches(filters, row))
    .map(({ bucket, row }) => ({ bucket, mark: markOf(order, row) }))
    .filter(({ mark }) => after === undefined || compareMarks(order, mark, after) > 0)
    .sort((left, right) => compareMarks(order, left.mark, right.mark));
  const rows = marked.slice(0, limit);
  const next = marked.length > limit ? rows.at(-1)?.mark : undefined;
  const explanation: Explanation = {
    index: 'name',
    order: 'sorted',
    buckets: all.length,
    scanned: all.length,
    budget: all.length,
  };
  return {
    rows: rows.map(({ bucket }) => bucket),
    next,
    ...(explain ? { explanation } : {}),
  };
}

function bucketQueryRow(bucket: BucketRow) {
  return { ...bucket, id: bucket.name, public: bucket.policy === 'public' };
}

/**
 * How a query's order can be had: from the keys of an index, bucket after bucket or buckets merged,
 * or by sorting. Pure; docs/api.md (Query) tells it to callers.
 */
import type { Filter } from '../../domain/query/filters.ts';
import type { Mark, Order, Term } from '../../domain/query/order.ts';
import { isColumn } from '../../domain/query/query.ts';
import type { WalkQuery } from '../../views/views.ts';
import { isBoundInTime, pathEdges, timeEdges } from './edges.ts';
import type { Source } from './sources.ts';

export interface Asked {
  readonly filters: readonly Filter[];
  readonly order: Order;
  readonly after: Mark | undefined;
}

/**
 * `in turn`: one bucket after the other, each by path. `merged`: all at once, each by the same index.
 * `sorted`: no index has the order.
 */
export type Ordering =
  | { readonly kind: 'in turn'; readonly direction: 'asc' | 'desc' }
  | { readonly kind: 'merged'; readonly index: 'path' | 'created_at' }
  | { readonly kind: 'sorted' };

/** More iterators than this are not held open at once. */
const maxMerged = 1_000;

export function orderingOf(order: Order, sources: readonly Source[]): Ordering {
  // Within one bucket its name decides nothing.
  const terms = sources.length > 1 ? order : order.filter((term) => !isOn(term, 'bucket_id'));
  const [first, second] = terms;
  if (isOn(first, 'bucket_id') && isOn(second, 'path')) {
    return { kind: 'in turn', direction: first?.direction ?? 'asc' };
  }
  if (sources.length > maxMerged) return { kind: 'sorted' };
  if (isOn(first, 'path')) return { kind: 'merged', index: 'path' };
  const byAge = isOn(first, 'created_at') && isOn(second, 'id');
  return byAge && first?.direction === second?.direction
    ? { kind: 'merged', index: 'created_at' }
    : { kind: 'sorted' };
}

function isOn(term: Term | undefined, column: string): boolean {
  return term !== undefined && isColumn(term.field, column);
}

/** The walk that has the source's rows in the order of the query; none where its index has another. */
export function orderedWalk(
  source: Source,
  asked: Asked,
  index: 'path' | 'created_at',
): WalkQuery | undefined {
  const { bucket, ownerId, isOpen } = source;
  const { filters, order, after } = asked;
  const at = order.findIndex((term) => isOn(term, index));
  const direction = order[at]?.direction ?? 'asc';
  const common = { keyspace: bucket.keyspace, direction };
  if (index === 'path') {
    const isElsewhere = after !== undefined && !isBehind(order, after, bucket.name);
    const edges = pathEdges(filters, { direction, at: isElsewhere ? undefined : after?.[at] });
    const by = ownerId === undefined ? byPath : ({ index: 'owner', ownerId } as const);
    return { ...common, by, ...edges };
  }
  // Its marks would tell of rows that the caller can't read.
  if (!isOpen) return undefined;
  const edges = timeEdges(filters, { direction, at: after?.[at], id: after?.[at + 1] });
  return { ...common, by: { index: 'created_at' }, ...edges };
}

const byPath = { index: 'path' } as const;

/** In turn, a mark's path counts in the mark's own bucket only. */
function isBehind(order: Order, after: Mark, name: string): boolean {
  const bucketAt = order.findIndex((term) => isOn(term, 'bucket_id'));
  const pathAt = order.findIndex((term) => isOn(term, 'path'));
  return bucketAt < 0 || bucketAt > pathAt || after[bucketAt] === name;
}

/** The walk over the fewest rows among which all of the source's are, in whatever order. */
export function narrowestWalk({ bucket, ownerId }: Source, filters: readonly Filter[]): WalkQuery {
  const common = { keyspace: bucket.keyspace, direction: 'asc' } as const;
  if (ownerId === undefined && isBoundInTime(filters)) {
    return { ...common, by: { index: 'created_at' }, ...timeEdges(filters) };
  }
  const edges = pathEdges(filters, { direction: 'asc', at: undefined });
  const by = ownerId === undefined ? byPath : ({ index: 'owner', ownerId } as const);
  return { ...common, by, ...edges };
}

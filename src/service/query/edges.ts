/**
 * How far filters on the path and on the creation time narrow a walk. Edges may be wider than the
 * filters, never narrower: every row is held against the filters again.
 */
import type { ObjectId } from '../../domain/names.ts';
import { compareText } from '../../domain/query/compare.ts';
import type { Filter } from '../../domain/query/filters.ts';
import type { Mark } from '../../domain/query/order.ts';
import { filtersOn } from '../../domain/query/query.ts';
import type { WalkEdge } from '../../views/views.ts';

export interface Edges {
  readonly from?: WalkEdge;
  readonly to?: WalkEdge;
}

/** Where the page before ended, in the order of the index: walks begin at it, and skip it. */
export interface Resume {
  readonly direction: 'asc' | 'desc';
  readonly at: Mark[number] | undefined;
  /** For `created_at`: the id behind the time. */
  readonly id?: Mark[number] | undefined;
}

export function pathEdges(filters: readonly Filter[], resume: Resume): Edges {
  let from: string | undefined;
  let to: WalkEdge | undefined;
  const raise = (path: string) => {
    if (from === undefined || compareText(path, from) > 0) from = path;
  };
  const lower = (at: string, edge: WalkEdge['edge']) => {
    if (to === undefined || compareText(at, String(to.at)) < 0) to = { at, edge };
  };
  for (const { operator, operands } of filtersOn(filters, 'path')) {
    const path = String(operands[0] ?? '');
    if (operator === 'eq' || operator === 'gt' || operator === 'gte') raise(path);
    if (operator === 'eq' || operator === 'lt' || operator === 'lte') lower(path, 'after');
    if (operator === 'like' && path !== '') {
      raise(path);
      lower(path, 'beyond');
    }
  }
  if (typeof resume.at === 'string') {
    if (resume.direction === 'asc') raise(resume.at);
    else lower(resume.at, 'after');
  }
  return {
    ...(from === undefined ? {} : { from: { at: from, edge: 'before' } }),
    ...(to === undefined ? {} : { to }),
  };
}

export function isBoundInTime(filters: readonly Filter[]): boolean {
  return filtersOn(filters, 'created_at').some(({ operator }) =>
    ['eq', 'gt', 'gte', 'lt', 'lte'].includes(operator),
  );
}

const maxMs = Number.MAX_SAFE_INTEGER;

export function timeEdges(filters: readonly Filter[], resume?: Resume): Edges {
  let [first, last] = [0, maxMs];
  for (const { operator, operands } of filtersOn(filters, 'created_at')) {
    const ms = Math.min(Math.max(Number(operands[0] ?? 0), 0), maxMs);
    if (operator === 'eq' || operator === 'gt' || operator === 'gte') {
      first = Math.max(first, Math.floor(ms));
    }
    if (operator === 'eq' || operator === 'lt' || operator === 'lte') {
      last = Math.min(last, Math.ceil(ms));
    }
  }
  const from: WalkEdge = { at: { createdAt: first }, edge: 'before' };
  const to: WalkEdge = { at: { createdAt: last }, edge: 'beyond' };
  if (typeof resume?.at !== 'number') return { from, to };
  const createdAt = Math.min(Math.max(resume.at, 0), maxMs);
  const id = typeof resume.id === 'string' ? { id: resume.id as ObjectId } : {};
  if (resume.direction === 'asc' && createdAt >= first) {
    return { from: { at: { createdAt, ...id }, edge: 'before' }, to };
  }
  if (resume.direction === 'desc' && createdAt <= last) {
    return { from, to: { at: { createdAt, ...id }, edge: 'beyond' } };
  }
  return { from, to };
}

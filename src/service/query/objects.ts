/**
 * A page of objects. Every way to it ends in the same loop: rows come in order, those that match are
 * taken, and the page ends with a mark when it is full or the budget is spent.
 *
 * Promises: rows and buckets are of one moment; only rows that the policy shows to the caller are
 * looked at; a request looks at no more rows than its budgets allow.
 */
import type { Mark } from '../../domain/query/order.ts';
import { matches } from '../../domain/query/query.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { WalkQuery } from '../../views/views.ts';
import { isBoundInTime } from './edges.ts';
import { narrowestWalk, orderedWalk, orderingOf } from './plan.ts';
import type { QueriedObject } from './queries.ts';
import {
  collectRows,
  type Marked,
  mergeRows,
  type Reading,
  type Rows,
  rowsAtHand,
  walkRows,
} from './rows.ts';
import type { Source } from './sources.ts';

export interface QueryLimits {
  /** Rows that one request looks at before it ends with a cursor. */
  readonly scanRows: number;
  /** Rows that one request reads in order to sort them. */
  readonly sortRows: number;
}

export interface ObjectPage {
  readonly rows: readonly QueriedObject[];
  readonly next: Mark | undefined;
  readonly indexes: ReadonlySet<string>;
  readonly isSorted: boolean;
}

export interface PageParts extends Reading {
  readonly limits: QueryLimits;
  readonly limit: number;
  /** How many rows a source's bucket holds, about. */
  readonly countOf: (source: Source) => number;
  /** Called before rows of a bucket are looked at. */
  readonly entering: (source: Source) => void;
}

export async function pageOf(
  parts: PageParts,
  sources: readonly Source[],
): Promise<Result<ObjectPage>> {
  const ordering = orderingOf(parts.asked.order, sources);
  const few = await fewRows(parts, { sources, isByAge: isByAge(ordering) });
  if (few) return finish(parts, few);
  if (ordering.kind === 'in turn') return inTurn(parts, sources, ordering.direction);
  const index = ordering.kind === 'merged' ? ordering.index : undefined;
  return merged(parts, sources, index);
}

function isByAge(ordering: ReturnType<typeof orderingOf>): boolean {
  return ordering.kind === 'merged' && ordering.index === 'created_at';
}

interface Prepared {
  readonly rows: Rows;
  readonly indexes: Set<string>;
  readonly isSorted: boolean;
}

/** Where filters leave few rows in the index on time or on the owner, those are read and sorted. */
async function fewRows(
  parts: PageParts,
  { sources, isByAge }: { readonly sources: readonly Source[]; readonly isByAge: boolean },
): Promise<Prepared | undefined> {
  const { filters } = parts.asked;
  const isNarrow = sources.every(({ ownerId }) => ownerId !== undefined);
  const useful = isByAge ? isNarrow : !isNarrow && isBoundInTime(filters);
  if (!useful || sources.length === 0 || sources.length > maxFewSources) return undefined;
  const all = await collectAll(parts, sources, maxFewRows);
  return all && sorted(parts, all);
}

const maxFewSources = 20;
const maxFewRows = 1_000;

interface Collected {
  readonly rows: readonly Marked[];
  readonly indexes: Set<string>;
}

async function collectAll(
  parts: PageParts,
  sources: readonly Source[],
  maxRows: number,
): Promise<Collected | undefined> {
  const { asked, limit, entering, budget, countOf } = parts;
  const rows: Marked[] = [];
  const indexes = new Set<string>();
  budget.collected = 0;
  for (const source of sources) {
    const walk = narrowestWalk(source, asked.filters);
    const isWhole = walk.by.index === 'path' && !walk.from && !walk.to;
    if (isWhole && budget.collected + countOf(source) > maxRows) return undefined;
    entering(source);
    indexes.add(walk.by.index);
    const found = await collectRows(parts, { source, walk }, { keep: limit + 1, maxRows });
    if (!found) return undefined;
    rows.push(...found);
  }
  return { rows, indexes };
}

function sorted({ asked }: PageParts, { rows, indexes }: Collected): Prepared {
  return { rows: rowsAtHand(asked.order, rows), indexes, isSorted: true };
}

/** The rows of each bucket by its index, all at once; what has no index in the order is sorted. */
async function merged(
  parts: PageParts,
  sources: readonly Source[],
  index: 'path' | 'created_at' | undefined,
): Promise<Result<ObjectPage>> {
  const walks: { readonly source: Source; readonly walk: WalkQuery }[] = [];
  const unordered: Source[] = [];
  for (const source of sources) {
    const walk = index && orderedWalk(source, parts.asked, index);
    if (walk) walks.push({ source, walk });
    else unordered.push(source);
  }
  const collected = await collectAll(parts, unordered, parts.limits.sortRows);
  if (!collected) return refuse(tooMuchToSort(parts.limits.sortRows));
  const { rows, indexes, isSorted } = sorted(parts, collected);
  const streams = walks.map(({ source, walk }) => {
    parts.entering(source);
    indexes.add(walk.by.index);
    return walkRows(parts, source, walk);
  });
  const all = unordered.length > 0 ? [rows, ...streams] : streams;
  const prepared = await mergeRows(parts.asked.order, all);
  return finish(parts, { rows: prepared, indexes, isSorted: isSorted && unordered.length > 0 });
}

function tooMuchToSort(maxRows: number) {
  return rejection(
    'InvalidRequest',
    `The parameter "order": no index has this order, and sorting would take more than ${maxRows} rows`,
    {
      hint: 'Narrow it by bucket_id, owner_id, path or created_at, or order by path or created_at.',
    },
  );
}

async function finish(
  parts: PageParts,
  { rows, indexes, isSorted }: Prepared,
): Promise<Result<ObjectPage>> {
  const page = new Page(parts);
  try {
    await page.fill(rows);
  } finally {
    await rows.close();
  }
  return ok({ rows: page.rows, next: page.next, indexes, isSorted });
}

/** One bucket after the other; a bucket is opened only when the page has room for its rows. */
async function inTurn(
  parts: PageParts,
  sources: readonly Source[],
  direction: 'asc' | 'desc',
): Promise<Result<ObjectPage>> {
  const { asked, budget } = parts;
  const indexes = new Set<string>();
  const page = new Page(parts);
  for (const source of direction === 'asc' ? sources : [...sources].reverse()) {
    if (isBefore(source, asked.after, direction)) continue;
    const walk = orderedWalk(source, asked, 'path');
    if (!walk) throw new Error('every bucket can be walked by path');
    if (budget.isSpent) {
      // Before all of its paths, which begin behind '' and, downwards, behind nothing.
      const path = walk.direction === 'asc' ? '' : null;
      page.end(
        asked.order.map((_term, at) => (at === 0 ? source.bucket.name : at === 1 ? path : null)),
      );
      break;
    }
    parts.entering(source);
    indexes.add(walk.by.index);
    const rows = walkRows(parts, source, walk);
    try {
      await page.fill(rows);
    } finally {
      await rows.close();
    }
    if (page.hasEnded) break;
  }
  return ok({ rows: page.rows, next: page.next, indexes, isSorted: false });
}

function isBefore(source: Source, after: Mark | undefined, direction: 'asc' | 'desc'): boolean {
  const name = after?.[0];
  if (typeof name !== 'string') return false;
  return direction === 'asc' ? source.bucket.name < name : source.bucket.name > name;
}

class Page {
  readonly rows: QueriedObject[] = [];
  next: Mark | undefined;
  readonly #parts: PageParts;
  #last: Mark | undefined;
  #looked = 0;

  constructor(parts: PageParts) {
    this.#parts = parts;
    this.#last = parts.asked.after;
  }

  get hasEnded(): boolean {
    return this.next !== undefined;
  }

  end(mark: Mark): void {
    this.next = mark;
  }

  /** Takes what matches until the rows end, the page is full and more is there, or the budget is spent. */
  async fill(rows: Rows): Promise<void> {
    const { asked, budget, limit } = this.#parts;
    for (;;) {
      // Each request gets on by a row at least.
      if (budget.isSpent && this.#looked > 0) {
        this.next = this.#last;
        return;
      }
      const marked = await rows.next();
      if (!marked) return;
      if (matches(asked.filters, marked.row)) {
        if (this.rows.length === limit) {
          this.next = this.#last;
          return;
        }
        this.rows.push(marked.row);
      }
      this.#last = marked.mark;
      this.#looked += 1;
    }
  }
}

/**
 * Rows in the order of a query, from walks that have that order and from rows that were sorted for it.
 * What is read is counted against a budget; whoever takes rows looks at it between two of them.
 */
import { compareMarks, type Mark, markOf, type Order } from '../../domain/query/order.ts';
import { matches } from '../../domain/query/query.ts';
import type { Moment, Walk, WalkQuery } from '../../views/views.ts';
import type { Asked } from './plan.ts';
import type { QueriedObject } from './queries.ts';
import type { Source } from './sources.ts';

export class Budget {
  scanned = 0;
  /** Rows sorted so far: they have a budget of their own. */
  collected = 0;
  spent = 0;
  readonly rows: number;

  constructor(rows: number) {
    this.rows = rows;
  }

  get isSpent(): boolean {
    return this.spent >= this.rows;
  }

  /** A walk begins: a seek costs as much as a few rows. */
  open(): void {
    this.spent += seekCost;
  }

  take(): void {
    this.spent += 1;
    this.scanned += 1;
  }
}

const seekCost = 4;

export interface Marked {
  readonly row: QueriedObject;
  readonly mark: Mark;
}

/** The next row in the order, behind the mark of the page before; undefined at the end. */
export interface Rows {
  next(): Promise<Marked | undefined>;
  close(): Promise<void>;
}

export interface Reading {
  readonly moment: Moment;
  readonly asked: Asked;
  readonly budget: Budget;
}

/** A source's rows in the order of `walk`, which is the query's. */
export function walkRows(reading: Reading, source: Source, query: WalkQuery): Rows {
  const { moment, budget, asked } = reading;
  const { order, after } = asked;
  budget.open();
  const walk = moment.walk(query);
  return {
    async next() {
      for (;;) {
        const row = await nextOf(walk, source);
        if (row === undefined) return undefined;
        budget.take();
        const mark = markOf(order, row);
        if (after === undefined || compareMarks(order, mark, after) > 0) return { row, mark };
      }
    },
    close: () => walk.close(),
  };
}

async function nextOf(walk: Walk, source: Source): Promise<QueriedObject | undefined> {
  const { bucket, ownerId, isOpen } = source;
  const row = await walk.next();
  if (row === undefined) return undefined;
  // The owner's index holds no others; if it ever did, no byte of them may leave.
  if (!isOpen && row.owner_id !== ownerId) throw new Error('a walk met a row of another owner');
  return { ...row, bucket_id: bucket.name };
}

/** All of several rows in one order. */
export async function mergeRows(order: Order, parts: readonly Rows[]): Promise<Rows> {
  if (parts.length === 1 && parts[0]) return parts[0];
  const heads: { readonly head: Marked; readonly rows: Rows }[] = [];
  const put = async (rows: Rows): Promise<void> => {
    const head = await rows.next();
    if (!head) return;
    const at = placeOf(order, heads, head.mark);
    heads.splice(at, 0, { head, rows });
  };
  let last: Rows | undefined;
  const close = async () => void (await Promise.all(parts.map((rows) => rows.close())));
  try {
    for (const rows of parts) await put(rows);
  } catch (fault) {
    await close();
    throw fault;
  }
  return {
    async next() {
      if (last) await put(last);
      const first = heads.shift();
      last = first?.rows;
      return first?.head;
    },
    close,
  };
}

function placeOf(order: Order, heads: readonly { readonly head: Marked }[], mark: Mark): number {
  let [low, high] = [0, heads.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = heads[middle]?.head.mark ?? mark;
    if (compareMarks(order, other, mark) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface Collecting {
  /** How many of the first rows are kept. */
  readonly keep: number;
  /** Of all that were collected for the request. */
  readonly maxRows: number;
}

/**
 * Reads a source to its end and keeps the first of the rows that match; undefined where that would
 * take more rows than allowed.
 */
export async function collectRows(
  reading: Reading,
  { source, walk: query }: { readonly source: Source; readonly walk: WalkQuery },
  { keep, maxRows }: Collecting,
): Promise<readonly Marked[] | undefined> {
  const { moment, asked, budget } = reading;
  const { order, after, filters } = asked;
  budget.collected += seekCost;
  const walk = moment.walk(query);
  const kept: { readonly head: Marked }[] = [];
  try {
    for (;;) {
      const row = await nextOf(walk, source);
      if (row === undefined) return kept.map(({ head }) => head);
      budget.scanned += 1;
      budget.collected += 1;
      if (budget.collected > maxRows) return undefined;
      if (!matches(filters, row)) continue;
      const mark = markOf(order, row);
      if (after !== undefined && compareMarks(order, mark, after) <= 0) continue;
      const at = placeOf(order, kept, mark);
      if (at >= keep) continue;
      kept.splice(at, 0, { head: { row, mark } });
      if (kept.length > keep) kept.pop();
    }
  } finally {
    await walk.close();
  }
}

/** Rows at hand, in order. */
export function rowsAtHand(order: Order, rows: readonly Marked[]): Rows {
  const sorted = [...rows].sort((left, right) => compareMarks(order, left.mark, right.mark));
  let at = 0;
  return {
    async next() {
      at += 1;
      return sorted[at - 1];
    },
    close: async () => {},
  };
}

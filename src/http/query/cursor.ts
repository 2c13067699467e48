/**
 * A query's cursor: the mark of the last row that was looked at, and a fingerprint of the query, for
 * in another order or under other filters the mark would mean something else. It is opaque and holds
 * nothing that its reader was not shown or might not ask for; what a caller invents is only a mark.
 */
import { createHash } from 'node:crypto';
import { isMarkOf, type Mark, type Order } from '../../domain/query/order.ts';

/** What must be the same on each page; `select` and `limit` may change. */
export interface CursorScope {
  readonly collection: string;
  readonly filters: readonly (readonly [name: string, text: string])[];
  readonly order: string;
}

export function encodeCursor(scope: CursorScope, mark: Mark): string {
  const text = JSON.stringify([fingerprintOf(scope), ...mark]);
  return Buffer.from(text, 'utf8').toString('base64url');
}

/** Undefined where it is none of this query's. */
export function decodeCursor(scope: CursorScope, order: Order, cursor: string): Mark | undefined {
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(values) || values[0] !== fingerprintOf(scope)) return undefined;
  const mark: unknown[] = values.slice(1);
  return isMarkOf(order, mark) ? mark : undefined;
}

function fingerprintOf({ collection, filters, order }: CursorScope): string {
  const sorted = filters.map((filter) => JSON.stringify(filter)).sort();
  const text = JSON.stringify([collection, order, sorted]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 12);
}

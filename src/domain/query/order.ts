/**
 * The order of rows: terms that compare one after the other and, completed, tell any two rows apart.
 * A mark is the values of a row's terms: the page after it begins with the first row that comes later
 * in the order, whatever was written in between.
 */
import { rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';
import type { QueryRow } from './columns.ts';
import { type Columns, type Field, fieldReader, parseField, shown, type Value } from './columns.ts';
import { compareValues } from './compare.ts';

export interface Term {
  readonly field: Field;
  readonly direction: 'asc' | 'desc';
}

export type Order = readonly Term[];
export type Mark = readonly Value[];

const maxTerms = 4;

/** `created_at.desc,path.asc`; '' is no order. */
export function parseOrder(columns: Columns, text: string): Result<Order> {
  const terms: Term[] = [];
  const names = new Set<string>();
  if (text === '') return ok(terms);
  for (const part of text.split(',', maxTerms + 1)) {
    const direction = part.endsWith('.desc') ? 'desc' : 'asc';
    const name = part.replace(/\.(?:asc|desc)$/, '');
    const field = parseField(columns, name);
    if (!field.ok) return refuse(inOrder(field.rejection.message));
    if (names.has(name)) return refuse(inOrder(`${shown(name)} stands there twice`));
    names.add(name);
    terms.push({ field: field.value, direction });
  }
  if (terms.length > maxTerms) return refuse(inOrder(`at most ${maxTerms} columns`));
  return ok(terms);
}

function inOrder(message = 'is not valid') {
  return rejection('InvalidRequest', `The parameter "order": ${message}`, {
    hint: 'Write columns as in order=created_at.desc,path.asc.',
  });
}

const term = (column: string, direction: Term['direction']): Term => ({
  field: { column, kind: 'text', keys: [], asText: false },
  direction,
});

/** With the terms that make it total: objects by bucket and path, or by id behind anything else. */
export function totalObjectOrder(order: Order): Order {
  const has = (column: string) => order.some(({ field }) => field.column === column);
  const last = order.at(-1)?.direction ?? 'asc';
  if (order.length === 0) return [term('bucket_id', 'asc'), term('path', 'asc')];
  if (has('id') || (has('bucket_id') && has('path'))) return order;
  if (order.length === 1 && has('path')) return [...order, term('bucket_id', last)];
  if (order.length === 1 && has('bucket_id')) return [...order, term('path', last)];
  return [...order, term('id', last)];
}

export function totalBucketOrder(order: Order): Order {
  const isTotal = order.some(({ field }) => field.column === 'id' || field.column === 'name');
  return isTotal ? order : [...order, term('name', order.at(-1)?.direction ?? 'asc')];
}

export function markOf(order: Order, row: QueryRow): Mark {
  const read = fieldReader(row);
  return order.map(({ field }) => read(field));
}

/** Below zero where the row with the mark `left` comes first. */
export function compareMarks(order: Order, left: Mark, right: Mark): number {
  for (const [index, { direction }] of order.entries()) {
    const compared = compareValues(left[index] ?? null, right[index] ?? null);
    if (compared !== 0) return direction === 'asc' ? compared : -compared;
  }
  return 0;
}

/** True where `values` could be the mark of a row: what came from outside is not trusted to be. */
export function isMarkOf(order: Order, values: readonly unknown[]): values is Mark {
  return values.length === order.length && order.every(({ field }, at) => fits(field, values[at]));
}

function fits({ kind }: Field, value: unknown): boolean {
  if (value === null) return true;
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'number':
    case 'time':
      return Number.isSafeInteger(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'member':
      return ['string', 'number', 'boolean'].includes(typeof value);
    default:
      return kind satisfies never;
  }
}

/** A whole query: filters that must all hold, an order, and the columns to show. */
import { rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';
import {
  type Collection,
  columnsOf,
  type Field,
  fieldReader,
  type QueryRow,
  shown,
} from './columns.ts';
import { type Filter, parseFilter } from './filters.ts';
import { type Order, parseOrder, totalBucketOrder, totalObjectOrder } from './order.ts';

export interface Query {
  readonly filters: readonly Filter[];
  /** Total: no two rows are equal in it. */
  readonly order: Order;
  /** The columns to show, in the order in which they were asked for. */
  readonly select: readonly string[];
}

export interface QueryText {
  readonly collection: Collection;
  readonly filters: readonly (readonly [name: string, text: string])[];
  readonly order: string;
  /** Undefined or `*` for every column. */
  readonly select: string | undefined;
  /** What `me` stands for; null where the caller has no id. */
  readonly me: string | null;
}

const maxFilters = 100;

export function parseQuery(text: QueryText): Result<Query> {
  const { collection, me } = text;
  const columns = columnsOf(collection);
  const filters: Filter[] = [];
  for (const [name, condition] of text.filters) {
    const filter = parseFilter(name, condition, { columns, me });
    if (!filter.ok) return filter;
    filters.push(filter.value);
    if (filters.length > maxFilters) {
      return refuse(
        rejection('InvalidRequest', `At ${shown(name)}: a query has at most ${maxFilters} filters`),
      );
    }
  }
  const order = parseOrder(columns, text.order);
  if (!order.ok) return order;
  const select = parseSelect(collection, text.select);
  if (!select.ok) return select;
  const total = collection === 'storage_objects' ? totalObjectOrder : totalBucketOrder;
  return ok({ filters, order: total(order.value), select: select.value });
}

function parseSelect(collection: Collection, text: string | undefined): Result<readonly string[]> {
  const columns = columnsOf(collection);
  if (text === undefined || text === '*') return ok([...columns.keys()]);
  const names = text.split(',', columns.size + 1);
  const unknown = names.find((name) => !columns.has(name));
  if (unknown !== undefined) {
    return refuse(
      rejection('InvalidRequest', `The parameter "select": unknown column ${shown(unknown)}`),
    );
  }
  if (names.length > columns.size) {
    return refuse(rejection('InvalidRequest', 'The parameter "select" names a column twice'));
  }
  return ok([...new Set(names)]);
}

/** True where every filter holds for the row. */
export function matches(filters: readonly Filter[], row: QueryRow): boolean {
  const read = fieldReader(row);
  return filters.every((filter) => filter.matches(read(filter.field)));
}

/** The filters on a column itself, not on what is inside of it. */
export function filtersOn(filters: readonly Filter[], column: string): readonly Filter[] {
  return filters.filter(({ field }) => isColumn(field, column));
}

export function isColumn(field: Field, column: string): boolean {
  return field.column === column && field.kind !== 'member';
}

/** Queries over all buckets that the caller can read from. */
import type { BucketQuery, ObjectQuery } from '../http/openapi/answer-schemas.ts';
import type { Transport } from './transport.ts';

export interface QueryOptions {
  /** Conditions by column, all of which must hold: `{ size: ['gte.1', 'lt.100'], owner_id: 'eq.me' }`. */
  readonly where?: Readonly<Record<string, string | readonly string[]>>;
  /** `created_at.desc`, or several with commas between them. */
  readonly order?: string;
  /** Columns; all where left out. */
  readonly select?: readonly string[];
  /** Of a page; the iterator goes on to the last one. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

type Paged = QueryOptions & { readonly cursor?: string };
export type QueriedObject = ObjectQuery['rows'][number];
export type QueriedBucket = BucketQuery['rows'][number];

export interface Query {
  /** Every row, page after page. */
  objects(options?: QueryOptions): AsyncGenerator<QueriedObject, void>;
  buckets(options?: QueryOptions): AsyncGenerator<QueriedBucket, void>;
  /** One page; it may be empty and still have a next one. */
  objectPage(options?: Paged): Promise<ObjectQuery>;
  bucketPage(options?: Paged): Promise<BucketQuery>;
}

export function createQuery(transport: Transport): Query {
  const page = <T>(collection: string, options: Paged = {}) => {
    const { where = {}, select, signal, ...rest } = options;
    const query = { ...where, ...rest, select: select?.join(',') };
    return transport.json<T>(`/query/${collection}`, { query, signal });
  };
  const objectPage: Query['objectPage'] = (options) => page('storage_objects', options);
  const bucketPage: Query['bucketPage'] = (options) => page('storage_buckets', options);
  return {
    objects: (options = {}) => every(objectPage, options),
    buckets: (options = {}) => every(bucketPage, options),
    objectPage,
    bucketPage,
  };
}

async function* every<Row>(
  page: (
    options: Paged,
  ) => Promise<{ readonly rows: readonly Row[]; readonly next_cursor: string | null }>,
  options: QueryOptions,
): AsyncGenerator<Row, void> {
  let cursor: string | null | undefined;
  do {
    const { rows, next_cursor } = await page(cursor ? { ...options, cursor } : options);
    yield* rows;
    cursor = next_cursor;
  } while (cursor);
}

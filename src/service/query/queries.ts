/** Queries over objects and buckets (M2), as the doors see them. */
import type { BucketRow } from '../../domain/bucket.ts';
import type { BucketName } from '../../domain/names.ts';
import type { ObjectRow } from '../../domain/object.ts';
import type { Mark } from '../../domain/query/order.ts';
import type { Query } from '../../domain/query/query.ts';
import type { Result } from '../../domain/result.ts';
import type { Call } from '../service.ts';

export interface QueryRequest {
  readonly query: Query;
  /** Rows of a page, at most. */
  readonly limit: number;
  /** The end of the page before. */
  readonly after?: Mark;
  /** Tell how it was done; for the service role. */
  readonly explain: boolean;
}

export interface QueryPage<Row> {
  readonly rows: readonly Row[];
  /** Undefined at the end. A page may be empty and have one: the work of one request is bounded. */
  readonly next: Mark | undefined;
  readonly explanation?: Explanation;
}

export interface Explanation {
  /** The indexes that were read, joined by "+"; "none" where nothing was. */
  readonly index: string;
  /** Rows come in the order of the index, or were sorted. */
  readonly order: 'index' | 'sorted';
  readonly buckets: number;
  /** Rows that were looked at. */
  readonly scanned: number;
  /** After how many rows a request ends with a cursor. */
  readonly budget: number;
}

export type QueriedObject = ObjectRow & { readonly bucket_id: BucketName };

export interface Queries {
  objects(call: Call, request: QueryRequest): Promise<Result<QueryPage<QueriedObject>>>;
  buckets(call: Call, request: QueryRequest): Promise<Result<QueryPage<BucketRow>>>;
}

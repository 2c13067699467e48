/** GET /query/storage_objects and /query/storage_buckets: filters in, a page of rows out. */
import { callerId } from '../../domain/caller.ts';
import type { Collection } from '../../domain/query/columns.ts';
import type { Mark } from '../../domain/query/order.ts';
import { parseQuery as parseFilters, type Query } from '../../domain/query/query.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { QueriedObject, QueryPage, QueryRequest } from '../../service/query/queries.ts';
import type { HttpParts } from '../app.ts';
import { bucketJson, objectJson } from '../representations.ts';
import type { Request, Route } from '../route.ts';
import { parseQuery } from '../schemas.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { type CursorScope, decodeCursor, encodeCursor } from './cursor.ts';
import { queryParameters } from './schemas.ts';

type Shown = Readonly<Record<string, unknown>>;

export function queryRoutes({ service }: HttpParts): Route[] {
  return [
    route('storage_objects', async (request) => {
      const asked = parse('storage_objects', request);
      if (!asked.ok) return asked;
      const page = await service.queries.objects(request.call, asked.value.request);
      return page.ok ? ok(answerOf(page.value, asked.value, objectRow)) : page;
    }),
    route('storage_buckets', async (request) => {
      const asked = parse('storage_buckets', request);
      if (!asked.ok) return asked;
      const page = await service.queries.buckets(request.call, asked.value.request);
      return page.ok ? ok(answerOf(page.value, asked.value, bucketJson)) : page;
    }),
  ];
}

function route(
  collection: Collection,
  handle: (request: Request) => Promise<Result<Answer>>,
): Route {
  const prefix = `/storage/v1/query/${collection}`;
  return { prefix, tail: 'nothing', methods: { GET: { access: 'signed in', handle } } };
}

interface Parsed {
  readonly query: Query;
  readonly scope: CursorScope;
  readonly request: QueryRequest;
}

const ownNames: ReadonlySet<string> = new Set(Object.keys(queryParameters.shape));

function parse(collection: Collection, { query: asked, call }: Request): Result<Parsed> {
  if (asked.has('as_of')) {
    return refuse(rejection('InvalidRequest', '"as_of" is not available yet'));
  }
  const parameters = parseQuery(queryParameters, asked);
  if (!parameters.ok) return parameters;
  const { select, order, limit, cursor, explain } = parameters.value;
  const filters = [...asked].filter(([name]) => !ownNames.has(name));
  const me = callerId(call.caller);
  const query = parseFilters({ collection, filters, order, select, me });
  if (!query.ok) return query;
  const scope = { collection, filters, order };
  const after = cursor === undefined || cursor === '' ? 'none' : markOf(query.value, scope, cursor);
  if (after === undefined) {
    return refuse(
      rejection('InvalidRequest', 'The parameter "cursor" is not a cursor of this query', {
        hint: 'Repeat filters and order as they were; only "limit" and "select" may change.',
      }),
    );
  }
  const request = { query: query.value, limit, explain };
  return ok({
    query: query.value,
    scope,
    request: after === 'none' ? request : { ...request, after },
  });
}

function markOf(query: Query, scope: CursorScope, cursor: string): Mark | undefined {
  return decodeCursor(scope, query.order, cursor);
}

function objectRow(row: QueriedObject): Shown {
  const { bucket, ...object } = objectJson(row.bucket_id, row);
  return { ...object, bucket_id: bucket };
}

function answerOf<Row>(
  { rows, next, explanation }: QueryPage<Row>,
  { query, scope }: Parsed,
  show: (row: Row) => Shown,
): Answer {
  return jsonAnswer({
    rows: rows.map((row) => selected(show(row), query.select)),
    next_cursor: next === undefined ? null : encodeCursor(scope, next),
    ...(explanation === undefined ? {} : { explain: explanation }),
  });
}

function selected(row: Shown, columns: readonly string[]): Shown {
  return Object.fromEntries(columns.map((column) => [column, row[column]]));
}

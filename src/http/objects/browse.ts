/** The lists of storage-js: of a folder, by offset (`list`), and of a tree, by cursor (`listV2`). */
import type { BucketName } from '../../domain/names.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { BrowseMark, BrowsePage } from '../../views/views.ts';
import type { HttpParts } from '../app.ts';
import { folderRow, storageRow } from '../representations.ts';
import type { Request } from '../route.ts';
import { parseBody } from '../schemas.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { bucketNameOf } from '../wire/raw-path.ts';
import { readOptional } from './bodies.ts';
import { folderListBody, type TreeListBody, treeListBody } from './schemas.ts';

const delimiter = '/';

export async function listFolder(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const bucket = bucketNameOf(request.rest);
  if (!bucket.ok) return bucket;
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(folderListBody, json.value);
  if (!body.ok) return body;
  const { limit, offset, search, sortBy } = body.value;
  const prefix = folderOf(body.value.prefix);
  const page = await parts.service.objects.browse(request.call, {
    bucket: bucket.value,
    prefix,
    delimiter,
    search,
    by: columns[sortBy.column],
    order: sortBy.order,
    offset,
    limit,
  });
  if (!page.ok) return page;
  const rows = page.value.entries.map((entry) =>
    entry.kind === 'prefix'
      ? folderRow(entry.value.slice(prefix.length, -delimiter.length))
      : storageRow(bucket.value, entry.row, entry.row.path.slice(prefix.length)),
  );
  return ok(jsonAnswer(rows));
}

/** Reads are not recorded, so the last access that is known is the last change. */
const columns = {
  name: 'path',
  created_at: 'created_at',
  updated_at: 'updated_at',
  last_accessed_at: 'updated_at',
} as const;

function folderOf(prefix: string): string {
  return prefix === '' || prefix.endsWith(delimiter) ? prefix : prefix + delimiter;
}

export async function listTree(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const bucket = bucketNameOf(request.rest);
  if (!bucket.ok) return bucket;
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(treeListBody, json.value);
  if (!body.ok) return body;
  const { cursor, sortBy } = body.value;
  const after = cursor === undefined || cursor === '' ? undefined : decodeCursor(cursor, sortBy);
  if (after === 'invalid') {
    return refuse(rejection('InvalidRequest', 'The field "cursor" is not a cursor of this list'));
  }
  const page = await readTree(parts, request, { ...body.value, bucket: bucket.value, after });
  if (!page.ok) return page;
  const { entries, next } = page.value;
  const folders = entries.flatMap((entry) => (entry.kind === 'prefix' ? [entry.value] : []));
  const objects = entries.flatMap((entry) => (entry.kind === 'object' ? [entry.row] : []));
  return ok(
    jsonAnswer({
      hasNext: next !== undefined,
      ...(next ? { nextCursor: encodeCursor(next, sortBy) } : {}),
      folders: folders.map((name) => ({ key: name.slice(0, -delimiter.length), name })),
      objects: objects.map((row) => storageRow(bucket.value, row)),
    }),
  );
}

interface TreeListing extends Pick<TreeListBody, 'prefix' | 'limit' | 'with_delimiter' | 'sortBy'> {
  readonly bucket: BucketName;
  readonly after: BrowseMark | undefined;
}

function readTree(
  { service }: HttpParts,
  { call }: Request,
  { bucket, prefix, limit, with_delimiter, sortBy, after }: TreeListing,
): Promise<Result<BrowsePage>> {
  return service.objects.browse(call, {
    bucket,
    prefix,
    search: '',
    by: columns[sortBy.column],
    order: sortBy.order,
    offset: 0,
    limit,
    ...(with_delimiter ? { delimiter } : {}),
    ...(after ? { after } : {}),
  });
}

type SortBy = TreeListBody['sortBy'];

/** A cursor belongs to the order in which it was made. */
function encodeCursor({ kind, value, time }: BrowseMark, { column, order }: SortBy): string {
  const words = [column, order, kind, time, value];
  return Buffer.from(JSON.stringify(words), 'utf8').toString('base64url');
}

function decodeCursor(cursor: string, sortBy: SortBy): BrowseMark | 'invalid' {
  let words: unknown;
  try {
    words = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return 'invalid';
  }
  if (!Array.isArray(words)) return 'invalid';
  const [, , kind, time, value] = words as unknown[];
  if (kind !== 'path' && kind !== 'prefix') return 'invalid';
  if (typeof value !== 'string' || value === '' || !Number.isSafeInteger(time)) return 'invalid';
  const mark: BrowseMark = { kind, value, time: Number(time) };
  // What does not come out as it went in was not made here.
  return encodeCursor(mark, sortBy) === cursor ? mark : 'invalid';
}

/** GET /object/list/{bucket}: a page of objects and common prefixes, and an opaque cursor to the next. */
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { ListMark } from '../../views/views.ts';
import type { HttpParts } from '../app.ts';
import { objectText } from '../representations.ts';
import type { Request } from '../route.ts';
import { objectListQuery, parseQuery } from '../schemas.ts';
import { type Answer, jsonTextAnswer } from '../wire/answer.ts';
import { jsonText } from '../wire/json-text.ts';
import { bucketNameOf } from '../wire/raw-path.ts';

export async function list(
  { service }: HttpParts,
  { call, rest, query }: Request,
): Promise<Result<Answer>> {
  const bucket = bucketNameOf(rest);
  if (!bucket.ok) return bucket;
  if (query.has('as_of'))
    return refuse(rejection('InvalidRequest', '"as_of" is not available yet'));
  const asked = parseQuery(objectListQuery, query);
  if (!asked.ok) return asked;
  const { prefix, delimiter, limit, cursor } = asked.value;
  const after = cursor === undefined || cursor === '' ? undefined : decodeCursor(cursor);
  if (after === 'invalid') {
    return refuse(
      rejection('InvalidRequest', 'The parameter "cursor" is not a cursor of this list'),
    );
  }
  const page = await service.objects.list(call, {
    bucket: bucket.value,
    prefix,
    limit,
    ...(delimiter === '' ? {} : { delimiter }),
    ...(after === undefined ? {} : { after }),
  });
  if (!page.ok) return page;
  const { objects, prefixes, next } = page.value;
  const rows = objects.map((row) => objectText(bucket.value, row)).join(',');
  const cursorText = jsonText(next === undefined ? null : encodeCursor(next));
  return ok(
    jsonTextAnswer(
      `{"objects":[${rows}],"prefixes":${JSON.stringify(prefixes)},"next_cursor":${cursorText}}`,
    ),
  );
}

const letters: Readonly<Record<ListMark['kind'], string>> = { path: 'o', prefix: 'p' };

function encodeCursor({ kind, value }: ListMark): string {
  return Buffer.from(letters[kind] + value, 'utf8').toString('base64url');
}

function decodeCursor(cursor: string): ListMark | 'invalid' {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const value = text.slice(1);
  for (const kind of ['path', 'prefix'] as const) {
    // What does not come out as it went in was not made here.
    const isOurs = text.startsWith(letters[kind]) && encodeCursor({ kind, value }) === cursor;
    if (isOurs && value !== '') return { kind, value };
  }
  return 'invalid';
}

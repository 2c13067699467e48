/** DELETE of one object, and of many in one frame. */
import { type ObjectPath, parseObjectPath } from '../../domain/names.ts';
import { ok, type Result } from '../../domain/result.ts';
import type { HttpParts } from '../app.ts';
import { keyedCall } from '../idempotency.ts';
import { positionHeader, storageRow } from '../representations.ts';
import type { Request } from '../route.ts';
import { ofField, parseBody } from '../schemas.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { bucketNameOf, objectKeyOf } from '../wire/raw-path.ts';
import { readNothing, readRequired } from './bodies.ts';
import { expectedOf } from './conditions.ts';
import { removeManyBody } from './schemas.ts';

export async function remove(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const { exchange, rest } = request;
  const key = objectKeyOf(rest);
  if (!key.ok) return key;
  const expected = expectedOf(exchange.incoming.headers);
  if (!expected.ok) return expected;
  const body = await readNothing(parts, request);
  if (!body.ok) return body;
  const call = await keyedCall(request, [expected.value]);
  if (!call.ok) return call;
  const removed = await parts.service.objects.remove(call.value, key.value, expected.value);
  if (!removed.ok) return removed;
  const headers = positionHeader(removed.value.position);
  return ok(jsonAnswer({ message: 'Successfully deleted' }, { headers }));
}

/** 1,000 paths of 1,024 bytes, each byte escaped, still fit. */
const manyPathsBytes = 4 * 1024 * 1024;

export async function removeMany(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const bucket = bucketNameOf(request.rest);
  if (!bucket.ok) return bucket;
  const maxBytes = Math.max(manyPathsBytes, parts.settings.jsonBodyBytes);
  const json = await readRequired(parts, request, maxBytes);
  if (!json.ok) return json;
  const body = parseBody(removeManyBody, json.value);
  if (!body.ok) return body;
  const paths = parsePaths(body.value.prefixes);
  if (!paths.ok) return paths;
  const call = await keyedCall(request, [json.value]);
  if (!call.ok) return call;
  const removed = await parts.service.objects.removeMany(call.value, bucket.value, paths.value);
  if (!removed.ok) return removed;
  const { rows, deleted, skipped, position } = removed.value;
  const headers = {
    ...positionHeader(position),
    'x-aerostore-deleted': String(deleted),
    'x-aerostore-skipped': String(skipped),
  };
  return ok(
    jsonAnswer(
      rows.map((row) => storageRow(bucket.value, row)),
      { headers },
    ),
  );
}

/** A path that can't be one is a fault of the request: nothing of it is done. */
function parsePaths(texts: readonly string[]): Result<ObjectPath[]> {
  const paths: ObjectPath[] = [];
  for (const [index, text] of texts.entries()) {
    const path = ofField(`prefixes.${index}`, parseObjectPath(text));
    if (!path.ok) return path;
    paths.push(path.value);
  }
  return ok(paths);
}

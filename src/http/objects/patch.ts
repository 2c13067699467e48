/** PATCH of an object: what can be changed without an upload. */
import type { IncomingHttpHeaders } from 'node:http';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { metadataOf } from '../../domain/values/metadata.ts';
import type { Patch } from '../../service/service.ts';
import type { HttpParts } from '../app.ts';
import { keyedCall } from '../idempotency.ts';
import { etagHeader, objectJson, positionHeader } from '../representations.ts';
import type { Request } from '../route.ts';
import { parseBody } from '../schemas.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { objectKeyOf } from '../wire/raw-path.ts';
import { readRequired } from './bodies.ts';
import { expectedOf } from './conditions.ts';
import { type PatchBody, patchBody } from './schemas.ts';
import { faultOfText } from './upload-headers.ts';

export async function patch(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const key = objectKeyOf(request.rest);
  if (!key.ok) return key;
  const conditions = conditionsOf(request.exchange.incoming.headers);
  if (!conditions.ok) return conditions;
  const json = await readRequired(parts, request);
  if (!json.ok) return json;
  const body = parseBody(patchBody, json.value);
  if (!body.ok) return body;
  const changes = changesOf(body.value);
  if (!changes.ok) return changes;
  const call = await keyedCall(request, [conditions.value, json.value]);
  if (!call.ok) return call;
  const asked: Patch = { changes: changes.value, ...conditions.value };
  const patched = await parts.service.objects.patch(call.value, key.value, asked);
  if (!patched.ok) return patched;
  const { object, position } = patched.value;
  const headers = { ...positionHeader(position), etag: etagHeader(object) };
  return ok(jsonAnswer(objectJson(key.value.bucket, object), { headers }));
}

function conditionsOf(headers: IncomingHttpHeaders): Result<Omit<Patch, 'changes'>> {
  const expected = expectedOf(headers);
  if (!expected.ok) return expected;
  const ifVersion = headers['if-version'];
  if (ifVersion === '' || Array.isArray(ifVersion)) {
    return refuse(rejection('InvalidRequest', 'The header "if-version" is empty or repeated'));
  }
  return ok({ ...expected.value, ifVersion });
}

function changesOf(body: PatchBody): Result<Patch['changes']> {
  const { cache_control, content_type } = body;
  for (const name of ['cache_control', 'content_type'] as const) {
    const fault = faultOfText(body[name] ?? '', `The field "${name}"`);
    if (fault) return refuse(fault);
  }
  const metadata = metadataField(body);
  if (!metadata.ok) return metadata;
  return ok({
    ...metadata.value,
    ...(cache_control === undefined ? {} : { cache_control }),
    ...(content_type === undefined ? {} : { content_type }),
  });
}

function metadataField({ metadata }: PatchBody): Result<Pick<Patch['changes'], 'metadata'>> {
  if (metadata === undefined) return ok({});
  if (metadata === null) return ok({ metadata: null });
  const text = metadataOf(metadata);
  return text.ok ? ok({ metadata: text.value }) : text;
}

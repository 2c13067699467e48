/** POST /object/copy and /object/move, as storage-js sends them. */

import { parseBucketName, parseObjectPath } from '../../domain/names.ts';
import type { ObjectRow } from '../../domain/object.ts';
import { ok, type Result } from '../../domain/result.ts';
import { metadataOf } from '../../domain/values/metadata.ts';
import type { ChangedObject, ObjectKey, Transfer } from '../../service/service.ts';
import type { HttpParts } from '../app.ts';
import { keyedCall } from '../idempotency.ts';
import { etagHeader, objectJson, positionHeader } from '../representations.ts';
import type { Request } from '../route.ts';
import { ofField, parseBody } from '../schemas.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { readRequired } from './bodies.ts';
import { type TransferBody, transferBody } from './schemas.ts';
import { upsertHeader } from './upload-headers.ts';

export async function copy(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const asked = await transferOf(parts, request);
  if (!asked.ok) return asked;
  const { call, transfer } = asked.value;
  const copied = await parts.service.objects.copy(call, transfer);
  return copied.ok ? ok(copyAnswer(transfer.target, copied.value)) : copied;
}

export async function move(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const asked = await transferOf(parts, request);
  if (!asked.ok) return asked;
  const { call, transfer } = asked.value;
  const moved = await parts.service.objects.move(call, transfer);
  if (!moved.ok) return moved;
  const { object, position } = moved.value;
  const body = {
    message: 'Successfully moved',
    ...objectJson(transfer.target.bucket, object),
  };
  return ok(jsonAnswer(body, { headers: objectHeaders(object, position) }));
}

function copyAnswer({ bucket, path }: ObjectKey, { object, position }: ChangedObject): Answer {
  const body = { ...objectJson(bucket, object), Id: object.id, Key: `${bucket}/${path}` };
  return jsonAnswer(body, { headers: objectHeaders(object, position) });
}

function objectHeaders(object: ObjectRow, position: number) {
  return { ...positionHeader(position), etag: etagHeader(object) };
}

async function transferOf(parts: HttpParts, request: Request) {
  const overwrite = upsertHeader(request.exchange.incoming.headers, false);
  if (!overwrite.ok) return overwrite;
  const json = await readRequired(parts, request);
  if (!json.ok) return json;
  const body = parseBody(transferBody, json.value);
  if (!body.ok) return body;
  const transfer = parseTransfer(body.value, overwrite.value);
  if (!transfer.ok) return transfer;
  const call = await keyedCall(request, [overwrite.value, json.value]);
  return call.ok ? ok({ call: call.value, transfer: transfer.value }) : call;
}

function parseTransfer(body: TransferBody, overwrite: boolean): Result<Transfer> {
  const from = ofField('bucketId', parseBucketName(body.bucketId));
  if (!from.ok) return from;
  const named = parseBucketName(body.destinationBucket ?? body.bucketId);
  const to = ofField('destinationBucket', named);
  if (!to.ok) return to;
  const sourcePath = ofField('sourceKey', parseObjectPath(body.sourceKey));
  if (!sourcePath.ok) return sourcePath;
  const targetPath = ofField('destinationKey', parseObjectPath(body.destinationKey));
  if (!targetPath.ok) return targetPath;
  const metadata = metadataField(body);
  if (!metadata.ok) return metadata;
  return ok({
    source: { bucket: from.value, path: sourcePath.value },
    target: { bucket: to.value, path: targetPath.value },
    overwrite,
    ...metadata.value,
  });
}

/** The source's metadata goes along, unless it is left behind or replaced. */
function metadataField({
  metadata,
  copyMetadata = true,
}: TransferBody): Result<Pick<Transfer, 'metadata'>> {
  if (metadata === undefined) return ok(copyMetadata ? {} : { metadata: null });
  if (metadata === null) return ok({ metadata: null });
  const text = metadataOf(metadata);
  return text.ok ? ok({ metadata: text.value }) : text;
}

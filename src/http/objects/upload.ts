/**
 * POST and PUT of an object: decided by what the headers say before a byte is read, then streamed.
 *
 * Promises: a refused upload's body is not read; what the digest says is checked before the commit;
 * a client that leaves ends the upload.
 */
import { createHash, type Hash } from 'node:crypto';
import type { ByteStream } from '../../blobs/blob-store.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { essenceOf } from '../../domain/values/mime.ts';
import type { Changed, ObjectKey, UploadBody, UploadIntent } from '../../service/service.ts';
import type { HttpParts } from '../app.ts';
import { keyedCall } from '../idempotency.ts';
import { etagHeader, objectJson, positionHeader } from '../representations.ts';
import type { Request } from '../route.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { objectKeyOf } from '../wire/raw-path.ts';
import { boundaryOf, openForm, type UploadForm } from './multipart.ts';
import { type UploadHeaders, type UploadMode, uploadHeaders } from './upload-headers.ts';

/** How much longer than its file a form may be: its other fields and the lines between them. */
const formOverheadBytes = 1024 * 1024;

export async function upload(
  parts: HttpParts,
  request: Request,
  mode: UploadMode,
): Promise<Result<Answer>> {
  const key = objectKeyOf(request.rest);
  if (!key.ok) return key;
  const headers = uploadHeaders(request.exchange.incoming.headers, mode);
  if (!headers.ok) return headers;
  if (!request.exchange.body.hasLength) return refuse(lengthRequired);
  const isForm = essenceOf(headers.value.contentType) === 'multipart/form-data';
  const { grant } = mode;
  const asked: Asked = { request, key: key.value, headers: headers.value, grant };
  return isForm ? uploadForm(parts, asked) : uploadRaw(parts, asked);
}

/** An object of no bytes is one by its word only: RFC 9110 §15.5.12. */
const lengthRequired = rejection('LengthRequired', 'An upload tells its length', {
  hint: 'Send Content-Length, 0 for an empty object, or Transfer-Encoding: chunked.',
});

interface Asked {
  readonly request: Request;
  readonly key: ObjectKey;
  readonly headers: UploadHeaders;
  readonly grant: UploadMode['grant'];
}

async function uploadRaw(parts: HttpParts, asked: Asked): Promise<Result<Answer>> {
  const { request, headers } = asked;
  const { body } = request.exchange;
  const checked = checkDigests(body.bytes(), headers.digests);
  const { contentType, cacheControl, metadata } = headers;
  return store(parts, asked, {
    contentType,
    sizeBytes: body.declaredBytes,
    bytes: checked.bytes,
    details: async () => {
      const verdict = checked.verdict();
      return verdict.ok ? ok({ cacheControl, metadata }) : verdict;
    },
  });
}

async function uploadForm(parts: HttpParts, asked: Asked): Promise<Result<Answer>> {
  const { request, headers } = asked;
  const { body } = request.exchange;
  const boundary = boundaryOf(headers.contentType);
  if (!boundary.ok) return boundary;
  const maxBytes = parts.settings.maxFileSizeBytes;
  if ((body.declaredBytes ?? 0) > maxBytes + formOverheadBytes) {
    return refuse(rejection('EntityTooLarge', undefined, { facts: { max_bytes: maxBytes } }));
  }
  const checked = checkDigests(body.bytes(), headers.digests);
  const form = openForm(checked.bytes, boundary.value);
  const file = await form.file();
  if (!file.ok) return file;
  return store(parts, asked, {
    contentType: file.value.contentType,
    sizeBytes: undefined,
    bytes: file.value.bytes,
    details: async () => {
      const fields = await formDetails(form, headers);
      const verdict = checked.verdict();
      return fields.ok && !verdict.ok ? verdict : fields;
    },
  });
}

/** What the fields say, else what the headers do. */
async function formDetails(form: UploadForm, headers: UploadHeaders) {
  const fields = await form.fields();
  if (!fields.ok) return fields;
  const { contentType, cacheControl, metadata } = fields.value;
  return ok({
    ...(contentType === undefined ? {} : { contentType }),
    cacheControl: cacheControl ?? headers.cacheControl,
    metadata: metadata === undefined ? headers.metadata : metadata,
  });
}

type Incoming = Pick<UploadIntent, 'contentType' | 'sizeBytes'> & Omit<UploadBody, 'signal'>;

async function store(parts: HttpParts, asked: Asked, incoming: Incoming): Promise<Result<Answer>> {
  const { service } = parts;
  const { request, key, headers, grant } = asked;
  const { contentType, sizeBytes, bytes, details } = incoming;
  const { conditions } = headers;
  const intent = { ...key, contentType, sizeBytes, conditions, ...(grant ? { grant } : {}) };
  // Of a form, neither its boundary nor the order of its fields matters; the content is added later.
  const call = await keyedCall(request, [headers.conditions, contentType]);
  if (!call.ok) return call;
  const admission = await service.objects.admit(call.value, intent);
  if (!admission.ok) return admission;
  const signal = request.exchange.body.gone;
  const stored = await service.objects.store(call.value, admission.value, {
    bytes,
    details,
    signal,
  });
  return stored.ok ? ok(storedAnswer(key, stored.value)) : stored;
}

type Stored = Changed & { readonly object: Parameters<typeof objectJson>[1] };

function storedAnswer({ bucket, path }: ObjectKey, { object, position }: Stored): Answer {
  const body = { ...objectJson(bucket, object), Id: object.id, Key: `${bucket}/${path}` };
  return jsonAnswer(body, { headers: { ...positionHeader(position), etag: etagHeader(object) } });
}

/** RFC 9530 §2: the digests are of the content as it was sent. */
function checkDigests(source: ByteStream, expected: UploadHeaders['digests']) {
  const running = expected.map(({ algorithm, value }) => ({ hash: createHash(algorithm), value }));
  return {
    bytes:
      running.length === 0
        ? source
        : hashing(
            source,
            running.map(({ hash }) => hash),
          ),
    verdict(): Result<undefined> {
      const isMet = running.every(({ hash, value }) => hash.digest().equals(value));
      return isMet ? ok(undefined) : refuse(rejection('BadDigest', digestDiffers));
    },
  };
}

const digestDiffers = 'The body is not what Content-Digest says';

async function* hashing(source: ByteStream, hashes: readonly Hash[]): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    for (const hash of hashes) hash.update(chunk);
    yield chunk;
  }
}

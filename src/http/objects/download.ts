/**
 * GET and HEAD of an object: preconditions, then the range, then the bytes.
 *
 * What an upload calls itself is never trusted to run on this origin: types that a browser would
 * execute, and those that nobody knows, come in a sandbox.
 */
import contentDisposition from 'content-disposition';
import mimeTypes from 'mime-types';
import type { ByteRange } from '../../blobs/blob-store.ts';
import type { ObjectRow } from '../../domain/object.ts';
import { evaluateRead } from '../../domain/preconditions.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { essenceOf } from '../../domain/values/mime.ts';
import type { ReadableObject } from '../../service/service.ts';
import type { HttpParts } from '../app.ts';
import { problemAnswer } from '../problems.ts';
import { etagHeader, objectInfoText } from '../representations.ts';
import type { Request } from '../route.ts';
import { type Answer, jsonTextAnswer } from '../wire/answer.ts';
import { objectKeyOf } from '../wire/raw-path.ts';
import { type Accel, accelAnswer, canBeHandedOn } from './accel.ts';
import { rangeOf, readConditions } from './conditions.ts';

export interface ReadOptions {
  readonly publicOnly: boolean;
}

export async function download(
  parts: HttpParts,
  request: Request,
  options: ReadOptions,
): Promise<Result<Answer>> {
  const readable = await find(parts, request, options);
  return readable.ok ? answerRead(parts, request, readable.value) : readable;
}

/** What a GET or HEAD of an object that may be read comes to. Its bytes are opened only to be sent. */
export async function answerRead(
  { settings }: HttpParts,
  request: Request,
  readable: ReadableObject,
): Promise<Result<Answer>> {
  const { headers, method } = request.exchange.incoming;
  const { object } = readable;
  const conditions = readConditions(headers);
  if (!conditions.ok) return conditions;
  const outcome = evaluateRead(object, conditions.value);
  if (outcome === 'failed') return refuse(rejection('PreconditionFailed', preconditionFailed));
  const validators = validatorHeaders(readable);
  // RFC 9110 §15.4.5: a 304 carries the validators and Cache-Control that a 200 would have had.
  if (outcome === 'not modified') return ok({ status: 304, headers: validators });
  // RFC 9110 §14.2: Range means something for GET only.
  const range = method === 'GET' ? rangeOf(headers, object) : undefined;
  if (range === 'unsatisfiable') return ok(unsatisfiable(object));
  const all = { ...validators, ...contentHeaders(object, request.query) };
  const accel = canBeHandedOn(headers, range) ? settings.accel : undefined;
  return ok(await bytesAnswer(readable, { range, headers: all, isHead: method === 'HEAD', accel }));
}

export async function info(
  parts: HttpParts,
  request: Request,
  options: ReadOptions,
): Promise<Result<Answer>> {
  const readable = await find(parts, request, options);
  if (!readable.ok) return readable;
  const { bucket, object } = readable.value;
  const headers = { etag: etagHeader(object) };
  return ok(jsonTextAnswer(objectInfoText(bucket.name, object), { headers }));
}

async function find(
  { service }: HttpParts,
  { call, rest, query }: Request,
  options: ReadOptions,
): Promise<Result<ReadableObject>> {
  const key = objectKeyOf(rest);
  if (!key.ok) return key;
  const unavailable = refuseParameters(query);
  if (unavailable) return refuse(unavailable);
  return service.objects.read(call, key.value, options);
}

const transformParameters = ['width', 'height', 'resize', 'quality', 'format', 'transform'];

/** Parameters that ask for other bytes must not be answered with these; all others are ignored. */
export function refuseParameters(query: URLSearchParams) {
  for (const name of ['version', 'as_of']) {
    if (query.has(name)) return rejection('InvalidRequest', `"${name}" is not available yet`);
  }
  const transform = transformParameters.find((name) => query.has(name));
  if (transform === undefined) return undefined;
  return rejection('InvalidRequest', `"${transform}": images are not transformed here`);
}

const preconditionFailed = 'A precondition does not match the stored object';

function validatorHeaders({ bucket, object }: ReadableObject): Record<string, string> {
  return {
    etag: etagHeader(object),
    'last-modified': new Date(object.updated_at).toUTCString(),
    'cache-control': cacheControl(object.cache_control ?? 'no-cache', bucket.policy === 'public'),
  };
}

/** What anonymous callers can't read must not be kept by a shared cache (RFC 9111 §5.2.2.7). */
function cacheControl(given: string, isPublic: boolean): string {
  if (isPublic) return given;
  const directives = given.split(',').map((directive) => directive.trim());
  const kept = directives.filter((one) => !/^(?:public|private)?$/i.test(one));
  return [...kept, 'private'].join(', ');
}

function contentHeaders(object: ObjectRow, query: URLSearchParams): Record<string, string> {
  return {
    'content-type': object.content_type,
    'accept-ranges': 'bytes',
    ...(isInert(object.content_type)
      ? {}
      : { 'content-security-policy': "sandbox; default-src 'none'" }),
    ...disposition(object, query.get('download')),
  };
}

/** True for a known type that no browser executes. */
function isInert(contentType: string): boolean {
  const essence = essenceOf(contentType);
  if (/html|xml|xsl|xslt/.test(essence) || essence === 'application/octet-stream') return false;
  return mimeTypes.extension(essence) !== false;
}

function disposition(object: ObjectRow, download: string | null): Record<string, string> {
  if (download === null) return {};
  const name = download === '' ? (object.path.split('/').at(-1) ?? '') : download;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a header can't hold them.
  const safe = name.replace(/[\u0000-\u001f\u007f-\u009f/\\]/g, '_');
  return { 'content-disposition': contentDisposition.create(safe) };
}

function unsatisfiable(object: ObjectRow): Answer {
  // RFC 9110 §15.5.17: a 416 tells the current length.
  return problemAnswer(
    {
      code: 'InvalidRange',
      message: 'The range lies outside of the object',
      facts: { size: object.size },
    },
    { 'content-range': `bytes */${object.size}` },
  );
}

interface Part {
  readonly range: ByteRange | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly isHead: boolean;
  readonly accel: Accel | undefined;
}

async function bytesAnswer(
  readable: ReadableObject,
  { range, headers, isHead, accel }: Part,
): Promise<Answer> {
  const { size } = readable.object;
  // A HEAD opens nothing.
  const blob = isHead ? undefined : await readable.open();
  if (accel && blob?.file !== undefined) {
    await blob.close();
    return accelAnswer(accel, blob.file, headers);
  }
  const body = {
    sizeBytes: range ? range.end - range.start + 1 : size,
    chunks: blob ? blob.bytes(range) : none(),
    close: async () => blob?.close(),
  };
  if (!range) return { status: 200, headers, body };
  const contentRange = `bytes ${range.start}-${range.end}/${size}`;
  return { status: 206, headers: { ...headers, 'content-range': contentRange }, body };
}

async function* none(): AsyncGenerator<Uint8Array> {}

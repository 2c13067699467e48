/** The headers of an upload. What they say wrongly is refused by name, before a byte is read. */
import type { IncomingHttpHeaders } from 'node:http';
import type { WriteConditions } from '../../domain/preconditions.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { parseMetadata } from '../../domain/values/metadata.ts';
import type { UploadGrant } from '../../service/service.ts';
import { entityTags, expectedOf } from './conditions.ts';

export interface UploadMode {
  /** `as asked`: by x-upsert, which is true where it is absent. */
  readonly overwrite: 'always' | 'as asked' | 'never';
  /** Of an upload by a signed URL. */
  readonly grant?: UploadGrant;
}

interface Digest {
  readonly algorithm: 'sha256' | 'sha512';
  readonly value: Buffer;
}

export interface UploadHeaders {
  /** As it was sent; '' where it was not. */
  readonly contentType: string;
  readonly cacheControl: string | null;
  /** JSON text. */
  readonly metadata: string | null;
  readonly digests: readonly Digest[];
  readonly conditions: WriteConditions;
}

const maxHeaderLength = 255;

export function uploadHeaders(
  headers: IncomingHttpHeaders,
  mode: UploadMode,
): Result<UploadHeaders> {
  const fault = faultOf(headers);
  if (fault) return refuse(fault);
  const conditions = writeConditions(headers, mode);
  if (!conditions.ok) return conditions;
  const metadata = metadataHeader(headers['x-metadata']);
  if (!metadata.ok) return metadata;
  const digests = digestHeader(headers['content-digest']);
  if (!digests.ok) return digests;
  return ok({
    contentType: headers['content-type']?.trim() ?? '',
    cacheControl: headers['cache-control'] ?? null,
    metadata: metadata.value,
    digests: digests.value,
    conditions: conditions.value,
  });
}

function faultOf(headers: IncomingHttpHeaders): Rejection | undefined {
  // RFC 9110 §14.5: who does not support partial PUT refuses Content-Range with a 400.
  if (headers['content-range'] !== undefined) {
    return rejection('InvalidRequest', '"content-range": an upload is always the whole object');
  }
  for (const name of ['content-type', 'cache-control'] as const) {
    const fault = faultOfText(headers[name] ?? '', `The header "${name}"`);
    if (fault) return fault;
  }
  return undefined;
}

/** What is stored and sent back as a header must be one: short and printable. */
export function faultOfText(text: string, subject: string): Rejection | undefined {
  if (/^[\x20-\x7e\t]*$/.test(text) && text.length <= maxHeaderLength) return undefined;
  return rejection(
    'InvalidRequest',
    `${subject} must be at most ${maxHeaderLength} printable ASCII characters`,
  );
}

function writeConditions(headers: IncomingHttpHeaders, mode: UploadMode): Result<WriteConditions> {
  const expected = expectedOf(headers);
  if (!expected.ok) return expected;
  const ifNoneMatch = entityTags(headers, 'if-none-match');
  if (!ifNoneMatch.ok) return ifNoneMatch;
  const upsert = upsertHeader(headers, true);
  if (!upsert.ok) return upsert;
  return ok({
    overwrite: mode.overwrite === 'always' || (mode.overwrite === 'as asked' && upsert.value),
    ...expected.value,
    ifNoneMatch: ifNoneMatch.value,
  });
}

/** Whether what is there may be overwritten. */
export function upsertHeader(headers: IncomingHttpHeaders, absent: boolean): Result<boolean> {
  const upsert = String(headers['x-upsert'] ?? absent).toLowerCase();
  if (upsert === 'true' || upsert === 'false') return ok(upsert === 'true');
  return refuse(rejection('InvalidRequest', 'The header "x-upsert" is neither true nor false'));
}

const base64 = /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2,3}={0,2})?$/;

/** Base64 of a JSON object. */
function metadataHeader(text: string | string[] | undefined): Result<string | null> {
  if (text === undefined || text === '') return ok(null);
  if (typeof text === 'string' && base64.test(text)) {
    try {
      const decoder = new TextDecoder('utf-8', { fatal: true });
      return parseMetadata(decoder.decode(Buffer.from(text, 'base64')));
    } catch {
      // What is not UTF-8 is told as what is not base64.
    }
  }
  return refuse(
    rejection('InvalidMetadata', 'The header "x-metadata" is not base64 of a JSON object', {
      hint: 'Send base64 of an object such as {"project":"x"}.',
    }),
  );
}

/** RFC 9530 §2: `sha-256=:base64:`, one or more; algorithms that are not known are ignored. */
function digestHeader(text: string | string[] | undefined): Result<Digest[]> {
  const digests: Digest[] = [];
  if (text === undefined) return ok(digests);
  for (const entry of String(text).split(',')) {
    const match = /^\s*([a-z0-9*_.-]+)=:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(entry);
    if (!match) {
      return refuse(
        rejection('BadDigest', 'The header "content-digest" is malformed', {
          hint: 'Send "sha-256=:<base64 of the digest>:".',
        }),
      );
    }
    const [, name, encoded = ''] = match;
    const value = Buffer.from(encoded, 'base64');
    if (name === 'sha-256') digests.push({ algorithm: 'sha256', value });
    if (name === 'sha-512') digests.push({ algorithm: 'sha512', value });
  }
  return ok(digests);
}

/** Conditional and range headers (RFC 9110 §13, §14), from text to what domain/preconditions evaluates. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ByteRange } from '../../blobs/blob-store.ts';
import type {
  EntityTag,
  EntityTags,
  Expected,
  ReadConditions,
} from '../../domain/preconditions.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';

type TagHeader = 'if-match' | 'if-none-match';

/** RFC 9110 §8.8.3: `*`, or a list of quoted opaque tags. undefined where the header is absent. */
export function entityTags(
  headers: IncomingHttpHeaders,
  name: TagHeader,
): Result<EntityTags | undefined> {
  const text = headers[name]?.trim();
  if (text === undefined) return ok(undefined);
  if (text === '*') return ok('*');
  // §5.6.1.2: empty elements of a list are parsed and ignored.
  const isList = /^[\s,]*(?:W\/)?"[^"]*"(?:\s*,[\s,]*(?:W\/)?"[^"]*")*[\s,]*$/.test(text);
  if (!isList) {
    return refuse(
      rejection('InvalidRequest', `The header "${name}" is neither "*" nor a list of quoted tags`),
    );
  }
  return ok([...text.matchAll(/(W\/)?"([^"]*)"/g)].map(tagOf));
}

function tagOf([, weak, tag = '']: RegExpMatchArray): EntityTag {
  return { tag, weak: weak !== undefined };
}

/** RFC 9110 §13.1.3, §13.1.4: a date that is not valid is ignored. */
export function expectedOf(headers: IncomingHttpHeaders): Result<Expected> {
  const ifMatch = entityTags(headers, 'if-match');
  if (!ifMatch.ok) return ifMatch;
  const ifUnmodifiedSinceMs = httpDate(headers['if-unmodified-since']);
  return ok({ ifMatch: ifMatch.value, ifUnmodifiedSinceMs });
}

export function readConditions(headers: IncomingHttpHeaders): Result<ReadConditions> {
  const expected = expectedOf(headers);
  if (!expected.ok) return expected;
  const ifNoneMatch = entityTags(headers, 'if-none-match');
  if (!ifNoneMatch.ok) return ifNoneMatch;
  const ifModifiedSinceMs = httpDate(headers['if-modified-since']);
  return ok({ ...expected.value, ifNoneMatch: ifNoneMatch.value, ifModifiedSinceMs });
}

const imfFixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const rfc850 = /^[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** Unix ms. RFC 9110 §5.6.7: of the three forms, all must be understood. */
function httpDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const isKnown = imfFixdate.test(text) || rfc850.test(text);
  const unixMs = Date.parse(asctime.test(text) ? `${text} GMT` : isKnown ? text : '');
  return Number.isNaN(unixMs) ? undefined : unixMs;
}

interface Stored {
  readonly etag: string;
  readonly size: number;
  /** Unix ms. */
  readonly updated_at: number;
}

/** The part asked for; undefined for the whole. */
export function rangeOf(
  headers: IncomingHttpHeaders,
  stored: Stored,
): ByteRange | 'unsatisfiable' | undefined {
  const { range } = headers;
  const ifRange = headers['if-range'];
  if (range === undefined) return undefined;
  if (typeof ifRange === 'string' && !isUnchanged(ifRange, stored)) return undefined;
  // Several ranges, other units and what is malformed are ignored (RFC 9110 §14.2 allows it).
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(range);
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? undefined : suffixOf(Number(last), stored.size);
  const start = Number(first);
  // RFC 9110 §14.1.1: a last position before the first makes the range invalid, not unsatisfiable.
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= stored.size) return 'unsatisfiable';
  const end = last === '' ? stored.size - 1 : Math.min(Number(last), stored.size - 1);
  return { start, end };
}

/** RFC 9110 §14.1.2: a suffix longer than the whole is the whole; one of no bytes can't be satisfied. */
function suffixOf(length: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable';
  // Of no bytes no part can be named in a Content-Range.
  return size === 0 ? undefined : { start: Math.max(0, size - length), end: size - 1 };
}

/** RFC 9110 §13.1.5: If-Range compares strongly, and a date exactly. */
function isUnchanged(ifRange: string, { etag, updated_at }: Stored): boolean {
  if (ifRange.includes('"')) return ifRange.trim() === `"${etag}"`;
  return httpDate(ifRange) === Math.floor(updated_at / 1000) * 1000;
}

/**
 * Request targets as they came over the wire. Nothing here normalises: a URL library would turn
 * `/a/../b` into `/b`, and a name that was never asked for would be answered.
 *
 * Node hands over the target's bytes as latin1. They are percent-decoded exactly once and must then
 * be UTF-8; `%2F` decodes to `/`.
 */
import { isUtf8 } from 'node:buffer';
import { type BucketName, parseBucketName, parseObjectPath } from '../../domain/names.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { ObjectKey } from '../../service/service.ts';

export interface Target {
  /** Raw, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** False where the query is not UTF-8: its values then hold U+FFFD for what was sent. */
  readonly isText: boolean;
}

/** Shared by all requests without a query: nobody writes into one. */
const none = new URLSearchParams();

export function parseTarget(url: string): Target {
  // RFC 9112 §3.2.2: absolute-form must be accepted; its authority means nothing here.
  const relative = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = relative.indexOf('?');
  if (mark === -1) return { path: relative === '' ? '/' : relative, query: none, isText: true };
  const path = relative.slice(0, mark);
  const query = relative.slice(mark + 1);
  return {
    path: path === '' ? '/' : path,
    query: new URLSearchParams(Buffer.from(query, 'latin1').toString('utf8')),
    isText: isPlain(query) || isUtf8(Buffer.from(unescapePercent(query), 'latin1')),
  };
}

/** `raw`: one segment. */
export function bucketNameOf(raw: string): Result<BucketName> {
  // What can't be decoded contains a `%` and is no bucket's name as it stands.
  return parseBucketName(decodePercent(raw) ?? raw);
}

/** `raw`: `{bucket}/{path}`. */
export function objectKeyOf(raw: string): Result<ObjectKey> {
  const slash = raw.indexOf('/');
  const bucket = bucketNameOf(slash === -1 ? raw : raw.slice(0, slash));
  if (!bucket.ok) return bucket;
  const text = slash === -1 ? '' : decodePercent(raw.slice(slash + 1));
  if (text === undefined) {
    return refuse(
      rejection('InvalidKey', 'The object path is not percent-encoded UTF-8', {
        hint: 'Percent-encode the UTF-8 bytes of each segment; "%" itself is "%25".',
      }),
    );
  }
  const path = parseObjectPath(text);
  return path.ok ? ok({ bucket: bucket.value, path: path.value }) : path;
}

// ignoreBOM keeps a byte order mark: it is a part of the name.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** undefined where an escape is broken or the bytes are not UTF-8. */
export function decodePercent(raw: string): string | undefined {
  if (isPlain(raw)) return raw;
  if (/%(?![0-9a-fA-F]{2})/.test(raw)) return undefined;
  try {
    return utf8.decode(Buffer.from(unescapePercent(raw), 'latin1'));
  } catch {
    return undefined;
  }
}

/** Printable ASCII without an escape. */
function isPlain(raw: string): boolean {
  return /^[\x21-\x24\x26-\x7e]*$/.test(raw);
}

/** One character for each byte. What only looks like an escape stays. */
function unescapePercent(raw: string): string {
  return raw.replace(/%([0-9a-fA-F]{2})/g, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

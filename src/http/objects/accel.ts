/**
 * Bytes that a server in front sends (AEROSTORE_ACCEL): the decision, the preconditions and the use of
 * a token are made here, then the answer names the blob's file instead of holding its bytes.
 *
 * Promises: only a blob that is a published file of its own is named, by a name that nobody chose; what
 * the server in front might decide otherwise than this one is answered from here. The bytes it sends
 * are not checked against their hash: docs/operations.md says so.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ByteRange } from '../../blobs/blob-store.ts';
import type { Answer } from '../wire/answer.ts';

export interface Accel {
  readonly header: 'x-accel-redirect' | 'x-sendfile';
  /** What stands before a blob's file in that header; ends with a slash. */
  readonly root: string;
}

/** Of the configuration; `directory` is the data directory, absolute. */
export function accelOf(header: Accel['header'] | 'off', directory: string): Accel | undefined {
  if (header === 'off') return undefined;
  // An internal location of nginx; for the others a file, in a form that a header can hold.
  const root = header === 'x-accel-redirect' ? '/aerostore-internal/' : `${encodeURI(directory)}/`;
  return { header, root };
}

/**
 * True where the server in front comes to the same answer as this one. It has the whole file, its time
 * and the request: it takes If-Match and If-Unmodified-Since as being about the file, and more forms
 * of a range than one.
 */
export function canBeHandedOn(headers: IncomingHttpHeaders, range: ByteRange | undefined): boolean {
  if (headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined)
    return false;
  if (headers.range === undefined) return true;
  // More digits than these overflow elsewhere.
  return range !== undefined && /^bytes=\d{0,15}-\d{0,15}$/.test(headers.range);
}

/** `headers` are those of the whole, which the server in front cuts a range from. */
export function accelAnswer(
  { header, root }: Accel,
  file: string,
  headers: Readonly<Record<string, string>>,
): Answer {
  // It says by itself that it takes ranges; said twice it would be sent twice.
  const { 'accept-ranges': _itsOwn, ...others } = headers;
  return { status: 200, headers: { ...others, [header]: root + file }, body: '' };
}

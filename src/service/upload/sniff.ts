/**
 * What the first bytes of a body say that it is (O2). A body that is recognised as a type that the
 * bucket does not allow is refused, whatever it was declared as.
 */
import { fileTypeFromBuffer } from 'file-type';
import type { ByteStream } from '../../blobs/blob-store.ts';
import { allowsMime, essenceOf } from '../../domain/values/mime.ts';

/** What `file-type` wants to see at most, bytes. */
export const sampleBytes = 4100;

/**
 * Reads ahead: the first bytes, and the whole stream with them put back. What is longer than `maxBytes`
 * is not waited for any further.
 */
export async function peek(
  bytes: ByteStream,
  maxBytes: number,
): Promise<{
  readonly head: Uint8Array;
  readonly whole: ByteStream;
  /** Ends the stream where `whole` will not be read. */
  readonly cancel: () => Promise<void>;
}> {
  const iterator = bytes[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let ended = false;
  while (length < sampleBytes && length <= maxBytes && !ended) {
    const next = await iterator.next();
    if (next.done) ended = true;
    else {
      // The producer may reuse its chunk once the next one is asked for.
      chunks.push(Uint8Array.from(next.value));
      length += next.value.byteLength;
    }
  }
  const head = Buffer.concat(chunks);
  return {
    head: head.subarray(0, sampleBytes),
    whole: putBack(head, iterator, ended),
    cancel: async () => {
      await iterator.return?.();
    },
  };
}

async function* putBack(
  head: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
  ended: boolean,
): AsyncGenerator<Uint8Array> {
  try {
    if (head.byteLength > 0) yield head;
    while (!ended) {
      const next = await iterator.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** The type that `head` shows and `allowed` does not, or undefined. */
export async function forbiddenType(
  head: Uint8Array,
  declared: string,
  allowed: readonly string[],
): Promise<string | undefined> {
  if (allowed.includes('*/*')) return undefined;
  const seen = await recognise(head, essenceOf(declared));
  if (seen === undefined || namesOf(seen).some((name) => allowsMime(allowed, name))) {
    return undefined;
  }
  return seen;
}

async function recognise(head: Uint8Array, declared: string): Promise<string | undefined> {
  const magic = (await fileTypeFromBuffer(head))?.mime;
  const found = magic !== undefined && isEvidence(magic, head) ? { mime: magic } : undefined;
  if (found && found.mime !== 'application/xml') {
    return isContainerOf(found.mime, declared) ? declared : found.mime;
  }
  // Plain text may speak of HTML without being it.
  return declared === 'text/plain' ? undefined : markupType(head);
}

/** Types whose magic is long enough to mean something at the head of a text. */
const longTextMagic = new Set([
  'application/pdf',
  'application/postscript',
  'application/rtf',
  'application/xml',
  'image/gif',
]);

/** "BMW is a car" is no bitmap: where all of the head is text, a magic of a few letters says nothing. */
function isEvidence(magic: string, head: Uint8Array): boolean {
  return longTextMagic.has(magic) || !isText(head);
}

/** UTF-8 without control characters but white space, or UTF-16 by its byte order mark. */
function isText(head: Uint8Array): boolean {
  const [first, second] = head;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    const encoding = first === 0xff ? 'utf-16le' : 'utf-16be';
    return isPlain(new TextDecoder(encoding).decode(head.subarray(0, head.length & ~1)));
  }
  try {
    // `stream`: the last character may be cut off.
    return isPlain(new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true }));
  } catch {
    return false;
  }
}

function isPlain(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.length > 0 && !/[\u0000-\u0008\u000b\u000e-\u001f\u007f\ufffd]/.test(text);
}

/** HTML and SVG have no magic bytes: their first tag tells (after a BOM, comments, a doctype). */
function markupType(head: Uint8Array): string | undefined {
  const text = Buffer.from(head)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  const rest = text.replace(/^(?:\s+|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!doctype\s+svg[^>]*>)*/i, '');
  if (/^<svg[\s>/]/i.test(rest)) return 'image/svg+xml';
  const html =
    /^<(?:!doctype\s+html|html|head|body|script|iframe|title|style|table|h1|div|font|br|p|a|img|form|meta|link)[\s>/]/i;
  return html.test(rest) ? 'text/html' : undefined;
}

/** A zip or OLE file may be a document that only its inner files name. */
function isContainerOf(seen: string, declared: string): boolean {
  if (seen === 'application/zip') {
    return /zip|officedocument|opendocument|epub|java-archive|android|vnd\.ms-/.test(declared);
  }
  return seen === 'application/x-cfb' && /msword|vnd\.ms-|vnd\.visio|msi/.test(declared);
}

/** Types that go by several names. */
const synonyms: readonly (readonly string[])[] = [
  ['image/x-icon', 'image/vnd.microsoft.icon', 'image/icon'],
  ['image/jpeg', 'image/jpg'],
  ['image/bmp', 'image/x-ms-bmp'],
  ['audio/wav', 'audio/x-wav', 'audio/vnd.wave', 'audio/wave'],
  ['audio/mpeg', 'audio/mp3'],
  ['audio/x-flac', 'audio/flac'],
  ['audio/mp4', 'audio/x-m4a', 'audio/m4a', 'video/mp4', 'audio/aac'],
  ['video/mp4', 'video/x-m4v', 'audio/mp4', 'video/quicktime'],
  ['video/vnd.avi', 'video/x-msvideo', 'video/avi'],
  ['video/matroska', 'video/x-matroska', 'video/webm', 'audio/webm'],
  ['audio/ogg', 'video/ogg', 'application/ogg', 'audio/opus', 'audio/ogg; codecs=opus'],
  ['application/gzip', 'application/x-gzip'],
  ['application/zip', 'application/x-zip-compressed'],
  ['application/x-rar-compressed', 'application/vnd.rar'],
  ['application/rtf', 'text/rtf'],
  ['application/x-tar', 'application/tar'],
];

function namesOf(type: string): readonly string[] {
  return [type, ...synonyms.filter((names) => names.includes(type)).flat()];
}

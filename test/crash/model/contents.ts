/** What is uploaded: bytes, types and metadata, each told by its index. */
import { createHash } from 'node:crypto';
import { newBlake3 } from '../../../src/blobs/hash.ts';

export interface Content {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly etag: string;
}

/**
 * Nothing, a byte, a page and its neighbour, about what is small enough to lie among others, past one
 * CRC block, past what is written in turn.
 */
const contentBytes = [0, 1, 20, 20, 700, 4096, 4097, 65_535, 65_536, 65_537, 300_001, 1_100_000];

export const contents: readonly Content[] = await Promise.all(
  contentBytes.map(async (length, index) => {
    const bytes = Buffer.alloc(length, `${index} is the content of this object; `);
    const hash = await newBlake3();
    hash.update(bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { bytes, sha256, etag: hash.digest() };
  }),
);

/** JSON text; the last makes frames of more than a page. */
export const metadatas: readonly string[] = [
  JSON.stringify({ n: 1 }),
  JSON.stringify({ n: 2, ü: ['nested', null] }),
  JSON.stringify({ note: 'metadata of several pages '.repeat(280) }),
];

export const types = ['text/plain', 'text/csv', 'application/json'];
/** Of a name that tells none. */
export const guessedType = 'application/octet-stream';
export const caches = ['no-store', 'max-age=60'];

export function sizeOf(content: number): number {
  return contents[content]?.bytes.length ?? 0;
}

/** -1 for bytes that nobody stored. */
export function contentOf(etag: string): number {
  return contents.findIndex((content) => content.etag === etag);
}

export function metadataOf(text: string | null): number | null {
  return text === null ? null : metadatas.indexOf(text);
}

export function metadataText(index: number | null): string | null {
  return index === null ? null : (metadatas[index] ?? '');
}

/** Bodies as a client might send them. */
import { expect } from 'vitest';
import type { ByteStream } from '../../src/blobs/blob-store.ts';
import type { BlobId } from '../../src/domain/names.ts';

/** Bytes that differ from place to place and between seeds. */
export function patterned(sizeBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let index = 0; index < sizeBytes; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** `bytes` in chunks of `chunkBytes`, all in one buffer that is overwritten when the next is pulled. */
export async function* reusingItsChunk(bytes: Uint8Array, chunkBytes: number): ByteStream {
  const chunk = new Uint8Array(chunkBytes);
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    const part = bytes.subarray(at, at + chunkBytes);
    chunk.set(part);
    yield chunk.subarray(0, part.byteLength);
    chunk.fill(0xee);
  }
}

export async function collect(stream: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Blob ids whose first digits differ, so that each lies in a folder of its own. */
export function blobIds(): () => BlobId {
  let last = 0;
  return () => {
    last += 1;
    return ((last * 2654435761) >>> 0)
      .toString(16)
      .padStart(8, '0')
      .concat(last.toString(16).padStart(24, '0')) as BlobId;
  };
}

/** Equality of bytes at the speed of memcmp; `toEqual` takes seconds for a mebibyte. */
export function expectBytes(found: Uint8Array, expected: Uint8Array): void {
  expect(found.byteLength).toBe(expected.byteLength);
  expect(Buffer.compare(found, expected), 'where memcmp sees a difference').toBe(0);
}

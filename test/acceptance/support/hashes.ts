/** Hashes of what was sent and what came back. */
import { createHash } from 'node:crypto';
import { blake3 } from 'hash-wasm';

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** An object's etag: the BLAKE3 of its content, in hex. */
export function etagOf(bytes: Buffer | string): Promise<string> {
  return blake3(bytes);
}

/** Names of requests: UUIDs of version 7, whose randomness is drawn for many at once. */
import { randomFillSync } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';

const idBytes = 16;
const pool = Buffer.alloc(256 * idBytes);
let used = pool.length;

/** Bytes that no one was given before; they are the caller's until the pool is filled again. */
function random(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += idBytes;
  return pool.subarray(used - idBytes, used);
}

const options = { rng: random };

export function newRequestId(): string {
  return uuidv7(options);
}

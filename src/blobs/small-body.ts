/**
 * Takes in a body that may be small: whole where it is, and otherwise what was read of it with the rest
 * still to come. So nobody need know beforehand how long a body is.
 */
import { BodyTooLarge, type ByteStream, type StageLimits } from './blob-store.ts';
import { untilAborted } from './receive.ts';

export type Taken =
  /** All of it; the parts are copies. */
  | { readonly kind: 'whole'; readonly parts: readonly Uint8Array[] }
  /** More than `smallBytes`: the body from its beginning, to be read once. */
  | { readonly kind: 'longer'; readonly body: ByteStream };

/** A chunk of its own costs about a hundred bytes: past this number they are put together. */
const mostParts = 64;

/** Rejects as `receive` does, and tells the body that no more is wanted. */
export async function takeSmall(
  body: ByteStream,
  limits: StageLimits,
  smallBytes: number,
): Promise<Taken> {
  const source = untilAborted(body, limits.signal);
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const next = await source.next();
    if (next.done) return { kind: 'whole', parts };
    sizeBytes += next.value.byteLength;
    if (sizeBytes > limits.maxBytes) {
      await source.return();
      throw new BodyTooLarge(`the body has more than ${limits.maxBytes} bytes`);
    }
    if (sizeBytes > smallBytes) {
      return { kind: 'longer', body: continued(parts, next.value, source) };
    }
    // Its producer may use the chunk again.
    parts.push(Buffer.from(next.value));
    if (parts.length > mostParts) parts.splice(0, parts.length, Buffer.concat(parts));
  }
}

async function* continued(
  parts: readonly Uint8Array[],
  chunk: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void>,
): ByteStream & AsyncGenerator<Uint8Array, void> {
  try {
    yield* parts;
    yield chunk;
    yield* rest;
  } finally {
    await rest.return();
  }
}

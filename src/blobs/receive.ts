/**
 * Takes a body in: counts it, hashes it and hands it on in blocks of 256 KiB, whatever sizes its
 * chunks have. While one block is written the next one is read and hashed: a body of any length costs
 * two blocks of memory.
 *
 * A chunk is copied before the next one is asked for, so that its producer may reuse it. After an
 * abort, a body that never answers is left to itself; the caller does not wait for it.
 */
import { crc32 } from 'node:zlib';
import {
  BodyTooLarge,
  type ByteStream,
  crcBlockBytes,
  type Staged,
  type StageLimits,
} from './blob-store.ts';
import { newBlake3 } from './hash.ts';

export type Received = Omit<Staged, 'blobId'>;

/** Takes one block, the last of which may be short. The block is reused once this resolves; none is handed over before. */
export type Sink = (block: Uint8Array, offset: number) => Promise<void>;

/** Rejects with what `body` or `sink` threw, with the signal's reason, or with `BodyTooLarge`. */
export async function receive(
  body: ByteStream,
  limits: StageLimits,
  sink: Sink,
): Promise<Received> {
  const hash = await newBlake3();
  const crcs: number[] = [];
  let block = takeBlock();
  let other: Uint8Array | undefined;
  let writing: Promise<void> = Promise.resolve();
  let sizeBytes = 0;
  let filled = 0;

  async function flush(): Promise<void> {
    const bytes = block.subarray(0, filled);
    const offset = sizeBytes - filled;
    hash.update(bytes);
    crcs.push(crc32(bytes));
    await writing;
    writing = sink(bytes, offset);
    // Whoever waits for it is told; until then a rejection is nobody's fault.
    writing.catch(() => undefined);
    filled = 0;
    const full = block;
    block = other ?? takeBlock();
    other = full;
  }

  try {
    for await (const chunk of untilAborted(body, limits.signal)) {
      if (sizeBytes + chunk.byteLength > limits.maxBytes) {
        throw new BodyTooLarge(`the body has more than ${limits.maxBytes} bytes`);
      }
      let taken = 0;
      while (taken < chunk.byteLength) {
        const part = chunk.subarray(taken, taken + crcBlockBytes - filled);
        block.set(part, filled);
        taken += part.byteLength;
        filled += part.byteLength;
        sizeBytes += part.byteLength;
        if (filled === crcBlockBytes) await flush();
      }
    }
    if (filled > 0) await flush();
    await writing;
  } finally {
    // Nobody else may fill a block that is still being written.
    await writing.catch(() => undefined);
    for (const spare of other ? [block, other] : [block]) {
      if (spareBlocks.length < maxSpareBlocks) spareBlocks.push(spare);
    }
  }
  return { sizeBytes, blake3: hash.digest(), crcs: packCrcs(crcs) };
}

/** The same for a body of at most one block that is there already. */
export async function received(parts: readonly Uint8Array[]): Promise<Received> {
  const hash = await newBlake3();
  let sizeBytes = 0;
  let crc = 0;
  for (const part of parts) {
    hash.update(part);
    crc = crc32(part, crc);
    sizeBytes += part.byteLength;
  }
  return { sizeBytes, blake3: hash.digest(), crcs: packCrcs(sizeBytes > 0 ? [crc] : []) };
}

/** A fresh block for each small body would make the garbage collector run for external memory. */
const spareBlocks: Uint8Array[] = [];
const maxSpareBlocks = 16;

function takeBlock(): Uint8Array {
  return spareBlocks.pop() ?? Buffer.allocUnsafeSlow(crcBlockBytes);
}

function packCrcs(crcs: readonly number[]): Uint8Array {
  const packed = Buffer.alloc(crcs.length * 4);
  crcs.forEach((crc, index) => {
    packed.writeUInt32LE(crc, index * 4);
  });
  return packed;
}

/**
 * The chunks of `body`; throws the signal's reason as soon as it aborts, also while a chunk is being
 * waited for. However it ends, the body is told to stop, and not waited for.
 */
export async function* untilAborted(
  body: ByteStream,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  const iterator = body[Symbol.asyncIterator]();
  // Not Promise.race: a promise as old as the body would keep each chunk that it raced with.
  let rejectPull: ((reason: unknown) => void) | undefined;
  const onAbort = () => rejectPull?.(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  let ended = false;
  try {
    while (true) {
      signal?.throwIfAborted();
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        rejectPull = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (!ended) void stop(iterator);
  }
}

/** What a body that is no longer wanted says to that does not matter to anyone. */
async function stop(iterator: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {}
}

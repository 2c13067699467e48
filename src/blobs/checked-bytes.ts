/**
 * Gives out a blob's bytes and checks them on the way: a whole read by BLAKE3, a part by the CRCs of
 * the blocks that cover it. The last chunk is held back until the check of what it completes is done.
 *
 * Reads stay one piece ahead of the reader. Each chunk is new memory and belongs to the reader.
 */
import { crc32 } from 'node:zlib';
import {
  BlobDamaged,
  type BlobFacts,
  type ByteRange,
  type ByteStream,
  crcBlockBytes,
} from './blob-store.ts';
import { newBlake3 } from './hash.ts';

/** Where a blob's bytes can be read: fewer than `target` has only at the end. */
export interface ByteSource {
  read(target: Uint8Array, offset: number): number | Promise<number>;
}

/** A blob of up to this many bytes is read in one piece. */
export const wholePieceBytes = 1024 * 1024;

/** Throws a RangeError at once where `range` is not inside of the blob. */
export function checkedBytes(source: ByteSource, facts: BlobFacts, range?: ByteRange): ByteStream {
  if (range === undefined) return wholeBytes(source, facts);
  const { start, end } = range;
  if (!(Number.isSafeInteger(start) && start >= 0 && start <= end && end < facts.sizeBytes)) {
    throw new RangeError(`bytes ${start}-${end} are not inside of ${facts.sizeBytes}`);
  }
  return rangeBytes(source, facts, range);
}

async function* wholeBytes(source: ByteSource, facts: BlobFacts): AsyncGenerator<Uint8Array> {
  const hash = await newBlake3();
  let held: Uint8Array | undefined;
  const all = { from: 0, to: facts.sizeBytes, pieceBytes: wholePieceBytes };
  for await (const piece of piecesOf(source, facts, all)) {
    hash.update(piece);
    if (held) yield held;
    held = piece;
  }
  const found = hash.digest();
  if (found !== facts.blake3) {
    throw damaged(facts, `its BLAKE3 is ${found} instead of ${facts.blake3}`);
  }
  if (held) yield held;
}

async function* rangeBytes(
  source: ByteSource,
  facts: BlobFacts,
  range: ByteRange,
): AsyncGenerator<Uint8Array> {
  const crcs = new DataView(facts.crcs.buffer, facts.crcs.byteOffset, facts.crcs.byteLength);
  if (crcs.byteLength !== Math.ceil(facts.sizeBytes / crcBlockBytes) * 4) {
    throw damaged(facts, `${crcs.byteLength / 4} checksums do not fit ${facts.sizeBytes} bytes`);
  }
  let offset = range.start - (range.start % crcBlockBytes);
  const blocks = {
    from: offset,
    to: Math.min(facts.sizeBytes, range.end - (range.end % crcBlockBytes) + crcBlockBytes),
    pieceBytes: crcBlockBytes,
  };
  for await (const block of piecesOf(source, facts, blocks)) {
    if (crc32(block) !== crcs.getUint32((offset / crcBlockBytes) * 4, true)) {
      throw damaged(facts, `the CRC of the block at byte ${offset} does not match`);
    }
    yield block.subarray(Math.max(0, range.start - offset), range.end + 1 - offset);
    offset += block.byteLength;
  }
}

interface Pieces {
  readonly from: number;
  /** The byte after the last one. */
  readonly to: number;
  readonly pieceBytes: number;
}

/** Reads the next piece while the reader is busy with this one. */
async function* piecesOf(
  source: ByteSource,
  facts: BlobFacts,
  { from, to, pieceBytes }: Pieces,
): AsyncGenerator<Uint8Array> {
  const readAt = async (offset: number): Promise<Uint8Array> => {
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, to - offset));
    const found = await source.read(piece, offset);
    if (found < piece.byteLength) throw damaged(facts, `it ends at byte ${offset + found}`);
    return piece;
  };
  let ahead = from < to ? readAt(from) : undefined;
  try {
    for (let next = from + pieceBytes; ahead; next += pieceBytes) {
      const piece = await ahead;
      ahead = next < to ? readAt(next) : undefined;
      // It is awaited later; until then a rejection is nobody's fault.
      ahead?.catch(() => undefined);
      yield piece;
    }
  } finally {
    // The reader may close the file once this ends.
    await ahead?.catch(() => undefined);
  }
}

function damaged(facts: BlobFacts, what: string): BlobDamaged {
  return new BlobDamaged(`blob ${facts.blobId} is damaged: ${what}`);
}

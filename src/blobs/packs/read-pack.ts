/**
 * Finds out what a pack holds: by the footer where it is sealed, by going through all its bytes where it
 * is not, or where the footer is damaged.
 *
 * The scan takes every needle whose header is valid, wherever it stands: a torn batch may have lost any
 * of its pages, and a flipped bit must not hide what comes after it. Bytes of users are never taken for
 * a header, for they don't know what its checksum is seeded with. Whether a body is whole is not asked
 * here: who reads it knows its hash.
 */
import { join } from 'node:path';
import type { Files, OpenFile } from '#files';
import {
  ALIGNMENT_BYTES,
  aligned,
  decodeEntries,
  decodeNeedle,
  decodePackHeader,
  decodeTail,
  ENTRY_BYTES,
  NEEDLE_HEADER_BYTES,
  type Needle,
  needleBytes,
  PACK_HEADER_BYTES,
  type PackKey,
  packName,
  TAIL_BYTES,
  type Tail,
} from './format.ts';

export interface PackContent {
  /** undefined where neither the header nor a tail says which pack this is: nothing of it can be told. */
  readonly key: PackKey | undefined;
  readonly isSealed: boolean;
  readonly sizeBytes: number;
  readonly needles: readonly Needle[];
  /** What is not as it was written: the header, the footer. */
  readonly damage: readonly ('header' | 'footer')[];
}

const windowBytes = 1024 * 1024;

/** Rejects with ENOENT where there is no such pack. */
export async function readPack(
  files: Files,
  directory: string,
  number: number,
): Promise<PackContent> {
  const file = await files.open(join(directory, packName(number)), 'read');
  try {
    return await contentOf(file, number);
  } finally {
    await file.close();
  }
}

async function contentOf(file: OpenFile, number: number): Promise<PackContent> {
  const sizeBytes = await file.sizeBytes();
  const head = decodePackHeader(await readAt(file, 0, PACK_HEADER_BYTES), number);
  const tailAt = Math.max(0, sizeBytes - TAIL_BYTES);
  const tail = decodeTail(await readAt(file, tailAt, TAIL_BYTES), { number, sizeBytes });
  const key = head.key ?? tail?.key;
  const damage: PackContent['damage'] = head.isWhole ? [] : ['header'];
  // A tail of another pack is somebody's bytes at the end of an unsealed one.
  const isSealed = tail !== undefined && key !== undefined && tail.key.seed === key.seed;
  if (!key) return { key, isSealed: false, sizeBytes, needles: [], damage };
  const named = isSealed ? await entriesOf(file, tail) : undefined;
  if (named) return { key, isSealed, sizeBytes, needles: named, damage };
  const needles: Needle[] = [];
  for await (const needle of scan(file, key, isSealed ? tail.offset : sizeBytes)) {
    needles.push(needle);
  }
  return { key, isSealed, sizeBytes, needles, damage: isSealed ? [...damage, 'footer'] : damage };
}

async function entriesOf(file: OpenFile, tail: Tail): Promise<Needle[] | undefined> {
  return decodeEntries(await readAt(file, tail.offset, tail.entries * ENTRY_BYTES), tail);
}

async function* scan(file: OpenFile, key: PackKey, end: number): AsyncGenerator<Needle> {
  let window: { at: number; bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) };
  let offset = PACK_HEADER_BYTES;
  while (offset + NEEDLE_HEADER_BYTES <= end) {
    if (offset + NEEDLE_HEADER_BYTES > window.at + window.bytes.length) {
      const bytes = await readAt(file, offset, Math.min(windowBytes, end - offset));
      if (bytes.length < NEEDLE_HEADER_BYTES) return;
      window = { at: offset, bytes };
    }
    const needle = decodeNeedle(window.bytes, offset - window.at, { key, offset });
    // A needle that ends behind the file was torn off: it was never acknowledged.
    const isThere = needle && offset + NEEDLE_HEADER_BYTES + needle.length <= end;
    if (isThere) yield needle;
    offset += isThere ? needleBytes(needle.length) : ALIGNMENT_BYTES;
  }
}

/** Where bytes can be added behind all that is there. */
export function endOf({ sizeBytes }: Pick<PackContent, 'sizeBytes'>): number {
  return aligned(Math.max(sizeBytes, PACK_HEADER_BYTES));
}

/** Fewer bytes than asked for only at the end of the file. */
async function readAt(file: OpenFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, await file.read(bytes, offset));
}

/**
 * The format of a pack on disk, as README.md describes it: constants, and the encoding and decoding of
 * its parts; pure. A value here never changes: what changes gets a new version beside the old one.
 * Integers are little-endian, offsets bytes.
 */
import { crc32 } from 'node:zlib';
import type { BlobId } from '../../domain/names.ts';

/** `aeropac` and the byte 1. */
const PACK_MAGIC = Buffer.from([0x61, 0x65, 0x72, 0x6f, 0x70, 0x61, 0x63, 0x01]);
const VERSION = 1;
const PACK_ID_BYTES = 16;
/** The header stands there twice, so that one damaged sector does not take a pack's name away. */
export const PACK_HEADER_BYTES = 128;
const COPY_BYTES = 64;

const NEEDLE_MAGIC = Buffer.from([0xae, 0x9e, 0xed, 0x1e]);
export const NEEDLE_HEADER_BYTES = 40;
export const ALIGNMENT_BYTES = 8;

const TAIL_MAGIC = Buffer.from([0xae, 0x5e, 0xa1, 0xed]);
export const TAIL_BYTES = 48;
export const ENTRY_BYTES = 24;

/** A body of more bytes is never a needle. */
export const maxNeedleBytes = 64 * 1024;

const packField = { magic: 0, version: 8, headerBytes: 12, id: 16, number: 32, createdMs: 40 };
const packCrcAt = 60;
const needleField = {
  magic: 0,
  version: 4,
  flags: 6,
  length: 8,
  bodyCrc: 12,
  blobId: 16,
  place: 32,
};
const needleCrcAt = 36;
const tailField = {
  magic: 0,
  version: 4,
  flags: 6,
  id: 8,
  number: 24,
  place: 32,
  entries: 36,
  entriesCrc: 40,
};
const tailCrcAt = 44;

/** What a pack is called by, and what the checksums of its needles are seeded with. */
export interface PackKey {
  readonly id: Uint8Array;
  readonly number: number;
  readonly seed: number;
}

/** Where a needle lies in its pack: the offset of its header, and the length of its body. */
export interface Needle {
  readonly blobId: BlobId;
  readonly offset: number;
  readonly length: number;
}

export function packKey(id: Uint8Array, number: number): PackKey {
  const bytes = Buffer.alloc(PACK_ID_BYTES + 8);
  bytes.set(id);
  bytes.writeBigUInt64LE(BigInt(number), PACK_ID_BYTES);
  return { id, number, seed: crc32(bytes) };
}

export function packName(number: number): string {
  return `${String(number).padStart(10, '0')}.pack`;
}

/** The number in the name of a pack. */
export function packNumber(name: string): number | undefined {
  const digits = /^(\d{10})\.pack$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The bytes that a body of `length` takes in a pack, header and padding included. */
export function needleBytes(length: number): number {
  return aligned(NEEDLE_HEADER_BYTES + length);
}

export function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

export function encodePackHeader({ id, number }: PackKey, createdMs: number): Buffer {
  const bytes = Buffer.alloc(COPY_BYTES);
  bytes.set(PACK_MAGIC, packField.magic);
  bytes.writeUInt16LE(VERSION, packField.version);
  bytes.writeUInt32LE(PACK_HEADER_BYTES, packField.headerBytes);
  bytes.set(id, packField.id);
  bytes.writeBigUInt64LE(BigInt(number), packField.number);
  bytes.writeBigUInt64LE(BigInt(createdMs), packField.createdMs);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, packCrcAt)), packCrcAt);
  return Buffer.concat([bytes, bytes]);
}

/** The first bytes of the pack of that number: its key, and whether both copies say so. */
export function decodePackHeader(
  bytes: Buffer,
  number: number,
): { readonly key: PackKey | undefined; readonly isWhole: boolean } {
  const first = decodeCopy(bytes.subarray(0, COPY_BYTES), number);
  const second = decodeCopy(bytes.subarray(COPY_BYTES), number);
  return { key: first ?? second, isWhole: first?.seed === second?.seed && first !== undefined };
}

function decodeCopy(bytes: Buffer, number: number): PackKey | undefined {
  if (bytes.length < COPY_BYTES || !startsWith(bytes, 0, PACK_MAGIC)) return undefined;
  const header = bytes.subarray(0, packCrcAt);
  if (crc32(header) !== bytes.readUInt32LE(packCrcAt)) return undefined;
  const isKnown =
    bytes.readUInt16LE(packField.version) === VERSION &&
    bytes.readUInt32LE(packField.headerBytes) === PACK_HEADER_BYTES;
  if (!isKnown || bytes.readBigUInt64LE(packField.number) !== BigInt(number)) return undefined;
  return packKey(Buffer.from(bytes.subarray(packField.id, packField.id + PACK_ID_BYTES)), number);
}

/**
 * A needle without its place: `image` holds room for the header, the body and the padding. The header
 * is written by `placeNeedle` once it is known where the needle goes.
 */
export interface NeedleDraft {
  readonly blobId: BlobId;
  readonly length: number;
  readonly image: Buffer;
}

export function draftNeedle(blobId: BlobId, body: readonly Uint8Array[]): NeedleDraft {
  let length = 0;
  for (const part of body) length += part.byteLength;
  const image = Buffer.allocUnsafe(needleBytes(length));
  let at = NEEDLE_HEADER_BYTES;
  for (const part of body) {
    image.set(part, at);
    at += part.byteLength;
  }
  image.fill(0, at);
  return { blobId, length, image };
}

/** The body in a draft; shares its memory. */
function bodyOf({ image, length }: NeedleDraft): Buffer {
  return image.subarray(NEEDLE_HEADER_BYTES, NEEDLE_HEADER_BYTES + length);
}

export function placeNeedle(draft: NeedleDraft, key: PackKey, offset: number): void {
  const { image, length, blobId } = draft;
  image.set(NEEDLE_MAGIC, needleField.magic);
  image.writeUInt16LE(VERSION, needleField.version);
  image.writeUInt16LE(0, needleField.flags);
  image.writeUInt32LE(length, needleField.length);
  image.writeUInt32LE(crc32(bodyOf(draft), key.seed), needleField.bodyCrc);
  image.write(blobId, needleField.blobId, 'hex');
  image.writeUInt32LE(offset / ALIGNMENT_BYTES, needleField.place);
  const crc = crc32(image.subarray(0, needleCrcAt), key.seed);
  image.writeUInt32LE(crc, needleCrcAt);
}

/** The needle whose header lies at `at`, where it is one of this pack and of the offset `offset`. */
export function decodeNeedle(
  bytes: Buffer,
  at: number,
  { key, offset }: { readonly key: PackKey; readonly offset: number },
): Needle | undefined {
  if (at + NEEDLE_HEADER_BYTES > bytes.length || !startsWith(bytes, at, NEEDLE_MAGIC)) {
    return undefined;
  }
  const crc = crc32(bytes.subarray(at, at + needleCrcAt), key.seed);
  if (crc !== bytes.readUInt32LE(at + needleCrcAt)) return undefined;
  const length = bytes.readUInt32LE(at + needleField.length);
  const isSound =
    bytes.readUInt16LE(at + needleField.version) === VERSION &&
    bytes.readUInt16LE(at + needleField.flags) === 0 &&
    bytes.readUInt32LE(at + needleField.place) * ALIGNMENT_BYTES === offset &&
    length <= maxNeedleBytes;
  return isSound ? { blobId: blobIdAt(bytes, at + needleField.blobId), offset, length } : undefined;
}

/** Whether the image of a whole needle, padding and all, is what was written. */
export function isWholeNeedle(image: Buffer, { length }: Needle, key: PackKey): boolean {
  const end = NEEDLE_HEADER_BYTES + length;
  const body = image.subarray(NEEDLE_HEADER_BYTES, end);
  if (body.length < length) return false;
  if (crc32(body, key.seed) !== image.readUInt32LE(needleField.bodyCrc)) return false;
  const padding = image.subarray(end, needleBytes(length));
  return padding.length === needleBytes(length) - end && padding.every((byte) => byte === 0);
}

/** Whether the header says that this is the body of that blob; without the checks that need the pack's id. */
export function isHeaderOf(image: Buffer, { blobId, length }: Pick<Needle, 'blobId' | 'length'>) {
  return (
    startsWith(image, 0, NEEDLE_MAGIC) &&
    image.readUInt32LE(needleField.length) === length &&
    blobIdAt(image, needleField.blobId) === blobId
  );
}

/** The end of a sealed pack: where each needle lies, in the order of the file, and the tail. */
export function encodeFooter(key: PackKey, needles: readonly Needle[], offset: number): Buffer {
  const entriesEnd = needles.length * ENTRY_BYTES;
  const bytes = Buffer.alloc(entriesEnd + TAIL_BYTES);
  let at = 0;
  for (const needle of needles) {
    bytes.write(needle.blobId, at, 'hex');
    bytes.writeUInt32LE(needle.offset / ALIGNMENT_BYTES, at + 16);
    bytes.writeUInt32LE(needle.length, at + 20);
    at += ENTRY_BYTES;
  }
  const tail = bytes.subarray(entriesEnd);
  tail.set(TAIL_MAGIC, tailField.magic);
  tail.writeUInt16LE(VERSION, tailField.version);
  tail.set(key.id, tailField.id);
  tail.writeBigUInt64LE(BigInt(key.number), tailField.number);
  tail.writeUInt32LE(offset / ALIGNMENT_BYTES, tailField.place);
  tail.writeUInt32LE(needles.length, tailField.entries);
  tail.writeUInt32LE(crc32(bytes.subarray(0, entriesEnd), key.seed), tailField.entriesCrc);
  tail.writeUInt32LE(crc32(tail.subarray(0, tailCrcAt), key.seed), tailCrcAt);
  return bytes;
}

/** What the last bytes of a sealed pack say. */
export interface Tail {
  readonly key: PackKey;
  /** Where the entries begin: all before it is header and needles. */
  readonly offset: number;
  readonly entries: number;
  readonly entriesCrc: number;
}

/** undefined where these are not the last bytes of the sealed pack of that number and size. */
export function decodeTail(
  bytes: Buffer,
  pack: { readonly number: number; readonly sizeBytes: number },
): Tail | undefined {
  if (bytes.length !== TAIL_BYTES || !startsWith(bytes, 0, TAIL_MAGIC)) return undefined;
  const id = Buffer.from(bytes.subarray(tailField.id, tailField.id + PACK_ID_BYTES));
  const key = packKey(id, pack.number);
  if (crc32(bytes.subarray(0, tailCrcAt), key.seed) !== bytes.readUInt32LE(tailCrcAt)) {
    return undefined;
  }
  const offset = bytes.readUInt32LE(tailField.place) * ALIGNMENT_BYTES;
  const entries = bytes.readUInt32LE(tailField.entries);
  const isKnown =
    bytes.readUInt16LE(tailField.version) === VERSION &&
    bytes.readUInt16LE(tailField.flags) === 0 &&
    bytes.readBigUInt64LE(tailField.number) === BigInt(pack.number);
  const fits = offset + entries * ENTRY_BYTES + TAIL_BYTES === pack.sizeBytes;
  if (!isKnown || !fits || offset < PACK_HEADER_BYTES) return undefined;
  return { key, offset, entries, entriesCrc: bytes.readUInt32LE(tailField.entriesCrc) };
}

/** The needles that a footer names; undefined where its entries are not what was written. */
export function decodeEntries(bytes: Buffer, { key, entriesCrc }: Tail): Needle[] | undefined {
  if (crc32(bytes, key.seed) !== entriesCrc) return undefined;
  const needles: Needle[] = [];
  for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
    needles.push({
      blobId: blobIdAt(bytes, at),
      offset: bytes.readUInt32LE(at + 16) * ALIGNMENT_BYTES,
      length: bytes.readUInt32LE(at + 20),
    });
  }
  return needles;
}

function blobIdAt(bytes: Buffer, at: number): BlobId {
  return bytes.toString('hex', at, at + 16) as BlobId;
}

function startsWith(bytes: Buffer, at: number, magic: Buffer): boolean {
  return (
    bytes.length >= at + magic.length &&
    bytes.compare(magic, 0, magic.length, at, at + magic.length) === 0
  );
}

/**
 * One frame: encode and decode, pure. README.md gives the layout. A frame's checksums are seeded with
 * its segment's key, and its image depends on its offset in the file by the rule of the sectors.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  ALIGNMENT_BYTES,
  CHAIN_BYTES,
  type Decoded,
  FLAG_MASKED,
  FLAGS_KNOWN,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_VERSION,
  frameField,
  frameType,
  invalid,
  LENGTH_BYTES,
  limits,
  PADDING_BYTE,
  readU64,
  type SegmentKey,
  writeU64,
} from './format.ts';
import type { Position } from './log.ts';
import { keepsSectorRule, MASKS, mask } from './mask.ts';

/** Where a frame goes: its segment, its offset in the file, the chain value before it. */
export interface FramePlace {
  readonly key: SegmentKey;
  readonly offset: number;
  readonly chain: Uint8Array;
}

export interface FrameDraft {
  readonly first: Position;
  readonly durable: Position;
  readonly timeMs: number;
  readonly records: readonly Uint8Array[];
}

export interface EncodedFrame {
  /** As it lies in the file. */
  readonly image: Buffer;
  /** The unmasked records with their lengths. */
  readonly region: Buffer;
  readonly chain: Uint8Array;
}

export interface FrameHeader {
  readonly type: number;
  readonly flags: number;
  readonly bodyBytes: number;
  readonly count: number;
  readonly first: Position;
  readonly durable: Position;
  readonly timeMs: number;
  readonly bodyCrc: number;
}

export interface FrameBody {
  readonly region: Buffer;
  readonly chain: Buffer;
}

/** The size of the frame that holds `records`. */
export function frameBytes(records: readonly Uint8Array[]): number {
  let region = 0;
  for (const record of records) region += LENGTH_BYTES + record.byteLength;
  return FRAME_HEADER_BYTES + aligned(region + CHAIN_BYTES);
}

export function encodeFrame(place: FramePlace, draft: FrameDraft): EncodedFrame {
  const plain = Buffer.allocUnsafe(frameBytes(draft.records));
  const end = writeRecords(plain, draft.records);
  const region = plain.subarray(FRAME_HEADER_BYTES, end);
  const fields = { ...draft, type: frameType.records, count: draft.records.length };
  const chain = nextChain(place.chain, fields, region);
  plain.set(chain, end);
  plain.fill(PADDING_BYTE, end + CHAIN_BYTES);
  return { image: finish(plain, place, fields), region, chain };
}

/** The trailer of a segment whose last record is at `last` and whose chain value is `place.chain`. */
export function encodeTrailer(place: FramePlace, end: { last: Position; timeMs: number }): Buffer {
  const plain = Buffer.allocUnsafe(FRAME_HEADER_BYTES + CHAIN_BYTES);
  plain.set(place.chain, FRAME_HEADER_BYTES);
  return finish(plain, place, {
    type: frameType.seal,
    count: 0,
    first: (end.last + 1) as Position,
    durable: end.last,
    timeMs: end.timeMs,
  });
}

/** Whether the bytes at `at` are a frame header of this segment, whatever it says. */
export function isFrameHeader(bytes: Buffer, at: number, key: SegmentKey): boolean {
  if (at + FRAME_HEADER_BYTES > bytes.length) return false;
  if (bytes.compare(FRAME_MAGIC, 0, 4, at, at + 4) !== 0) return false;
  const crc = crc32(bytes.subarray(at, at + frameField.headerCrc), key.seed);
  return crc === bytes.readUInt32LE(at + frameField.headerCrc);
}

export function decodeFrameHeader(
  bytes: Buffer,
  at: number,
  key: SegmentKey,
): Decoded<FrameHeader> {
  if (at + FRAME_HEADER_BYTES > bytes.length) return invalid('the frame header is incomplete');
  if (!isFrameHeader(bytes, at, key)) return invalid('there is no valid frame header');
  const value: FrameHeader = {
    type: bytes.readUInt8(at + frameField.type),
    flags: bytes.readUInt16LE(at + frameField.flags),
    bodyBytes: bytes.readUInt32LE(at + frameField.bodyBytes),
    count: bytes.readUInt32LE(at + frameField.count),
    first: readU64(bytes, at + frameField.first) as Position,
    durable: readU64(bytes, at + frameField.durable) as Position,
    timeMs: readU64(bytes, at + frameField.timeMs),
    bodyCrc: bytes.readUInt32LE(at + frameField.bodyCrc),
  };
  const reason = oddity(value, bytes.readUInt8(at + frameField.version));
  return reason === undefined ? { ok: true, value } : invalid(reason);
}

/** `body` is the body as it lies in the file; the answer may share its memory. */
export function decodeFrameBody(
  body: Buffer,
  header: FrameHeader,
  key: SegmentKey,
): Decoded<FrameBody> {
  if (crc32(body, key.seed) !== header.bodyCrc) return invalid('the body does not match its CRC');
  const masked = (header.flags & FLAG_MASKED) !== 0;
  const plain = masked ? mask(body, key, { first: header.first, retry: header.flags >>> 8 }) : body;
  const end = recordsEnd(plain, header.count);
  if (end === undefined) return invalid('the record lengths do not fit into the body');
  for (let at = end + CHAIN_BYTES; at < plain.length; at++) {
    if (plain[at] !== PADDING_BYTE) return invalid('the padding is wrong');
  }
  const value = { region: plain.subarray(0, end), chain: plain.subarray(end, end + CHAIN_BYTES) };
  return { ok: true, value };
}

/** The records in an unmasked region; they share its memory. */
export function recordsOf(region: Buffer): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < region.length; ) {
    const start = at + LENGTH_BYTES;
    at = start + region.readUInt32LE(at);
    records.push(region.subarray(start, at));
  }
  return records;
}

/** The chain value of a frame of records. */
export function nextChain(
  previous: Uint8Array,
  fields: { type: number; count: number; first: Position; timeMs: number },
  region: Uint8Array,
): Buffer {
  const facts = Buffer.allocUnsafe(22);
  facts.writeUInt8(fields.type, 0);
  facts.writeUInt8(FRAME_VERSION, 1);
  facts.writeUInt32LE(fields.count, 2);
  writeU64(facts, fields.first, 6);
  writeU64(facts, fields.timeMs, 14);
  return createHash('sha256').update(previous).update(facts).update(region).digest();
}

type HeaderFields = Pick<FrameHeader, 'type' | 'count' | 'first' | 'durable' | 'timeMs'>;

function writeRecords(plain: Buffer, records: readonly Uint8Array[]): number {
  let at = FRAME_HEADER_BYTES;
  for (const record of records) {
    plain.writeUInt32LE(record.byteLength, at);
    plain.set(record, at + LENGTH_BYTES);
    at += LENGTH_BYTES + record.byteLength;
  }
  return at;
}

/** Puts the header before the body, masked as often as the rule of the sectors asks for. */
function finish(plain: Buffer, place: FramePlace, fields: HeaderFields): Buffer {
  writeHeader(plain, { ...fields, flags: 0 }, place.key);
  if (keepsSectorRule(plain, place.offset)) return plain;
  const body = plain.subarray(FRAME_HEADER_BYTES);
  for (let retry = 0; retry < MASKS; retry++) {
    const image = Buffer.allocUnsafe(plain.length);
    image.set(mask(body, place.key, { first: fields.first, retry }), FRAME_HEADER_BYTES);
    writeHeader(image, { ...fields, flags: FLAG_MASKED | (retry << 8) }, place.key);
    if (keepsSectorRule(image, place.offset)) return image;
  }
  throw new Error(`no mask keeps the frame at position ${fields.first} apart from zeros`);
}

function writeHeader(
  frame: Buffer,
  fields: HeaderFields & { flags: number },
  key: SegmentKey,
): void {
  frame.set(FRAME_MAGIC, frameField.magic);
  frame.writeUInt8(fields.type, frameField.type);
  frame.writeUInt8(FRAME_VERSION, frameField.version);
  frame.writeUInt16LE(fields.flags, frameField.flags);
  frame.writeUInt32LE(frame.length - FRAME_HEADER_BYTES, frameField.bodyBytes);
  frame.writeUInt32LE(fields.count, frameField.count);
  writeU64(frame, fields.first, frameField.first);
  writeU64(frame, fields.durable, frameField.durable);
  writeU64(frame, fields.timeMs, frameField.timeMs);
  frame.writeUInt32LE(crc32(frame.subarray(FRAME_HEADER_BYTES), key.seed), frameField.bodyCrc);
  const headerCrc = crc32(frame.subarray(0, frameField.headerCrc), key.seed);
  frame.writeUInt32LE(headerCrc, frameField.headerCrc);
}

/** What this version never writes. */
function oddity(header: FrameHeader, version: number): string | undefined {
  if (version !== FRAME_VERSION) return `frame version ${version} is not known`;
  if ((header.flags & ~FLAGS_KNOWN) !== 0) return `frame flags ${header.flags} are not known`;
  if (header.durable !== header.first - 1) return 'the durable position is not the one before';
  if (FRAME_HEADER_BYTES + header.bodyBytes > limits.frameBytes) return 'the frame is too large';
  if (header.bodyBytes % ALIGNMENT_BYTES !== 0) return 'the body is not aligned';
  if (header.type === frameType.records) {
    return header.count === 0 ? 'the frame has no records' : undefined;
  }
  if (header.type !== frameType.seal) return `frame type ${header.type} is not known`;
  const empty = header.count === 0 && header.bodyBytes === CHAIN_BYTES;
  return empty ? undefined : 'the trailer has records';
}

/** Where `count` records end in `plain`, if a chain value and less than 8 bytes of padding follow. */
function recordsEnd(plain: Buffer, count: number): number | undefined {
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + LENGTH_BYTES > plain.length) return undefined;
    at += LENGTH_BYTES + plain.readUInt32LE(at);
  }
  return aligned(at + CHAIN_BYTES) === plain.length ? at : undefined;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

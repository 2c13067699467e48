/**
 * The constants of the format on disk, as README.md describes it. A value here never changes: what
 * changes gets a new version number beside the old one. Integers are little-endian, offsets bytes.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Position } from './log.ts';

/** `aerowal` and the byte 1. */
export const SEGMENT_MAGIC = Buffer.from([0x61, 0x65, 0x72, 0x6f, 0x77, 0x61, 0x6c, 0x01]);
export const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 128;

/** Offsets in a segment header; bytes 88 to 123 are reserved and zero. */
export const segmentField = {
  magic: 0,
  version: 8,
  flags: 10,
  headerBytes: 12,
  logId: 16,
  epoch: 32,
  first: 40,
  createdMs: 48,
  previousChain: 56,
  reserved: 88,
  crc: 124,
} as const;

/** No byte is zero, so that the start of a frame is never taken for a sector of zeros. */
export const FRAME_MAGIC = Buffer.from([0xae, 0x57, 0xa1, 0xf7]);
export const FRAME_VERSION = 1;
export const FRAME_HEADER_BYTES = 48;

/** Offsets in a frame header. */
export const frameField = {
  magic: 0,
  type: 4,
  version: 5,
  flags: 6,
  bodyBytes: 8,
  count: 12,
  first: 16,
  durable: 24,
  timeMs: 32,
  bodyCrc: 40,
  headerCrc: 44,
} as const;

export const frameType = { records: 1, seal: 2 } as const;

/** Bit 0 of the flags: the body is masked. Bits 8 to 15: the retry counter of the mask. */
export const FLAG_MASKED = 1;
export const FLAGS_KNOWN = 0xff01;

export const LOG_ID_BYTES = 16;
export const CHAIN_BYTES = 32;
export const LENGTH_BYTES = 4;
export const ALIGNMENT_BYTES = 8;
export const PADDING_BYTE = 0x5a;
export const SECTOR_BYTES = 512;
/** The sealing trailer: a frame header and a chain value. */
export const TRAILER_BYTES = FRAME_HEADER_BYTES + CHAIN_BYTES;

export interface Limits {
  readonly recordBytes: number;
  /** A whole frame, header included. */
  readonly frameBytes: number;
  readonly segmentBytes: number;
  /** One group commit takes up to this many records … */
  readonly batchRecords: number;
  /** … or bytes, unless a single append is larger. */
  readonly batchBytes: number;
  /** What may wait to be written; a single append always may. */
  readonly queueRecords: number;
  readonly queueBytes: number;
  /** The frames that are kept in memory for followers. */
  readonly ringBytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** `recordBytes` and `frameBytes` belong to the format: a reader takes nothing larger. */
export const limits: Limits = {
  recordBytes: 256 * KIB,
  frameBytes: 4 * MIB,
  segmentBytes: 64 * MIB,
  batchRecords: 512,
  batchBytes: MIB,
  queueRecords: 32 * KIB,
  queueBytes: 32 * MIB,
  ringBytes: 8 * MIB,
};

/** What the checksums of a segment's frames are seeded with. */
export interface SegmentKey {
  readonly logId: Uint8Array;
  readonly first: Position;
  /** The CRC of the log id and the segment's first position. */
  readonly seed: number;
}

export function segmentKey(segment: { logId: Uint8Array; first: Position }): SegmentKey {
  const bytes = Buffer.alloc(LOG_ID_BYTES + 8);
  bytes.set(segment.logId);
  writeU64(bytes, segment.first, LOG_ID_BYTES);
  return { logId: segment.logId, first: segment.first, seed: crc32(bytes) };
}

/** The chain value before the first record of a log. */
export function genesisChain(logId: Uint8Array): Uint8Array {
  return createHash('sha256').update(logId).digest();
}

export function writeU64(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % 0x1_0000_0000, at);
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** A value beyond 2^53 is read imprecisely; none is ever written. */
export function readU64(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * 0x1_0000_0000;
}

/** The same memory with the methods of a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What was read, or why it is not what it should be. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

export function invalid(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

/**
 * One segment file: its name, its header, its beginning and its end. A segment holds the frames from
 * its first position on and, once sealed, a trailer behind the last of them. What is sealed never
 * changes. README.md gives the layout.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Files, type OpenFile, replaceFile } from './files.ts';
import {
  CHAIN_BYTES,
  type Decoded,
  frameType,
  invalid,
  LOG_ID_BYTES,
  readU64,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_VERSION,
  segmentField,
  segmentKey,
  TRAILER_BYTES,
  writeU64,
} from './format.ts';
import { decodeFrameBody, decodeFrameHeader } from './frame.ts';
import type { Position } from './log.ts';

export interface SegmentHeader {
  readonly logId: Uint8Array;
  /** The start (Unix ms) of the process that wrote the segment. */
  readonly epoch: number;
  readonly first: Position;
  readonly createdMs: number;
  /** The chain value of the record before `first`. */
  readonly previousChain: Uint8Array;
}

/** What a trailer says about the end of its segment. */
export interface SegmentEnd {
  readonly last: Position;
  readonly chain: Uint8Array;
  /** The time of the last frame. */
  readonly timeMs: number;
}

export interface SegmentName {
  readonly file: string;
  readonly first: Position;
}

export interface SegmentList {
  /** In position order. */
  readonly segments: readonly SegmentName[];
  /** Files that an interrupted recovery or start left behind and nobody needs. */
  readonly leftovers: readonly string[];
}

const SEGMENT_NAME = /^(\d{20})\.wal$/;
/** What recovery writes the valid part of a segment into; see README.md, "Cutting a torn tail". */
const RECOVERED = '.recovered';
const BROKEN = '.broken';

export function segmentName(first: Position): string {
  return `${String(first).padStart(20, '0')}.wal`;
}

export function recoveredName(file: string): string {
  return file + RECOVERED;
}

/** The name without the suffix of an interrupted recovery. */
export function finalName(file: string): string {
  return file.endsWith(RECOVERED) ? file.slice(0, -RECOVERED.length) : file;
}

/** A name for the damaged `file` that is still free. */
export async function brokenName(files: Files, directory: string, file: string): Promise<string> {
  const taken = new Set((await files.list(directory)).map((entry) => entry.name));
  let name = file + BROKEN;
  for (let count = 2; taken.has(name); count++) name = `${file}${BROKEN}-${count}`;
  return name;
}

/**
 * The segments in `directory`, none where it doesn't exist. A `.recovered` file whose segment is gone
 * is that segment: recovery stopped between its two renames.
 */
export async function listSegments(files: Files, directory: string): Promise<SegmentList> {
  const found = await files.stat(directory);
  if (found === undefined) return { segments: [], leftovers: [] };
  const names = new Set((await files.list(directory)).map((entry) => entry.name));
  const segments: SegmentName[] = [];
  const leftovers: string[] = [];
  for (const name of names) {
    const final = finalName(name);
    const digits = SEGMENT_NAME.exec(final)?.[1];
    if (digits === undefined) {
      if (/^\d{20}\.wal\.new$/.test(name)) leftovers.push(name);
    } else if (name !== final && names.has(final)) {
      leftovers.push(name);
    } else {
      segments.push({ file: name, first: Number(digits) as Position });
    }
  }
  return { segments: segments.sort((a, b) => a.first - b.first), leftovers };
}

/** Creates the file of a segment; header and name are durable when it resolves. */
export async function createSegment(
  files: Files,
  directory: string,
  header: SegmentHeader,
): Promise<OpenFile> {
  const file = await files.open(join(directory, segmentName(header.first)), 'create');
  try {
    await file.write([encodeSegmentHeader(header)], 0);
    await file.sync();
    await files.syncDirectory(directory);
    return file;
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

/** As `createSegment`, in the place of a segment that holds no frames. */
export async function replaceSegment(
  files: Files,
  directory: string,
  header: SegmentHeader,
): Promise<OpenFile> {
  const path = join(directory, segmentName(header.first));
  await replaceFile(files, path, { bytes: encodeSegmentHeader(header) });
  return files.open(path, 'update');
}

function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.set(SEGMENT_MAGIC, segmentField.magic);
  bytes.writeUInt16LE(SEGMENT_VERSION, segmentField.version);
  bytes.writeUInt32LE(SEGMENT_HEADER_BYTES, segmentField.headerBytes);
  bytes.set(header.logId, segmentField.logId);
  writeU64(bytes, header.epoch, segmentField.epoch);
  writeU64(bytes, header.first, segmentField.first);
  writeU64(bytes, header.createdMs, segmentField.createdMs);
  bytes.set(header.previousChain, segmentField.previousChain);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, segmentField.crc)), segmentField.crc);
  return bytes;
}

export function decodeSegmentHeader(bytes: Buffer): Decoded<SegmentHeader> {
  if (bytes.length < SEGMENT_HEADER_BYTES) return invalid('the segment header is incomplete');
  if (!bytes.subarray(0, SEGMENT_MAGIC.length).equals(SEGMENT_MAGIC)) {
    return invalid('there is no segment header');
  }
  const crc = crc32(bytes.subarray(0, segmentField.crc));
  if (crc !== bytes.readUInt32LE(segmentField.crc)) {
    return invalid('the segment header does not match its CRC');
  }
  const version = bytes.readUInt16LE(segmentField.version);
  const flags = bytes.readUInt16LE(segmentField.flags);
  const headerBytes = bytes.readUInt32LE(segmentField.headerBytes);
  if (version !== SEGMENT_VERSION || flags !== 0 || headerBytes !== SEGMENT_HEADER_BYTES) {
    return invalid(`segment version ${version}, flags ${flags} is not known`);
  }
  const at = segmentField;
  const value: SegmentHeader = {
    logId: Buffer.from(bytes.subarray(at.logId, at.logId + LOG_ID_BYTES)),
    epoch: readU64(bytes, at.epoch),
    first: readU64(bytes, at.first) as Position,
    createdMs: readU64(bytes, at.createdMs),
    previousChain: Buffer.from(bytes.subarray(at.previousChain, at.previousChain + CHAIN_BYTES)),
  };
  return { ok: true, value };
}

/** Whether `bytes`, a whole file, is what an interrupted `createSegment` leaves. */
export function isHeadless(bytes: Buffer): boolean {
  return bytes.length <= SEGMENT_HEADER_BYTES && !decodeSegmentHeader(bytes).ok;
}

/** Reads the trailer from the last bytes of a segment. */
export function decodeTrailer(bytes: Buffer, header: SegmentHeader): Decoded<SegmentEnd> {
  const key = segmentKey(header);
  const frame = decodeFrameHeader(bytes, 0, key);
  if (!frame.ok || frame.value.type !== frameType.seal || bytes.length !== TRAILER_BYTES) {
    return invalid('there is no valid trailer');
  }
  const body = decodeFrameBody(bytes.subarray(TRAILER_BYTES - CHAIN_BYTES), frame.value, key);
  if (!body.ok) return body;
  const { durable, timeMs } = frame.value;
  return { ok: true, value: { last: durable, chain: body.value.chain, timeMs } };
}

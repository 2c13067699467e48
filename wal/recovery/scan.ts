/**
 * Reads a whole segment from memory and judges the first place that is not valid: torn or corrupt.
 * Pure, and the same code under recovery, `verifyLog` and the exhaustive tests. README.md,
 * "Recovery", gives the rule and why it is so.
 */
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  frameType,
  SEGMENT_HEADER_BYTES,
  type SegmentKey,
  segmentKey,
} from '../format.ts';
import {
  decodeFrameBody,
  decodeFrameHeader,
  type FrameHeader,
  isFrameHeader,
  nextChain,
} from '../frame.ts';
import type { Position } from '../log.ts';
import { hasZeroSector } from '../mask.ts';
import type { SegmentHeader } from '../segment.ts';

export interface ScannedFrame {
  readonly offset: number;
  readonly end: number;
  readonly header: FrameHeader;
  readonly last: Position;
  /** The unmasked records with their lengths. */
  readonly region: Buffer;
  readonly chain: Buffer;
}

/** The first place that holds no valid frame although bytes are there. */
interface Fault {
  readonly offset: number;
  readonly position: Position;
  readonly reason: string;
  /** A crash of the writer explains it, if this is the last segment of its log. */
  readonly torn: boolean;
}

export interface Scan {
  readonly header: SegmentHeader;
  readonly frames: number;
  /** The last valid position; `first` - 1 where there is none. */
  readonly last: Position;
  readonly chain: Uint8Array;
  /** The time of the last frame, 0 where there is none. */
  readonly timeMs: number;
  /** Bytes from the start of the file to the end of the last valid frame or trailer. */
  readonly end: number;
  /** The offset of the last frame of records. */
  readonly lastFrame: number | undefined;
  readonly sealed: boolean;
  readonly fault: Fault | undefined;
}

/** Yields the valid frames of records in order and returns what was found in all. */
export function* walkSegment(
  bytes: Buffer,
  header: SegmentHeader,
): Generator<ScannedFrame, Scan, undefined> {
  const key = segmentKey(header);
  let scan = emptyScan(header);
  while (scan.end < bytes.length) {
    const step = readFrame(bytes, scan, key);
    if ('fault' in step) return { ...scan, fault: step.fault };
    if (step.frame.header.type === frameType.seal) {
      scan = { ...scan, end: step.frame.end, sealed: true };
      continue;
    }
    yield step.frame;
    scan = advance(scan, step.frame);
  }
  return scan;
}

/** As `walkSegment` for callers that want the result only. */
export function scanSegment(bytes: Buffer, header: SegmentHeader): Scan {
  const walk = walkSegment(bytes, header);
  let step = walk.next();
  while (!step.done) step = walk.next();
  return step.value;
}

function emptyScan(header: SegmentHeader): Scan {
  return {
    header,
    frames: 0,
    last: (header.first - 1) as Position,
    chain: header.previousChain,
    timeMs: 0,
    end: SEGMENT_HEADER_BYTES,
    lastFrame: undefined,
    sealed: false,
    fault: undefined,
  };
}

function advance(scan: Scan, frame: ScannedFrame): Scan {
  return {
    header: scan.header,
    frames: scan.frames + 1,
    last: frame.last,
    chain: frame.chain,
    timeMs: frame.header.timeMs,
    end: frame.end,
    lastFrame: frame.offset,
    sealed: false,
    fault: undefined,
  };
}

function readFrame(
  bytes: Buffer,
  scan: Scan,
  key: SegmentKey,
): { frame: ScannedFrame } | { fault: Fault } {
  const offset = scan.end;
  const fault = (reason: string, torn: boolean) => ({
    fault: { offset, position: (scan.last + 1) as Position, reason, torn },
  });
  if (scan.sealed) return fault('bytes follow the trailer', false);
  const header = decodeFrameHeader(bytes, offset, key);
  if (!header.ok) return fault(header.reason, isTornHeader(bytes, offset, key));
  const misplaced = misplacement(header.value, scan);
  if (misplaced !== undefined) return fault(misplaced, false);
  const end = offset + FRAME_HEADER_BYTES + header.value.bodyBytes;
  if (end > bytes.length) {
    return fault('the frame runs past the end', !isHeaderAfter(bytes, offset, key));
  }
  const body = decodeFrameBody(bytes.subarray(offset + FRAME_HEADER_BYTES, end), header.value, key);
  if (!body.ok) return fault(body.reason, isTornBody(bytes, { offset, end }, key));
  const { region, chain } = body.value;
  if (!chain.equals(chainAfter(scan, header.value, region))) {
    return fault('the chain value does not follow from the one before', false);
  }
  const last = (header.value.first + header.value.count - 1) as Position;
  return { frame: { offset, end, header: header.value, last, region, chain } };
}

/** A frame that is whole in itself but was not written as the next one here. */
function misplacement(header: FrameHeader, scan: Scan): string | undefined {
  if (header.first !== scan.last + 1) return `the frame there is for position ${header.first}`;
  if (header.timeMs < scan.timeMs) return 'the frame is older than the one before';
  if (header.type === frameType.seal && header.timeMs !== scan.timeMs) {
    return 'the trailer has another time than the last frame';
  }
  return undefined;
}

function chainAfter(scan: Scan, header: FrameHeader, region: Buffer): Uint8Array {
  return header.type === frameType.seal ? scan.chain : nextChain(scan.chain, header, region);
}

/** No valid header lies at `offset`: its write did not finish, or it is damaged. */
function isTornHeader(bytes: Buffer, offset: number, key: SegmentKey): boolean {
  // A header that is whole but not understood was written by something else than a crash.
  if (isFrameHeader(bytes, offset, key)) return false;
  if (isHeaderAfter(bytes, offset, key)) return false;
  return bytes.length - offset < FRAME_HEADER_BYTES || hasZeroSector(bytes, offset);
}

/** The header at `offset` is valid and its body, up to `end`, is not. */
function isTornBody(
  bytes: Buffer,
  frame: { offset: number; end: number },
  key: SegmentKey,
): boolean {
  if (isHeaderAfter(bytes, frame.offset, key)) return false;
  // The torn write is the last one, so nothing can lie behind it.
  return frame.end === bytes.length && hasZeroSector(bytes, frame.offset);
}

/**
 * Whether a frame of this segment begins after `offset`. Its header is enough: it was written only
 * once everything before it was durable.
 */
function isHeaderAfter(bytes: Buffer, offset: number, key: SegmentKey): boolean {
  let at = bytes.indexOf(FRAME_MAGIC, offset + 1);
  while (at >= 0) {
    if (at % 8 === 0 && isFrameHeader(bytes, at, key)) return true;
    at = bytes.indexOf(FRAME_MAGIC, at + 1);
  }
  return false;
}

/**
 * What lies in a log's directory, read only: every segment's header and trailer, how they join, and
 * all of the last segment. Recovery decides by it, `inspectLog` shows it.
 */
import { join } from 'node:path';
import { LogCorrupt } from '../errors.ts';
import type { Files } from '../files.ts';
import { asBuffer, genesisChain, SEGMENT_HEADER_BYTES, TRAILER_BYTES } from '../format.ts';
import type { Position } from '../log.ts';
import {
  decodeSegmentHeader,
  decodeTrailer,
  isHeadless,
  listSegments,
  type SegmentEnd,
  type SegmentHeader,
  type SegmentName,
} from '../segment.ts';
import { type Scan, scanSegment } from './scan.ts';

export interface SealedSegment {
  readonly file: string;
  readonly header: SegmentHeader;
  readonly end: SegmentEnd;
  readonly sizeBytes: number;
}

/** The last segment that has a header, sealed or not. */
export interface LastSegment {
  readonly file: string;
  readonly bytes: Buffer;
  readonly scan: Scan;
}

export interface Survey {
  /** All but the last. */
  readonly sealed: readonly SealedSegment[];
  readonly last: LastSegment | undefined;
  /** A file behind the last segment whose header was never written whole. */
  readonly headless: { readonly file: string; readonly sizeBytes: number } | undefined;
  readonly leftovers: readonly string[];
}

/** Where a segment ends, for the next one to join. */
export interface Joint {
  readonly header: SegmentHeader;
  readonly end: SegmentEnd;
}

/** Throws LogCorrupt for a fault outside of the last segment; the last one's is in its scan. */
export async function surveyLog(files: Files, directory: string): Promise<Survey> {
  const { segments, leftovers } = await listSegments(files, directory);
  const names = [...segments];
  const headless = await takeHeadless(files, directory, names);
  const lastName = names.pop();
  const sealed: SealedSegment[] = [];
  for (const name of names) {
    const segment = await readSealed(files, directory, name);
    requireJoint(sealed.at(-1), name, segment.header);
    sealed.push(segment);
  }
  if (lastName === undefined) return { sealed, last: undefined, headless, leftovers };
  const last = await readLast(files, directory, lastName);
  requireJoint(sealed.at(-1), lastName, last.scan.header);
  if (headless !== undefined && !last.scan.sealed) {
    const { file, scan } = last;
    const reason = 'a segment follows, but this one has no trailer';
    throw new LogCorrupt({ file, offset: scan.end, position: next(scan.last), reason });
  }
  return { sealed, last, headless, leftovers };
}

/** The header of a whole segment in memory; throws LogCorrupt. */
export function readHeader(bytes: Buffer, name: SegmentName): SegmentHeader {
  const header = decodeSegmentHeader(bytes);
  const reason = header.ok
    ? header.value.first === name.first
      ? undefined
      : `the header is for position ${header.value.first}`
    : header.reason;
  if (!header.ok || reason !== undefined) {
    const { file, first } = name;
    throw new LogCorrupt({ file, offset: 0, position: first, reason: reason ?? 'no header' });
  }
  return header.value;
}

/** Why a segment with `header` can't follow on `previous`, if so. */
export function mismatch(previous: Joint | undefined, header: SegmentHeader): string | undefined {
  if (previous === undefined) {
    const begins = header.first !== 1 || same(header.previousChain, genesisChain(header.logId));
    return begins ? undefined : 'the chain value is not the one that a log begins with';
  }
  if (!same(previous.header.logId, header.logId)) return 'the segment belongs to another log';
  if (header.first !== previous.end.last + 1) {
    return `the segment before ends at position ${previous.end.last}`;
  }
  if (!same(header.previousChain, previous.end.chain)) {
    return 'the chain value is not the one that the segment before ends with';
  }
  return header.epoch < previous.header.epoch ? 'the epoch goes back' : undefined;
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function requireJoint(previous: Joint | undefined, name: SegmentName, header: SegmentHeader): void {
  const reason = mismatch(previous, header);
  if (reason === undefined) return;
  throw new LogCorrupt({ file: name.file, offset: 0, position: name.first, reason });
}

/** Takes the last name off `names` if its file ends before or within an invalid header. */
async function takeHeadless(
  files: Files,
  directory: string,
  names: SegmentName[],
): Promise<Survey['headless']> {
  const name = names.at(-1);
  if (name === undefined) return undefined;
  const found = await files.stat(join(directory, name.file));
  if (found === undefined || found.sizeBytes > SEGMENT_HEADER_BYTES) return undefined;
  const bytes = asBuffer(await files.readFile(join(directory, name.file)));
  if (!isHeadless(bytes)) return undefined;
  names.pop();
  return { file: name.file, sizeBytes: bytes.length };
}

async function readSealed(
  files: Files,
  directory: string,
  name: SegmentName,
): Promise<SealedSegment> {
  const file = await files.open(join(directory, name.file), 'read');
  try {
    const sizeBytes = await file.sizeBytes();
    const head = Buffer.alloc(Math.min(SEGMENT_HEADER_BYTES, sizeBytes));
    await file.read(head, 0);
    const header = readHeader(head, name);
    const offset = Math.max(SEGMENT_HEADER_BYTES, sizeBytes - TRAILER_BYTES);
    const tail = Buffer.alloc(Math.min(TRAILER_BYTES, sizeBytes - SEGMENT_HEADER_BYTES));
    await file.read(tail, offset);
    const end = decodeTrailer(tail, header);
    if (end.ok) return { file: name.file, header, end: end.value, sizeBytes };
    throw new LogCorrupt({ file: name.file, offset, position: name.first, reason: end.reason });
  } finally {
    await file.close();
  }
}

async function readLast(files: Files, directory: string, name: SegmentName): Promise<LastSegment> {
  const bytes = asBuffer(await files.readFile(join(directory, name.file)));
  const header = readHeader(bytes, name);
  return { file: name.file, bytes, scan: scanSegment(bytes, header) };
}

function next(position: Position): Position {
  return (position + 1) as Position;
}

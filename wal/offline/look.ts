/**
 * Looking at a log without opening it. Nothing here writes, and another process may be appending
 * meanwhile: an end that a crash or a write under way explains is a `tail`, not corruption.
 */
import { join } from 'node:path';
import { LogCorrupt } from '../errors.ts';
import type { Files } from '../files.ts';
import { asBuffer } from '../format.ts';
import type { Frame, Position } from '../log.ts';
import { type ScannedFrame, walkSegment } from '../recovery/scan.ts';
import { type Joint, mismatch, readHeader, surveyLog } from '../recovery/survey.ts';
import { isHeadless, listSegments } from '../segment.ts';
import { frameOf } from '../tail.ts';

/** The unfinished end of a log. */
export interface LogTail {
  readonly file: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly reason: string;
}

export interface SegmentFacts {
  readonly file: string;
  readonly epoch: number;
  readonly first: Position;
  /** `first` - 1 in a segment without records. */
  readonly last: Position;
  /** The whole file. */
  readonly sizeBytes: number;
  readonly sealed: boolean;
  readonly createdMs: number;
}

export interface LogFacts {
  /** 16 bytes in hex; undefined where there is no log. */
  readonly id: string | undefined;
  readonly segments: readonly SegmentFacts[];
  readonly records: number;
  readonly sizeBytes: number;
  readonly oldest: Position;
  readonly head: Position;
  /** The chain value at the head, in hex. */
  readonly chain: string | undefined;
  readonly tail: LogTail | undefined;
}

/** Reads every header and trailer and the last segment; throws LogCorrupt. */
export async function inspectLog(files: Files, directory: string): Promise<LogFacts> {
  const { sealed, last, headless } = await surveyLog(files, directory);
  const segments: SegmentFacts[] = sealed.map(({ file, header, end, sizeBytes }) => {
    const { epoch, first, createdMs } = header;
    return { file, epoch, first, last: end.last, sizeBytes, sealed: true, createdMs };
  });
  if (last !== undefined) {
    const { fault, header, end } = last.scan;
    if (fault !== undefined && !fault.torn) throw new LogCorrupt({ ...fault, file: last.file });
    const { epoch, first, createdMs } = header;
    const { sealed, last: position } = last.scan;
    const sizeBytes = fault === undefined ? end : last.bytes.length;
    const { file } = last;
    segments.push({ file, epoch, first, last: position, sizeBytes, sealed, createdMs });
  }
  const head = last?.scan.last ?? (0 as Position);
  const oldest = segments[0]?.first ?? (1 as Position);
  return {
    id: last && Buffer.from(last.scan.header.logId).toString('hex'),
    segments,
    records: head - oldest + 1,
    sizeBytes: segments.reduce((sum, segment) => sum + segment.sizeBytes, 0),
    oldest,
    head,
    chain: last && Buffer.from(last.scan.chain).toString('hex'),
    tail: headless
      ? { ...headless, offset: 0, reason: 'the segment header is incomplete' }
      : last && tailOf(last.file, last.bytes.length, last.scan.fault),
  };
}

/** A frame with the place where it lies. */
export interface StoredFrame extends Frame {
  /** The name of the segment's file. */
  readonly segment: string;
  /** Bytes from the start of that file. */
  readonly offset: number;
}

/**
 * The frames with records after `after`, from the oldest one that is held, up to the end or an
 * unfinished tail. Each is checked, chain included; throws LogCorrupt at the first that is damaged.
 */
export async function* readLog(
  files: Files,
  directory: string,
  options: { after?: Position } = {},
): AsyncGenerator<StoredFrame, void, undefined> {
  const after = options.after ?? (0 as Position);
  const { segments } = await listSegments(files, directory);
  const needed = segments.findLastIndex(({ first }) => first <= after + 1);
  let previous: Joint | undefined;
  for (const name of segments.slice(Math.max(0, needed))) {
    const isLast = name === segments.at(-1);
    const bytes = asBuffer(await files.readFile(join(directory, name.file)));
    if (isLast && isHeadless(bytes)) return;
    const header = readHeader(bytes, name);
    const reason = previous && mismatch(previous, header);
    const { file, first: position } = name;
    if (reason !== undefined) throw new LogCorrupt({ file, offset: 0, position, reason });
    const walk = walkSegment(bytes, header);
    let step = walk.next();
    for (; !step.done; step = walk.next()) {
      if (step.value.last > after) yield storedFrame(step.value, name.file, header.epoch);
    }
    const { fault, sealed, end, last, chain, timeMs } = step.value;
    if (fault !== undefined && !(isLast && fault.torn)) throw new LogCorrupt({ ...fault, file });
    if (!sealed && !isLast) {
      throw new LogCorrupt({ file, offset: end, position: last, reason: 'there is no trailer' });
    }
    previous = { header, end: { last, chain, timeMs } };
  }
}

export function tailOf(
  file: string,
  sizeBytes: number,
  fault: { offset: number; reason: string } | undefined,
): LogTail | undefined {
  if (fault === undefined) return undefined;
  const { offset, reason } = fault;
  return { file, offset, sizeBytes: sizeBytes - offset, reason };
}

function storedFrame(frame: ScannedFrame, segment: string, epoch: number): StoredFrame {
  const { header, last, region, chain, offset } = frame;
  const { first, timeMs } = header;
  return { ...frameOf({ first, last, epoch, timeMs, chain, region }), segment, offset };
}

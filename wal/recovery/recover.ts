/**
 * Brings a log's directory from what a stop of any kind left behind to segments that are all whole
 * and sealed: cuts off a torn last frame, refuses everything else. README.md, "Recovery", is the rule.
 *
 * It reads everything first and changes nothing before it has decided; after that a crash between any
 * two of its steps is recovered by running it again.
 */
import { dirname, join } from 'node:path';
import { LogCorrupt } from '../errors.ts';
import type { Files } from '../files.ts';
import { genesisChain, segmentKey } from '../format.ts';
import { encodeTrailer } from '../frame.ts';
import type { Position } from '../log.ts';
import { finalName } from '../segment.ts';
import { replaceSegmentBytes, setSegmentAside } from './cut.ts';
import { type LastSegment, type SealedSegment, type Survey, surveyLog } from './survey.ts';
import { requireWitnesses, type Witness } from './witness.ts';

/** What recovery found and did. File names are relative to the log's directory. */
export interface RecoveryReport {
  /** There was no log. */
  readonly created: boolean;
  /** Segments that were checked, the last one by every byte. */
  readonly segments: number;
  /** Frames of records in the last segment. */
  readonly frames: number;
  readonly head: Position;
  /** The torn tail that was cut off, and the whole segment as it was found. */
  readonly torn?: {
    readonly file: string;
    readonly offset: number;
    readonly sizeBytes: number;
    readonly reason: string;
    readonly keptAs: string;
  };
  /** A last segment whose header was never written whole. */
  readonly setAside?: { readonly file: string; readonly keptAs: string };
}

export interface Recovered {
  readonly logId: Uint8Array;
  readonly segments: readonly SealedSegment[];
  readonly head: Position;
  readonly chain: Uint8Array;
  /** The time of the last frame and the last epoch; 0 in a new log. */
  readonly timeMs: number;
  readonly epoch: number;
  /** The last segment has no frames: the next one takes its name. */
  readonly replacesEmpty: boolean;
  readonly report: RecoveryReport;
}

export interface RecoveryOptions {
  readonly files: Files;
  readonly directory: string;
  readonly witnesses: readonly Witness[];
  readonly newLogId: () => Uint8Array;
}

export async function recoverLog(options: RecoveryOptions): Promise<Recovered> {
  const { files, directory } = options;
  const survey = await surveyLog(files, directory);
  refuseCorruption(survey);
  await requireWitnesses({ files, directory, survey }, options.witnesses);
  await makeDirectory(files, directory);
  for (const file of survey.leftovers) await files.remove(join(directory, file));
  const setAside = await setAsideHeadless(options, survey);
  const { last } = survey;
  if (last === undefined) return begin(options.newLogId(), setAside);
  const torn = await settleTail(options, last);
  const sealed = await seal(options, last);
  return {
    logId: last.scan.header.logId,
    segments: sealed === undefined ? survey.sealed : [...survey.sealed, sealed],
    head: last.scan.last,
    chain: last.scan.chain,
    timeMs: sealed?.end.timeMs ?? survey.sealed.at(-1)?.end.timeMs ?? 0,
    epoch: last.scan.header.epoch,
    replacesEmpty: sealed === undefined,
    report: {
      created: false,
      segments: survey.sealed.length + 1,
      frames: last.scan.frames,
      head: last.scan.last,
      ...(torn && { torn }),
      ...(setAside && { setAside }),
    },
  };
}

/** A new log, of which nothing is on disk yet. */
function begin(logId: Uint8Array, setAside: RecoveryReport['setAside']): Recovered {
  const head = 0 as Position;
  const report = { created: true, segments: 0, frames: 0, head, ...(setAside && { setAside }) };
  const chain = genesisChain(logId);
  return { logId, segments: [], head, chain, timeMs: 0, epoch: 0, replacesEmpty: false, report };
}

/** The faults outside of the last segment were refused by the survey. */
function refuseCorruption({ last }: Survey): void {
  const fault = last?.scan.fault;
  if (last === undefined || fault === undefined || fault.torn) return;
  throw new LogCorrupt({ ...fault, file: last.file });
}

async function makeDirectory(files: Files, directory: string): Promise<void> {
  // Synced even where it was there: the start that made it may have been cut off before its sync.
  await files.makeDirectory(directory);
  await files.syncDirectory(dirname(directory));
}

async function setAsideHeadless(
  { files, directory }: RecoveryOptions,
  survey: Survey,
): Promise<RecoveryReport['setAside']> {
  if (survey.headless === undefined) return undefined;
  const file = finalName(survey.headless.file);
  const place = { file: survey.headless.file, as: file };
  return { file, keptAs: await setSegmentAside(files, directory, place) };
}

/** Leaves the last segment under its own name and without a torn end. */
async function settleTail(
  options: RecoveryOptions,
  last: LastSegment,
): Promise<RecoveryReport['torn']> {
  const { files, directory } = options;
  const path = join(directory, finalName(last.file));
  if (last.file !== finalName(last.file)) {
    await files.rename(join(directory, last.file), path);
    await files.syncDirectory(directory);
  }
  const { fault, end } = last.scan;
  if (fault === undefined) return undefined;
  const file = finalName(last.file);
  const parts = [last.bytes.subarray(0, end)];
  const keptAs = await replaceSegmentBytes(files, directory, { file, parts });
  const sizeBytes = last.bytes.length - end;
  return { file, offset: end, sizeBytes, reason: fault.reason, keptAs };
}

/**
 * Writes the trailer of the last segment where it is missing. The last frame and a trailer that is
 * there are written once more, byte for byte: their sync may have failed, and pages whose sync failed
 * count as clean to the kernel though they never reached the disk. A segment without frames gets no
 * trailer; it is replaced.
 */
async function seal(
  { files, directory }: RecoveryOptions,
  last: LastSegment,
): Promise<SealedSegment | undefined> {
  const { scan, bytes } = last;
  const { header, chain, timeMs } = scan;
  if (scan.lastFrame === undefined) return undefined;
  const file = finalName(last.file);
  const end = { last: scan.last, chain, timeMs };
  const place = { key: segmentKey(header), offset: scan.end, chain };
  const trailer = scan.sealed ? Buffer.alloc(0) : encodeTrailer(place, end);
  const lastFrame = bytes.subarray(scan.lastFrame, scan.end);
  const opened = await files.open(join(directory, file), 'update');
  try {
    await opened.write([lastFrame, trailer], scan.lastFrame);
    await opened.sync();
  } finally {
    await opened.close();
  }
  return { file, header, end, sizeBytes: scan.end + trailer.length };
}

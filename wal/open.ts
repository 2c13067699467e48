/**
 * Opens a log: recovery, then a new segment with a new epoch, then the parts put together. Opening
 * the same directory twice at a time is prevented by the lock of the data directory, not here.
 */
import { DiskSegments } from './disk.ts';
import type { Files } from './files.ts';
import { type Limits, LOG_ID_BYTES, limits } from './format.ts';
import type { Log, Position } from './log.ts';
import { followFrames, readFrames, type Shelf } from './reader.ts';
import { type Recovered, type RecoveryReport, recoverLog } from './recovery/recover.ts';
import type { Witness } from './recovery/witness.ts';
import { createSegment, replaceSegment } from './segment.ts';
import { Tail } from './tail.ts';
import { Writer } from './writer.ts';

export interface OpenLogOptions {
  readonly files: Files;
  /** Created where it is missing; its parent must exist. */
  readonly directory: string;
  readonly witnesses?: readonly Witness[];
  readonly limits?: Partial<Limits>;
  /** Unix ms. */
  readonly now: () => number;
  readonly random: (bytes: number) => Uint8Array;
}

/** Throws LogCorrupt or LogBehindWitness, having changed nothing, or an error of the disk. */
export async function openLog(
  options: OpenLogOptions,
): Promise<{ log: Log; report: RecoveryReport }> {
  const { files, directory, witnesses = [], now, random } = options;
  const bounds = { ...limits, ...options.limits };
  const newLogId = () => random(LOG_ID_BYTES);
  const recovered = await recoverLog({ files, directory, witnesses, newLogId });
  const segments = new DiskSegments({
    files,
    directory,
    segmentBytes: bounds.segmentBytes,
    now,
    sealed: recovered.segments,
    active: await beginEpoch(options, recovered),
  });
  const tail = new Tail({ position: recovered.head, chain: recovered.chain }, bounds.ringBytes);
  const { timeMs } = recovered;
  const writer = new Writer({ tail, sink: segments, limits: bounds, now, timeMs });
  const id = Buffer.from(recovered.logId).toString('hex');
  return {
    log: assembleLog({ id, epoch: segments.epoch, tail, writer, shelf: segments }),
    report: recovered.report,
  };
}

export interface LogParts {
  readonly id: string;
  readonly epoch: number;
  readonly tail: Tail;
  readonly writer: Writer;
  readonly shelf: Shelf;
}

/** A log of whatever its frames lie on. */
export function assembleLog(parts: LogParts): Log {
  const { id, epoch, tail, writer, shelf } = parts;
  return {
    id,
    epoch,
    get head() {
      return tail.head;
    },
    get oldest() {
      return shelf.oldest;
    },
    get chainHead() {
      return tail.chainHead;
    },
    append: (_partition, records, options) => writer.append(records, options),
    read: (_partition, after, signal) => readFrames(parts, after, signal),
    follow: (_partition, after, signal) => followFrames(parts, after, signal),
    waitFor: (position, signal) => tail.waitFor(position, signal),
    epochAt: (position) => (position > tail.head ? undefined : shelf.epochAt(position)),
    distance: (from: Position, to: Position) => Math.max(0, to - from),
    truncateBefore: (_partition, position) => shelf.truncateBefore(position),
    poisoned: writer.poisoned,
    close: () => writer.close(),
  };
}

async function beginEpoch({ files, directory, now }: OpenLogOptions, recovered: Recovered) {
  const createdMs = now();
  const header = {
    logId: recovered.logId,
    epoch: Math.max(createdMs, recovered.epoch + 1),
    first: (recovered.head + 1) as Position,
    createdMs,
    previousChain: recovered.chain,
  };
  const begin = recovered.replacesEmpty ? replaceSegment : createSegment;
  return { header, file: await begin(files, directory, header) };
}

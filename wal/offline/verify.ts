/**
 * Reads every byte of a log and tells what doesn't fit: headers, trailers, frames, positions, the
 * chain inside of the segments and between them, and the witnesses. Nothing is written; a problem
 * does not stop it.
 */
import { join } from 'node:path';
import { type Damage, LogCorrupt } from '../errors.ts';
import type { Files } from '../files.ts';
import { asBuffer } from '../format.ts';
import type { Position } from '../log.ts';
import { type Scan, type ScannedFrame, walkSegment } from '../recovery/scan.ts';
import { type Joint, mismatch, readHeader, same } from '../recovery/survey.ts';
import type { Witness } from '../recovery/witness.ts';
import { isHeadless, listSegments, type SegmentName } from '../segment.ts';
import { type LogTail, tailOf } from './look.ts';

export interface VerifyOptions {
  readonly witnesses?: readonly Witness[];
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/** Told after each segment. */
export interface VerifyProgress {
  readonly segments: number;
  readonly segmentsTotal: number;
  readonly records: number;
}

export interface Verification {
  /** There are no problems; a tail is none. */
  readonly ok: boolean;
  readonly segments: number;
  /** Records that were read and are whole. */
  readonly records: number;
  readonly head: Position;
  /** The chain value at the head, in hex. */
  readonly chain: string | undefined;
  readonly problems: readonly Damage[];
  readonly tail: LogTail | undefined;
}

export async function verifyLog(
  files: Files,
  directory: string,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { segments } = await listSegments(files, directory);
  const witnesses = options.witnesses ?? [];
  const run = new Run(witnesses);
  for (const [index, name] of segments.entries()) {
    const bytes = asBuffer(await files.readFile(join(directory, name.file)));
    run.take(name, bytes, index === segments.length - 1);
    const { records } = run;
    options.onProgress?.({ segments: index + 1, segmentsTotal: segments.length, records });
  }
  run.finish();
  return {
    ok: run.problems.length === 0,
    segments: segments.length,
    records: run.records,
    head: run.head,
    chain: run.chain && Buffer.from(run.chain).toString('hex'),
    problems: run.problems,
    tail: run.tail,
  };
}

/** One pass over the segments in order. */
class Run {
  readonly problems: Damage[] = [];
  records = 0;
  head = 0 as Position;
  chain: Uint8Array | undefined;
  tail: LogTail | undefined;
  /** The end of the segment before, where it is known; undefined before the first. */
  #previous: Joint | undefined;
  #isFirst = true;
  #oldest = 1 as Position;
  #file = '';
  readonly #witnesses: readonly Witness[];
  /** The witnesses whose chain value was found at their position. */
  readonly #agreed = new Set<Witness>();

  constructor(witnesses: readonly Witness[]) {
    this.#witnesses = witnesses;
  }

  take(name: SegmentName, bytes: Buffer, isLast: boolean): void {
    if (isLast && isHeadless(bytes)) {
      this.tail = tailOf(name.file, bytes.length, { offset: 0, reason: 'no segment header' });
      return;
    }
    this.#file = name.file;
    try {
      this.#read(name, bytes, isLast);
    } catch (cause) {
      if (!(cause instanceof LogCorrupt)) throw cause;
      this.problems.push(damageOf(cause));
      this.#previous = undefined;
    }
    this.#isFirst = false;
  }

  finish(): void {
    for (const witness of this.#witnesses) {
      const { name, position, chain } = witness;
      const behind = position > this.head;
      const truncated = position < this.#oldest - 1;
      const differs = chain !== undefined && !truncated && !this.#agreed.has(witness);
      if (!behind && !differs) continue;
      const reason = behind
        ? `the log ends at position ${this.head}, but ${name} knows of ${position}`
        : `the chain value is not the one that ${name} remembers`;
      this.problems.push({ file: this.#file, offset: 0, position, reason });
    }
  }

  #read(name: SegmentName, bytes: Buffer, isLast: boolean): void {
    const header = readHeader(bytes, name);
    if (this.#isFirst) this.#oldest = header.first;
    const comparable = this.#isFirst || this.#previous !== undefined;
    const reason = comparable ? mismatch(this.#previous, header) : undefined;
    if (reason !== undefined) this.#note(name, reason);
    this.#witness((header.first - 1) as Position, header.previousChain);
    const walk = walkSegment(bytes, header);
    let step = walk.next();
    for (; !step.done; step = walk.next()) this.#frame(step.value);
    this.#end(name, step.value, { isLast, sizeBytes: bytes.length });
  }

  #frame(frame: ScannedFrame): void {
    this.records += frame.header.count;
    this.#witness(frame.last, frame.chain);
  }

  #end(name: SegmentName, scan: Scan, place: { isLast: boolean; sizeBytes: number }): void {
    const { file } = name;
    const { fault, last, chain, timeMs, header, sealed } = scan;
    this.head = last;
    this.chain = chain;
    this.#previous = { header, end: { last, chain, timeMs } };
    if (fault !== undefined && place.isLast && fault.torn) {
      this.tail = tailOf(file, place.sizeBytes, fault);
    } else if (fault !== undefined) {
      const { offset, position, reason } = fault;
      this.problems.push({ file, offset, position, reason });
      this.#previous = undefined;
    } else if (!sealed && !place.isLast) {
      const position = (last + 1) as Position;
      this.problems.push({ file, offset: scan.end, position, reason: 'there is no trailer' });
    }
  }

  #witness(position: Position, chain: Uint8Array): void {
    for (const witness of this.#witnesses) {
      if (witness.position !== position || witness.chain === undefined) continue;
      if (same(witness.chain, chain)) this.#agreed.add(witness);
    }
  }

  #note(name: SegmentName, reason: string): void {
    this.problems.push({ file: name.file, offset: 0, position: name.first, reason });
  }
}

function damageOf({ file, offset, position, reason }: LogCorrupt): Damage {
  return { file, offset, position, reason };
}

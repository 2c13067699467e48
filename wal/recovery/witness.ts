/**
 * Witnesses: what others remember of the log's head. A log that holds less than one of them knows, or
 * another history up to there, has lost what somebody was told is safe; it is not opened.
 */
import { join } from 'node:path';
import { LogBehindWitness, LogCorrupt } from '../errors.ts';
import type { Files } from '../files.ts';
import { asBuffer } from '../format.ts';
import type { Position } from '../log.ts';
import { walkSegment } from './scan.ts';
import { type LastSegment, type Survey, same } from './survey.ts';

export interface Witness {
  /** Who remembers, for the operator: 'clean marker', 'fence', 'snapshot'. */
  readonly name: string;
  readonly position: Position;
  /** The chain value at `position`, which must then be the end of a frame. */
  readonly chain?: Uint8Array;
}

export interface WitnessedLog {
  readonly files: Files;
  readonly directory: string;
  readonly survey: Survey;
}

/** Throws LogBehindWitness or LogCorrupt. Positions that were truncated away are not compared. */
export async function requireWitnesses(
  log: WitnessedLog,
  witnesses: readonly Witness[],
): Promise<void> {
  const { last } = log.survey;
  const head = last?.scan.last ?? (0 as Position);
  for (const witness of witnesses) {
    const { name, position, chain } = witness;
    if (position > head) {
      const end = last && { end: { file: last.file, offset: last.scan.end } };
      throw new LogBehindWitness({ witness: name, position, head, ...end });
    }
    if (chain === undefined || last === undefined) continue;
    const found = await chainAt(log, last, position);
    if (found === 'truncated' || (found !== undefined && same(found, chain))) continue;
    const reason = `the chain value is not the one that ${name} remembers`;
    const file = segmentOf(log.survey, last, position).file;
    throw new LogCorrupt({ file, offset: 0, position, reason });
  }
}

async function chainAt(
  { files, directory, survey }: WitnessedLog,
  last: LastSegment,
  position: Position,
): Promise<Uint8Array | undefined | 'truncated'> {
  if (position === last.scan.last) return last.scan.chain;
  const headers = [...survey.sealed.map((segment) => segment.header), last.scan.header];
  const before = headers.find((header) => header.first === position + 1);
  if (before !== undefined) return before.previousChain;
  const segment = segmentOf(survey, last, position);
  if (position < segment.header.first) return 'truncated';
  const bytes = segment.bytes ?? asBuffer(await files.readFile(join(directory, segment.file)));
  for (const frame of walkSegment(bytes, segment.header)) {
    if (frame.last === position) return frame.chain;
  }
  return undefined;
}

/** The segment that holds `position`, or the oldest one. */
function segmentOf(survey: Survey, last: LastSegment, position: Position) {
  const tip = { file: last.file, header: last.scan.header, bytes: last.bytes };
  const all = [...survey.sealed.map((one) => ({ ...one, bytes: undefined })), tip];
  return all.findLast((one) => one.header.first <= position) ?? all[0] ?? tip;
}

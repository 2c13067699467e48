/**
 * Makes a damaged log one that opens: keeps the longest valid prefix, and every original as `.broken`.
 * Whoever calls it holds the data directory, and has set aside what knows of more than is kept: a
 * witness that still vouches for lost records must not meet the log that lacks them.
 *
 * A crash between any two steps leaves a log that is refused or one that is repaired; run it again.
 */
import { join } from 'node:path';
import type { Files } from '../files.ts';
import { asBuffer, segmentKey } from '../format.ts';
import { encodeTrailer } from '../frame.ts';
import type { Position } from '../log.ts';
import { replaceSegmentBytes, setSegmentAside } from '../recovery/cut.ts';
import { scanSegment } from '../recovery/scan.ts';
import { readHeader } from '../recovery/survey.ts';
import { finalName, listSegments } from '../segment.ts';
import type { KeptPart, RepairPlan } from './repair-plan.ts';

/** What the repair set aside; file names are relative to the log's directory. */
export interface RepairReport {
  readonly kept: readonly { readonly file: string; readonly keptAs: string }[];
}

/** Carries out `plan`, which was made of the log as it lies there. */
export async function repairLog(
  files: Files,
  directory: string,
  plan: RepairPlan,
): Promise<RepairReport> {
  await settleNames(files, directory);
  const kept: { file: string; keptAs: string }[] = [];
  for (const part of plan.resealed) kept.push(await keepPart(files, directory, part));
  // The last one first: what is left never has a hole.
  for (const { file } of [...plan.dropped].reverse()) {
    const name = finalName(file);
    const keptAs = await setSegmentAside(files, directory, { file: name, as: name });
    kept.push({ file: name, keptAs });
  }
  if (plan.cut) kept.push(await keepPart(files, directory, plan.cut));
  return { kept };
}

/** Ends what an interrupted recovery began: each segment has its own name, and nothing else is there. */
async function settleNames(files: Files, directory: string): Promise<void> {
  const { segments, leftovers } = await listSegments(files, directory);
  for (const file of leftovers) await files.remove(join(directory, file));
  for (const { file } of segments) {
    if (file === finalName(file)) continue;
    await files.rename(join(directory, file), join(directory, finalName(file)));
  }
  await files.syncDirectory(directory);
}

/** Keeps the valid beginning of a segment; a segment that another one follows gets its trailer. */
async function keepPart(files: Files, directory: string, part: KeptPart) {
  const file = finalName(part.file);
  const bytes = asBuffer(await files.readFile(join(directory, file)));
  const header = readHeader(bytes, { file, first: Number(file.slice(0, 20)) as Position });
  const { last, chain, timeMs, end, sealed } = scanSegment(bytes, header);
  const place = { key: segmentKey(header), offset: end, chain };
  const empty = last < header.first;
  const trailer = sealed || empty ? [] : [encodeTrailer(place, { last, timeMs })];
  const parts = [bytes.subarray(0, end), ...trailer];
  return { file, keptAs: await replaceSegmentBytes(files, directory, { file, parts }) };
}

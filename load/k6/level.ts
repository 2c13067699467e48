/** Whether a server that did the same for a long time needs more at the end than at the beginning. */
import { median, mib } from '../measures.ts';
import type { ProcessFigures } from '../process-figures.ts';

export interface Sample extends ProcessFigures {
  readonly atMs: number;
}

export interface Level {
  readonly what: string;
  readonly early: number;
  readonly late: number;
  /** The median of each tenth. */
  readonly tenths: readonly number[];
  readonly isLevel: boolean;
}

/** What a garbage collector may have left lying about, and connections that come and go. */
const slack = { share: 1.15, residentMib: 16, descriptors: 16 };

/**
 * Medians of the second tenth (the first one warms up) and of the last one of the time that the load
 * took, at whose end the samples end.
 */
export function levelsOf(samples: readonly Sample[], durationSeconds: number): Level[] {
  const endMs = samples.at(-1)?.atMs ?? 0;
  const tenthMs = durationSeconds * 100;
  const inTenth = (tenth: number) => {
    const beginMs = endMs - (10 - tenth) * tenthMs;
    return samples.filter(({ atMs }) => atMs > beginMs && atMs <= beginMs + tenthMs);
  };
  const level = (what: string, more: number, of: (sample: Sample) => number): Level => {
    const tenths = Array.from({ length: 10 }, (_, tenth) => median(inTenth(tenth).map(of)));
    const [, early = Number.NaN] = tenths;
    const late = tenths.at(-1) ?? Number.NaN;
    // NaN, where there was no sample, is not level.
    return { what, early, late, tenths, isLevel: late <= early * slack.share + more };
  };
  return [
    level('RSS, MiB', slack.residentMib, ({ residentBytes }) => residentBytes / mib),
    level('of it no file, MiB', slack.residentMib, ({ anonymousBytes }) => anonymousBytes / mib),
    level('descriptors', slack.descriptors, ({ descriptors }) => descriptors),
  ];
}

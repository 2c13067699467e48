/** A soak is level where it ends as it was after the first tenth. */
import { expect, test } from 'vitest';
import { levelsOf, type Sample } from '../../load/k6/level.ts';

const mib = 2 ** 20;

/** A sample each second for 100 s, after 20 s of filling. */
function samples(of: (second: number) => Partial<Sample>): Sample[] {
  return Array.from({ length: 121 }, (_, index) => ({
    atMs: index * 1000,
    residentBytes: 100 * mib,
    anonymousBytes: 60 * mib,
    descriptors: 50,
    cpuSeconds: 0,
    ...of(index - 20),
  }));
}

const verdicts = (given: readonly Sample[]) => levelsOf(given, 100).map(({ isLevel }) => isLevel);

test('what stays, or falls, is level; so is what only the beginning had', () => {
  expect(verdicts(samples(() => ({})))).toEqual([true, true, true]);
  expect(verdicts(samples((at) => ({ residentBytes: (at < 10 ? 500 : 100) * mib })))).toEqual([
    true,
    true,
    true,
  ]);
});

test('what grows all the time is not', () => {
  expect(verdicts(samples((at) => ({ residentBytes: (100 + at) * mib })))).toEqual([
    false,
    true,
    true,
  ]);
  expect(verdicts(samples((at) => ({ descriptors: 50 + at })))).toEqual([true, true, false]);
});

test('memory that is no file is judged by itself', () => {
  const growing = samples((at) => ({ anonymousBytes: (60 + at) * mib, residentBytes: 200 * mib }));
  expect(verdicts(growing)).toEqual([true, false, true]);
});

test('nothing seen is not level', () => {
  expect(verdicts([])).toEqual([false, false, false]);
});

/** The small parts of a query: patterns, lists, times, the order of values. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareText, compareValues } from '../../../src/domain/query/compare.ts';
import { compileLike } from '../../../src/domain/query/like.ts';
import { parseList } from '../../../src/domain/query/lists.ts';
import { parseTime } from '../../../src/domain/query/times.ts';

describe('a like pattern', () => {
  test.each([
    ['image/*', 'image/png', true],
    ['image/%', 'image/png', true],
    ['image/*', 'text/image/', false],
    ['*.png', 'a/b.png', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['a_c', 'abc', false],
    ['a.c', 'abc', false],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a\\b', 'a\\b', true],
    ['A*', 'abc', false],
  ])('%j takes %j: %s', (pattern, text, expected) => {
    expect(compileLike(pattern).matches(text)).toBe(expected);
  });

  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 9 });
  test('matches what the same regular expression matches', () => {
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        const source = pattern.replaceAll('.', '\\.').replaceAll('*', '[^]*');
        expect(compileLike(pattern).matches(text)).toBe(new RegExp(`^${source}$`).test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('costs no more than its length and the text, however it repeats itself', () => {
    const text = `${'a'.repeat(200_000)}b`;
    const { matches } = compileLike(`*${`${'a'.repeat(1_000)}c*`.repeat(4)}`);
    const startedMs = performance.now();
    expect(matches(text)).toBe(false);
    expect(compileLike('*a'.repeat(2_000)).matches(text)).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test('tells what every match begins with', () => {
    expect(compileLike('a/b*c').prefix).toBe('a/b');
    expect(compileLike('*c').prefix).toBe('');
  });
});

test.each([
  ['(a,b,"c,d")', ['a', 'b', 'c,d']],
  ['()', []],
  ['(a)', ['a']],
  ['(,)', ['', '']],
  ['("a\\"b")', ['a"b']],
  ['("a")b)', undefined],
  ['("a)', undefined],
  ['a,b', undefined],
  ['(', undefined],
  ['(a', undefined],
])('the list %s', (text, expected) => {
  expect(parseList(text)).toEqual(expected);
});

describe('a time', () => {
  test.each([
    ['2026-01-31', '2026-01-31T00:00:00.000Z'],
    ['2026-01-31T12:30', '2026-01-31T12:30:00.000Z'],
    ['2026-01-31 12:30:15', '2026-01-31T12:30:15.000Z'],
    ['2026-01-31T12:30:15.250Z', '2026-01-31T12:30:15.250Z'],
    ['2026-01-31T00:30:00+02:00', '2026-01-30T22:30:00.000Z'],
    ['2026-01-31T00:30:00 02:00', '2026-01-30T22:30:00.000Z'],
    ['2026-01-31T00:30:00-02:00', '2026-01-31T02:30:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, iso) => {
    expect(parseTime(text)).toBe(Date.parse(iso));
  });

  test.each([
    '',
    'now',
    '2026',
    '2026-13-01',
    '2025-02-29',
    '2026-01-01T24:00Z',
    '1e9',
    '１２３４-01-01',
  ])('%j is none', (text) => expect(parseTime(text)).toBeUndefined());

  test('is the one that the platform reads', () => {
    const within = {
      min: new Date('0001-01-01'),
      max: new Date('9999-12-31'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(within), (date) => {
        expect(parseTime(date.toISOString())).toBe(date.getTime());
      }),
    );
  });
});

test('text is ordered by its UTF-8 bytes', () => {
  const unit = fc.constantFrom('a', 'é', '\ufffd', '😀', '\uffff');
  const text = fc.string({ unit, maxLength: 4 });
  fc.assert(
    fc.property(text, text, (left, right) => {
      expect(Math.sign(compareText(left, right))).toBe(
        Buffer.compare(Buffer.from(left), Buffer.from(right)),
      );
    }),
  );
});

test('numbers come before truth values, these before text, and nothing comes last', () => {
  const values = [null, 'a', true, 2, false, 10, ''];
  expect(values.sort(compareValues)).toEqual([2, 10, false, true, '', 'a', null]);
});

import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSize } from '../../src/domain/values/sizes.ts';

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['1', 1],
    ['1b', 1],
    ['20mb', 20_000_000],
    ['20 MB', 20_000_000],
    [' 5GiB ', 5_368_709_120],
    ['100MiB', 104_857_600],
    ['1kib', 1024],
    ['1KB', 1000],
    ['1.5kb', 1500],
    ['1.1mb', 1_100_000],
    ['0.5KiB', 512],
    ['2.3gb', 2_300_000_000],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    '',
    ' ',
    'mb',
    '-1',
    '+1',
    '1e3',
    '0x10',
    '1,000',
    '1.',
    '.5mb',
    '1.5',
    '0.1kib',
    '1.0001kb',
    '1tb',
    '1 m b',
    '1mbs',
    '20mb 1',
    '1_000',
    '１',
    '1kb\0',
    '9007199254740992',
    '9007199254741gb',
    'Infinity',
    '1__proto__',
  ])('%j is none', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  const scales = { b: 1n, kb: 1000n, mb: 10n ** 6n, gb: 10n ** 9n, kib: 1024n, mib: 1n << 20n };
  const names = Object.keys(scales) as (keyof typeof scales)[];
  property.prop([
    fc.bigInt(0n, 10n ** 10n),
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom(...names),
  ])('is exact to the byte, or refused where a byte would be broken', (digits, places, unit) => {
    const text = digits.toString().padStart(places + 1, '0');
    const at = text.length - places;
    const written = places === 0 ? text : `${text.slice(0, at)}.${text.slice(at)}`;
    const scaled = digits * scales[unit];
    const whole = scaled % 10n ** BigInt(places) === 0n;
    const bytes = Number(scaled / 10n ** BigInt(places));
    const expected = whole && Number.isSafeInteger(bytes) ? bytes : undefined;
    expect(parseSize(`${written}${unit}`)).toBe(expected);
    expect(parseSize(`${written} ${unit.toUpperCase()}`)).toBe(expected);
  });
});

import { fc, test } from '@fast-check/vitest';
import { expect, it } from 'vitest';
import { instantText } from '../../src/domain/values/instants.ts';

test.prop([fc.integer({ min: Date.UTC(0), max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) })])(
  'an instant is written as ECMAScript writes it',
  (unixMs) => {
    expect(instantText(unixMs)).toBe(new Date(unixMs).toISOString());
  },
);

it('so are the days around the ends of months and leap years', () => {
  for (const year of [1899, 1900, 1970, 1999, 2000, 2024, 2100]) {
    for (let day = Date.UTC(year, 1, 27); day < Date.UTC(year, 2, 3); day += 43_200_000) {
      expect(instantText(day)).toBe(new Date(day).toISOString());
    }
    const end = Date.UTC(year, 11, 31, 23, 59, 59, 999);
    expect([end, end + 1].map(instantText)).toEqual(
      [end, end + 1].map((ms) => new Date(ms).toISOString()),
    );
  }
});

import { describe, expect, test } from 'vitest';
import { retryAfterMs, tryAfterMs, waitAfter } from '../../../src/domain/webhooks/retry.ts';

const hourMs = 3_600_000;

describe('a delivery that failed', () => {
  test('is tried ten times, after growing waits, and no more', () => {
    const waits = Array.from({ length: 10 }, (_, index) =>
      waitAfter({ tries: index + 1, askedMs: undefined, random: 0 }),
    );
    expect(waits).toEqual([...tryAfterMs.slice(1), undefined]);
    expect(tryAfterMs).toEqual([
      0,
      5_000,
      300_000,
      1_800_000,
      2 * hourMs,
      5 * hourMs,
      10 * hourMs,
      14 * hourMs,
      20 * hourMs,
      24 * hourMs,
    ]);
  });

  test('waits up to a tenth longer than planned, never shorter', () => {
    expect(waitAfter({ tries: 1, askedMs: undefined, random: 0.999 })).toBe(5_500);
    expect(waitAfter({ tries: 1, askedMs: undefined, random: 0 })).toBe(5_000);
  });

  test('waits as long as the receiver asks, a day at most, and not less than planned', () => {
    expect(waitAfter({ tries: 1, askedMs: 60_000, random: 0 })).toBe(60_000);
    expect(waitAfter({ tries: 3, askedMs: 1_000, random: 0 })).toBe(1_800_000);
    expect(waitAfter({ tries: 1, askedMs: 1e12, random: 0 })).toBe(24 * hourMs);
  });
});

describe('Retry-After', () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const read = (text: string | undefined) =>
    retryAfterMs(text, { nowMs, parseDate: (date) => Date.parse(date) });

  test('is a number of seconds or a date that is to come', () => {
    expect(read('120')).toBe(120_000);
    expect(read('Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60_000);
  });

  test.each([undefined, '', '-5', '1e9', 'soon', '99999999999', 'Thu, 01 Jan 2015 00:00:00 GMT'])(
    'is taken for none where it is %s',
    (text) => expect(read(text)).toBeUndefined(),
  );
});

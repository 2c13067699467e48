/** "Issued up to now", to the millisecond and against a clock that is set back. */
import { expect, test } from 'vitest';
import { createIssueClock } from '../../src/service/signed-urls/issue-clock.ts';

test('within one millisecond: what was signed before is covered, what is signed after is not', () => {
  const clock = createIssueClock({ now: () => 1_000 });
  const before = clock.issued();
  const revoked = clock.revoked();
  const after = clock.issued();
  expect(before).toBeLessThanOrEqual(revoked);
  expect(after).toBeGreaterThan(revoked);
  expect(clock.revoked()).toBeGreaterThanOrEqual(after);
});

test('a clock that is set back changes nothing in that order', () => {
  let now = 5_000;
  const clock = createIssueClock({ now: () => now });
  const before = clock.issued();
  now = 1_000;
  const revoked = clock.revoked();
  expect(revoked).toBeGreaterThanOrEqual(before);
  expect(clock.issued()).toBeGreaterThan(revoked);
});

/**
 * The times of signing and of revoking, so that "issued up to now" means what it says: what was
 * signed before a revocation is covered by it and what is signed after it is not, within one
 * millisecond, and while the clock is set back under the running process. What an earlier process
 * signed by a clock that was ahead of this one's is not covered: a token leaves no record.
 */
import type { Clock } from '../../domain/effects.ts';

export interface IssueClock {
  /** When what is signed now was issued, Unix ms. */
  issued(): number;
  /** Up to when a revocation of everything until now reaches, Unix ms, inclusive. */
  revoked(): number;
}

export function createIssueClock(clock: Clock): IssueClock {
  let lastIssued = 0;
  let lastRevoked = 0;
  return {
    issued() {
      lastIssued = Math.max(clock.now(), lastIssued, lastRevoked + 1);
      return lastIssued;
    },
    revoked() {
      lastRevoked = Math.max(clock.now(), lastIssued);
      return lastRevoked;
    },
  };
}

/** Keeps reading below so many bytes a second, so that a check over everything leaves room for requests. */
import { setTimeout as timer } from 'node:timers/promises';
import type { Clock } from '../../domain/effects.ts';

/** Resolves after that many ms; rejects with the signal's reason where it aborts. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

/** Called with each number of bytes that was read; resolves when the next may be. */
export type Throttle = (bytes: number) => Promise<void>;

/** Shorter waits than this are left to add up. */
const shortestPauseMs = 20;

export function createThrottle(
  { clock, pause }: { readonly clock: Clock; readonly pause: Pause },
  bytesPerSecond: number,
  signal: AbortSignal,
): Throttle {
  const startedMs = clock.now();
  let total = 0;
  return async (bytes) => {
    total += bytes;
    const aheadMs = (total / bytesPerSecond) * 1000 - (clock.now() - startedMs);
    if (aheadMs >= shortestPauseMs) await pause(aheadMs, signal);
  };
}

/** Does not keep the process alive. */
export async function timerPause(ms: number, signal: AbortSignal): Promise<void> {
  await timer(ms, undefined, { signal, ref: false });
}

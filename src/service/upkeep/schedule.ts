/** Runs something again and again: a while after the start, then once in each interval. */
import type { Clock } from '../../domain/effects.ts';
import type { Pause } from './rate.ts';

export interface ScheduleParts {
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly pause: Pause;
  /** Never rejects. */
  readonly run: () => Promise<unknown>;
}

export interface Schedule {
  /** Resolves once nothing runs any more. */
  stop(): Promise<void>;
}

/** A store that is often started anew is swept too. */
const firstAfterMs = 60_000;

export function startSchedule({ intervalMs, clock, pause, run }: ScheduleParts): Schedule {
  const stopping = new AbortController();
  const { signal } = stopping;
  const repeat = async () => {
    let waitMs = Math.min(intervalMs, firstAfterMs);
    while (!signal.aborted) {
      await pause(waitMs, signal);
      const startedMs = clock.now();
      if (!signal.aborted) await run();
      // What runs longer than the interval begins again at once, but never without a break.
      waitMs = Math.max(intervalMs / 10, intervalMs - (clock.now() - startedMs));
    }
  };
  const repeating = repeat().catch((fault: unknown) => {
    if (!signal.aborted) throw fault;
  });
  return {
    async stop() {
      stopping.abort();
      await repeating;
    },
  };
}

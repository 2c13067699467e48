/** Upkeep that nobody asks for: the check for missing blobs after a start, and the sweep in its interval. */
import type { Clock, Observe } from '../../domain/effects.ts';
import type { Jobs } from './jobs.ts';
import type { Pause } from './rate.ts';
import { type Schedule, startSchedule } from './schedule.ts';
import type { Upkeep } from './upkeep.ts';

export interface BackgroundParts {
  readonly upkeep: Upkeep;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly pause: Pause;
  readonly observe: Observe;
  /** Without it nothing is swept but on demand. */
  readonly intervalMs?: number;
}

export interface BackgroundUpkeep {
  /** Resolves once the check that follows a start is done. */
  settled(): Promise<void>;
  /** Cancels what runs. */
  stop(): Promise<void>;
}

export function startUpkeep(parts: BackgroundParts): BackgroundUpkeep {
  const { upkeep, jobs, observe, intervalMs } = parts;
  const stopping = new AbortController();
  const checking = upkeep.findMissing(stopping.signal).catch((fault: unknown) => {
    if (stopping.signal.aborted) return;
    observe.error('the check of the blobs broke off', { fault: String(fault) });
  });
  const run = async () => {
    const started = jobs.start('sweep', {});
    if (started.ok) await jobs.ended(started.value.id);
    else observe.warn('nothing is swept now', { code: started.rejection.code });
  };
  const schedule: Schedule | undefined =
    intervalMs === undefined ? undefined : startSchedule({ ...parts, intervalMs, run });
  return {
    settled: () => checking,
    async stop() {
      stopping.abort();
      const stopped = schedule?.stop();
      await jobs.stop();
      await stopped;
      await checking;
    },
  };
}

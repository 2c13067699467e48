/**
 * Upkeep that nobody asks for: the check for missing blobs after a start, and in their interval the
 * sweep and the check of the views, which don't wait for each other.
 */
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
  /** Without it nothing is swept or checked but on demand. */
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
  const run = async (kind: string) => {
    const started = jobs.start(kind, {});
    if (started.ok) await jobs.ended(started.value.id);
    else observe.warn('a job does not run now', { kind, code: started.rejection.code });
  };
  const schedules: readonly Schedule[] =
    intervalMs === undefined
      ? []
      : ['sweep', 'views-verify'].map((kind) =>
          startSchedule({ ...parts, intervalMs, run: () => run(kind) }),
        );
  return {
    settled: () => checking,
    async stop() {
      stopping.abort();
      const stopped = Promise.all(schedules.map((schedule) => schedule.stop()));
      await jobs.stop();
      await stopped;
      await checking;
    },
  };
}

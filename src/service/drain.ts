/**
 * Empties the keyspaces that an emptied or deleted bucket left behind: one `object.deleted` record
 * per object, a frame at a time, yielding to the foreground between frames. The projection forgets a
 * drain when its keyspace holds nothing more, so one that a crash cut off goes on at the next start, and
 * one that a fault cut off, which the health shows, with the next wake.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Observe } from '../domain/effects.ts';
import type { ObjectDeleted } from '../domain/events.ts';
import { deletion } from '../domain/object-decisions.ts';
import { ok } from '../domain/result.ts';
import type { Drain, Views } from '../views/views.ts';
import { type Commit, systemActor } from './commit.ts';
import type { HealthMonitor } from './health.ts';
import type { Pause } from './upkeep/rate.ts';

export interface DrainParts {
  readonly views: Pick<Views, 'drains' | 'rowsOf'>;
  readonly commit: Commit;
  readonly health: Pick<HealthMonitor, 'degrade' | 'mend'>;
  readonly observe: Observe;
  /** Between two tries while the log takes no more. */
  readonly pause: Pause;
}

export interface Drainer {
  /** Begins, or goes on once more after the pass that runs. */
  wake(): void;
  /** Resolves when nothing is left to drain, or it was stopped. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** Records per frame: small enough not to hold up an upload's frame noticeably. */
const rowsPerFrame = 256;
const overloadedPauseMs = 100;
const trouble = 'drain';

export function createDrainer(parts: DrainParts): Drainer {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let again = false;

  const run = async () => {
    do {
      again = false;
      for (const drain of await parts.views.drains()) {
        await drainKeyspace(parts, drain, stopping.signal);
      }
    } while (again && !stopping.signal.aborted);
    parts.health.mend(trouble);
  };

  function begin(): Promise<void> {
    return run()
      .catch((fault: unknown) => {
        parts.observe.error('draining stopped; it goes on when it is woken, or at the next start', {
          fault: String(fault),
        });
        parts.health.degrade(trouble, 'a bucket that was emptied still has bytes');
      })
      .finally(() => {
        // One who woke it after its last look must not wait for the next.
        running = again && !stopping.signal.aborted ? begin() : undefined;
      });
  }

  return {
    wake() {
      if (stopping.signal.aborted) return;
      again = true;
      running ??= begin();
    },
    async idle() {
      while (running) await running;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function drainKeyspace(
  { views, commit, observe, pause }: DrainParts,
  drain: Drain,
  signal: AbortSignal,
): Promise<void> {
  const bucket = { ...drain.bucket, keyspace: drain.keyspace };
  let deleted = 0;
  while (!signal.aborted) {
    const rows = await views.rowsOf(drain.keyspace, rowsPerFrame);
    if (rows.length === 0) break;
    // No lock: no bucket names this keyspace any more, so nobody else writes to it.
    const outcome = await commit<ObjectDeleted>({
      actor: systemActor,
      locks: [],
      decide: () => ok(rows.map((row) => deletion(bucket, row, drain.cause))),
    });
    if (!outcome.ok && outcome.rejection.code !== 'Overloaded') return;
    if (outcome.ok) deleted += rows.length;
    // It ends early, by rejecting, where this is to stop: the loop looks.
    await (outcome.ok ? nextTurn() : pause(overloadedPauseMs, signal).catch(() => {}));
  }
  observe.info('drained a keyspace', { bucket: drain.bucket.name, deleted });
}

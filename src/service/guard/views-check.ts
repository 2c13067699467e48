/**
 * Looks at every row of the views, slowly: in an interval, and on demand. Rows that vanished are found
 * by their number, damaged ones by their check; either way the views are built anew.
 *
 * Views that differ again at the next check were built from a log that says so itself: a record was
 * written while rows were missing. No rebuild mends that, so it stays a trouble that is shown.
 */
import type { Observe } from '../../domain/effects.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { ViewsVerification } from '../../views/verify.ts';
import type { HealthMonitor } from '../health.ts';
import { unknownOption } from '../upkeep/job-options.ts';
import type { JobContext, JobKinds } from '../upkeep/jobs.ts';
import type { Pause } from '../upkeep/rate.ts';
import type { LiveViews } from './live-views.ts';

export interface ViewsCheckParts {
  readonly live: Pick<LiveViews, 'verify' | 'rebuild' | 'applier'>;
  readonly health: HealthMonitor;
  readonly observe: Observe;
  readonly pause: Pause;
}

export interface ViewsCheckReport {
  readonly ok: boolean;
  readonly rows: number;
  readonly problems: readonly string[];
  readonly problem_count: number;
}

const trouble = 'views that differ';
const reason = 'the views differ from their totals, also when built anew';
/** After each step, of about a millisecond: the check takes a fifth of one thread at most. */
const pauseMs = 5;

export function viewsJobs(parts: ViewsCheckParts): JobKinds {
  const check = createViewsCheck(parts);
  return {
    'views-verify': (options) => withoutOptions(options, check),
    'views-rebuild': (options) =>
      withoutOptions(options, async () => {
        await parts.live.rebuild();
        return { applied: parts.live.applier.applied };
      }),
  };
}

/** One round; resolves to what was found before the views were built anew. */
function createViewsCheck(parts: ViewsCheckParts) {
  const { live, health, observe, pause } = parts;
  let rebuilt = false;
  return async ({ signal, progress }: JobContext): Promise<ViewsCheckReport> => {
    const found = await live.verify({
      signal,
      pause: () => pause(pauseMs, signal),
      onProgress: (rows) => progress(rows, rows),
    });
    const isWhole = found.problemCount === 0;
    if (isWhole) {
      rebuilt = false;
      health.mend(trouble);
      return report(found);
    }
    observe.error('the views are not whole', {
      problems: found.problemCount,
      first: found.problems.slice(0, 10),
    });
    if (rebuilt) {
      health.degrade(trouble, reason);
    } else {
      rebuilt = true;
      await live.rebuild();
    }
    return report(found);
  };
}

function report({ rows, problems, problemCount }: ViewsVerification): ViewsCheckReport {
  return { ok: problemCount === 0, rows, problems, problem_count: problemCount };
}

function withoutOptions<T>(
  options: Readonly<Record<string, unknown>>,
  work: (context: JobContext) => Promise<T>,
): Result<(context: JobContext) => Promise<T>> {
  const refusal = unknownOption(options, []);
  return refusal ? refuse(refusal) : ok(work);
}

/**
 * Work over the whole store that takes its time: begun by name, watched, cancelled. It owns the list of
 * kinds and of the latest jobs.
 *
 * Promises: one job of a kind runs at a time; a cancelled one stops between two steps and leaves the
 * store as a crash at that moment would, which is whole; what is remembered has a limit.
 */
import type { Clock, Ids, Observe } from '../../domain/effects.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';

export interface JobContext {
  readonly signal: AbortSignal;
  /** `total` is an estimate where things change meanwhile. */
  progress(done: number, total: number): void;
}

export type JobOptions = Readonly<Record<string, unknown>>;

/** Runs to the end; what it resolves to is the job's result, as JSON. */
export type JobWork = (context: JobContext) => Promise<unknown>;

/** Checks the options and names the work. An option that it does not know is refused by its name. */
export type JobKind = (options: JobOptions) => Result<JobWork>;

export type JobKinds = Readonly<Record<string, JobKind>>;

export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  readonly progress: { readonly done: number; readonly total: number };
  /** null until it is done. */
  readonly result: unknown;
  /** Why it failed. */
  readonly error: string | null;
  readonly started_at: string;
  readonly ended_at: string | null;
}

export interface Jobs {
  /** Begins one; where one of the same kind and options runs, that one is answered. */
  start(kind: string, options: JobOptions): Result<Job>;
  /** The latest first. */
  list(): Job[];
  find(id: string): Job | undefined;
  /** Resolves once it has ended. */
  cancel(id: string): Promise<Job | undefined>;
  ended(id: string): Promise<Job | undefined>;
  /** Cancels all; no more are begun. */
  stop(): Promise<void>;
}

export interface JobParts {
  readonly kinds: JobKinds;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'uuid'>;
  readonly observe: Observe;
}

interface Entry {
  readonly optionsText: string;
  readonly stopping: AbortController;
  job: Job;
  running: Promise<void>;
}

const maxRemembered = 100;

export function createJobs(parts: JobParts): Jobs {
  const { kinds, clock, ids, observe } = parts;
  /** Oldest first. */
  const entries = new Map<string, Entry>();
  let isStopped = false;

  function begin(kind: string, optionsText: string, work: JobWork): Job {
    const id = ids.uuid();
    const job: Job = {
      id,
      kind,
      state: 'running',
      progress: { done: 0, total: 0 },
      result: null,
      error: null,
      started_at: timeText(clock),
      ended_at: null,
    };
    const stopping = new AbortController();
    const entry: Entry = { optionsText, stopping, job, running: Promise.resolve() };
    entries.set(id, entry);
    entry.running = runToEnd(parts, entry, work);
    forgetOldest(entries);
    return job;
  }

  return {
    start(kind, options) {
      if (isStopped) return refuse(rejection('NotReady', 'The store is shutting down'));
      const prepare = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
      if (!prepare) return refuse(unknownKind(kind, kinds));
      const work = prepare(options);
      if (!work.ok) return work;
      const optionsText = JSON.stringify(options);
      const other = [...entries.values()].find(
        ({ job }) => job.kind === kind && job.state === 'running',
      );
      if (other?.optionsText === optionsText) return ok(other.job);
      if (other) return refuse(busy(other.job));
      observe.debug('a job begins', { kind });
      return ok(begin(kind, optionsText, work.value));
    },
    list: () => [...entries.values()].map(({ job }) => job).reverse(),
    find: (id) => entries.get(id)?.job,
    async cancel(id) {
      const entry = entries.get(id);
      entry?.stopping.abort(new JobCancelled('the job was cancelled'));
      await entry?.running;
      return entry?.job;
    },
    async ended(id) {
      const entry = entries.get(id);
      await entry?.running;
      return entry?.job;
    },
    async stop() {
      isStopped = true;
      for (const { stopping } of entries.values()) {
        stopping.abort(new JobCancelled('the store is shutting down'));
      }
      for (const { running } of [...entries.values()]) await running;
    },
  };
}

class JobCancelled extends Error {
  override readonly name = 'JobCancelled';
}

/** Never rejects: what becomes of the work is the job's state. */
async function runToEnd({ clock, observe }: JobParts, entry: Entry, work: JobWork): Promise<void> {
  const { kind } = entry.job;
  const { signal } = entry.stopping;
  const progress = (done: number, total: number) => {
    entry.job = { ...entry.job, progress: { done, total: Math.max(done, total) } };
  };
  const end = (how: Pick<Job, 'state'> & Partial<Pick<Job, 'result' | 'error'>>) => {
    entry.job = { ...entry.job, ...how, ended_at: timeText(clock) };
  };
  try {
    const result = await work({ signal, progress });
    end({ state: 'done', result });
  } catch (fault) {
    if (signal.aborted) end({ state: 'cancelled' });
    else {
      observe.error('a job failed', { kind, fault: String(fault) });
      end({ state: 'failed', error: reasonOf(fault) });
    }
  }
}

/** A system error tells where things lie on the disk, so it is known by its code only. */
function reasonOf(fault: unknown): string {
  if (!(fault instanceof Error)) return 'it failed';
  const { code } = fault as { readonly code?: unknown };
  return typeof code === 'string' ? `the system answered ${code}` : fault.message;
}

function forgetOldest(entries: Map<string, Entry>): void {
  for (const [id, { job }] of entries) {
    if (entries.size <= maxRemembered) return;
    if (job.state !== 'running') entries.delete(id);
  }
}

function unknownKind(kind: string, kinds: JobKinds) {
  const shown = kind.length > 100 ? `${kind.slice(0, 100)}…` : kind;
  return rejection('InvalidRequest', `The field "kind": there is no kind "${shown}"`, {
    hint: `Kinds are ${Object.keys(kinds).sort().join(', ')}.`,
  });
}

function busy({ kind, id }: Job) {
  return rejection('Overloaded', `A job of the kind ${kind} runs already, with other options`, {
    hint: 'Wait for it, or cancel it.',
    facts: { id },
  });
}

function timeText(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}

/**
 * Runs a job to its end: on a data directory that nobody serves, or on a running server, which is asked
 * until it is done. A bar shows how far it is. The first SIGINT or SIGTERM cancels the job and waits for
 * it, the second one ends the command at once.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type CommonOptions, configOf, serverOf } from './command.ts';
import { CommandRefused, misuse } from './failures.ts';
import { requireLog } from './log-directory.ts';
import { type ProgressBar, progressBar } from './progress.ts';
import { ask, originOf, type Server } from './remote.ts';
import type { JobRequest, JobState, Surroundings } from './surroundings.ts';

export type JobResult = Readonly<Record<string, unknown>>;

/** What the job found. Throws CommandRefused where it did not come to its end. */
export async function runJob(
  surroundings: Surroundings,
  options: CommonOptions,
  request: JobRequest,
): Promise<JobResult> {
  const server = serverOf(options);
  const stop = stopping(surroundings);
  const bar = progressBar(surroundings);
  try {
    const run = { bar, signal: stop.signal };
    const job = server
      ? await remotely(server, request, run)
      : await offline(surroundings, options, { request, ...run });
    bar.clear();
    return resultOf(job, request.kind);
  } finally {
    bar.clear();
    stop.forget();
  }
}

interface Run {
  readonly bar: ProgressBar;
  readonly signal: AbortSignal;
}

async function offline(
  surroundings: Surroundings,
  options: CommonOptions,
  { request, bar, signal }: Run & { readonly request: JobRequest },
): Promise<JobState> {
  const config = configOf(surroundings, options);
  await requireLog(config.dataDir);
  const compose = await surroundings.compose();
  const onProgress: ProgressBar['show'] = (progress) => bar.show(progress);
  const ended = await compose.runJob(config, request, { onProgress, signal });
  if (ended.ok) return ended.value;
  throw misuse(`${ended.rejection.message ?? ended.rejection.code}.`);
}

const timeoutMs = 60_000;
const shortestPauseMs = 50;
const longestPauseMs = 1_000;

async function remotely(
  server: Server,
  { kind, options }: JobRequest,
  { bar, signal }: Run,
): Promise<JobState> {
  const path = '/admin/jobs';
  const started = await ask(server, {
    method: 'POST',
    path,
    body: { kind, ...options },
    timeoutMs,
  });
  const { id } = started as { readonly id?: unknown };
  if (typeof id !== 'string') throw strange(server);
  for (let waitMs = shortestPauseMs; ; waitMs = Math.min(waitMs * 2, longestPauseMs)) {
    const method = signal.aborted ? 'DELETE' : 'GET';
    const job = await ask(server, { method, path: `${path}/${id}`, timeoutMs });
    if (!isJob(job)) throw strange(server);
    bar.show(job.progress);
    if (job.state !== 'running') return job;
    await pause(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

function isJob(value: unknown): value is JobState {
  if (typeof value !== 'object' || value === null) return false;
  const { state, progress } = value as Partial<Record<keyof JobState, unknown>>;
  return typeof state === 'string' && typeof progress === 'object' && progress !== null;
}

function strange(server: Server): CommandRefused {
  return new CommandRefused(1, `${originOf(server)} answered with something else than a job.`);
}

function resultOf({ state, result, error }: JobState, kind: string): JobResult {
  if (state === 'cancelled') throw new CommandRefused(1, `${kind} was cancelled.`);
  if (state === 'failed') throw new CommandRefused(1, `${kind} failed: ${error ?? 'no reason'}.`);
  return typeof result === 'object' && result !== null ? (result as JobResult) : {};
}

function stopping(surroundings: Surroundings): {
  readonly signal: AbortSignal;
  readonly forget: () => void;
} {
  const controller = new AbortController();
  const forget = surroundings.onStopSignal(() => {
    if (controller.signal.aborted) surroundings.exit(1);
    else controller.abort();
  });
  return { signal: controller.signal, forget };
}

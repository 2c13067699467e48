/** What a command meets outside of itself: the terminal, the environment, signals, and the store. */
import type { Config, ParsedConfig } from '../config.ts';
import type { Result } from '../domain/result.ts';
import type { Call, Service } from '../service/service.ts';
import type { Job, JobOptions } from '../service/upkeep/jobs.ts';
import type { ViewsVerification } from '../views/verify.ts';

export interface Surroundings {
  /** Standard output, as it is: no line break is added. */
  write(text: string): void;
  /** Standard error. */
  warn(text: string): void;
  /** Standard output is a terminal. */
  readonly isTty: boolean;
  readConfig(): ParsedConfig;
  /** Loads the store; commands that don't need it start sooner. */
  compose(): Promise<Compose>;
  /** Calls `listener` on each SIGTERM and SIGINT until the returned function is called. */
  onStopSignal(listener: () => void): () => void;
  /** Ends the process at once. */
  exit(code: ExitCode): void;
}

/** 0: fine. 1: something wrong was found, or happened. 2: used wrongly. */
export type ExitCode = 0 | 1 | 2;

/** What src/compose.ts gives to the commands. */
export interface Compose {
  serve(config: Config, io: ServeOutput): Promise<RunningServer>;
  /** Rejects with HomeLocked while another process holds the directory. So does `rebuildViews`. */
  offlineDigest(config: Config): Promise<ViewsDigest>;
  rebuildViews(
    config: Config,
    onProgress: (progress: RebuildProgress) => void,
  ): Promise<ViewsDigest & { readonly records: number; readonly tookMs: number }>;
  /** undefined where no clean stop vouches for the views. Rejects with HomeLocked as the others do. */
  verifyViewsOffline(
    config: Config,
    options: { readonly signal: AbortSignal; readonly onProgress: (rows: number) => void },
  ): Promise<ViewsVerification | undefined>;
  /** Asks the use cases of a directory, as the service role. Rejects with HomeLocked as the others do. */
  askOffline<T>(config: Config, ask: (service: Service, call: Call) => Promise<T>): Promise<T>;
  /** Resolves once the job has ended, in whatever way. Rejects with HomeLocked as the others do. */
  runJob(config: Config, request: JobRequest, run: JobRun): Promise<Result<JobState>>;
}

export interface JobRequest {
  readonly kind: string;
  readonly options: JobOptions;
}

export interface JobRun {
  readonly onProgress: (progress: JobState['progress']) => void;
  /** Its abort cancels the job. */
  readonly signal: AbortSignal;
}

export type JobState = Pick<Job, 'state' | 'progress' | 'result' | 'error'>;

export interface ServeOutput {
  write(line: string): void;
  readonly isTty: boolean;
}

export interface RunningServer {
  readonly url: string;
  /** The exit code, once everything is closed, for whatever reason. */
  readonly closed: Promise<number>;
  /** Ends gracefully. */
  stop(): Promise<void>;
}

export interface ViewsDigest {
  /** BLAKE3, hex. */
  readonly digest: string;
  readonly position: number;
}

/** Records that were applied, and that there are. */
export interface RebuildProgress {
  readonly records: number;
  readonly total: number;
}

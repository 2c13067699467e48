/**
 * The built server as a child process: its own port, data directory and secret. Only processes that
 * were started here are ever signalled, by the pid they were started with.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from './client.ts';
import { secret } from './tokens.ts';
import { until } from './until.ts';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));
export const binary = path.join(repository, 'dist/src/bin.cjs');

export type Settings = Readonly<Record<string, string>>;

export interface StartOptions {
  readonly dataDir?: string;
  /** `AEROSTORE_*` and others, over the defaults; an empty text removes one. */
  readonly env?: Settings;
  /** How long it may take to be ready; a minute unless told. */
  readonly readyMs?: number;
  /** What to run before node, such as `unshare`. */
  readonly wrapper?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Server {
  /** The origin, without a slash at its end. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  readonly agent: Agent;
  /** The structured log so far, one object a line. */
  logs(): readonly Record<string, unknown>[];
  /** Everything printed so far, both streams. */
  output(): string;
  /** SIGTERM, and waits for the end. Whoever expects a graceful one checks the code. */
  stop(): Promise<Exit>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  exited(deadlineMs?: number): Promise<Exit>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const folders = new Set<string>();
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new empty directory that goes when the tests end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'aerostore-acceptance-'));
  folders.add(folder);
  return folder;
}

export interface Launched {
  readonly child: ChildProcess;
  readonly dataDir: string;
  output(): string;
  stdout(): string;
  exited(deadlineMs?: number): Promise<Exit>;
}

/** Starts `serve` without waiting for it to listen: for servers that are expected not to. */
export function launch({ dataDir, env, wrapper = [] }: StartOptions = {}): Launched {
  if (!existsSync(binary)) {
    throw new Error(`${binary} is missing: run "npm run build" before the acceptance tests`);
  }
  const folder = dataDir ?? path.join(temporaryFolder(), 'data');
  const [command = process.execPath, ...rest] = [...wrapper, process.execPath, binary, 'serve'];
  const child = spawn(command, rest, {
    env: environment({ AEROSTORE_DATA_DIR: folder, AEROSTORE_PORT: '0', ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  let exit: Exit | undefined;
  child.once('error', (error) => {
    stderr += String(error);
    exit ??= { code: null, signal: null };
  });
  child.once('close', (code, signal) => {
    running.delete(child);
    exit = { code, signal };
  });
  return {
    child,
    dataDir: folder,
    output: () => stdout + stderr,
    stdout: () => stdout,
    exited: (deadlineMs = 20_000) => until('the server ends', () => exit, deadlineMs),
  };
}

/** Of a child process: this one's, without any AEROSTORE_* but the given ones. */
export function environment(env: Settings): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(AEROSTORE_|VITEST|NODE_OPTIONS|NODE_ENV|TEST$)/.test(name),
  );
  const settings = { AEROSTORE_JWT_SECRET: secret, ...env };
  const given = Object.entries(settings).filter(([, value]) => value !== '');
  return Object.fromEntries([...inherited, ...given]);
}

export async function startServer(options: StartOptions = {}): Promise<Server> {
  const launched = launch(options);
  const { child, dataDir, output, exited } = launched;
  let ended = false;
  child.once('close', () => {
    ended = true;
  });
  const url = await until(
    'the server listens',
    () => {
      if (ended) throw new Error(`the server ended before it listened:\n${output()}`);
      return parseLog(launched.stdout()).find(({ msg }) => msg === 'listening')?.url;
    },
    30_000,
  ).catch((cause: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`the server did not start:\n${output()}`, { cause });
  });
  if (typeof url !== 'string') throw new Error(`no url in the log line "listening":\n${output()}`);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  await until(
    'the server is ready',
    async () => {
      if (ended) throw new Error(`the server ended before it was ready:\n${output()}`);
      const ready = await ask({ url, agent }, '@/health/ready').catch(() => undefined);
      return ready?.status === 200;
    },
    options.readyMs ?? 60_000,
  ).catch((cause: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`the server did not become ready:\n${output()}`, { cause });
  });
  return {
    url: url.replace(/\/$/, ''),
    port: Number(new URL(url).port),
    pid: child.pid ?? 0,
    dataDir,
    agent,
    logs: () => parseLog(launched.stdout()),
    output,
    async stop() {
      agent.destroy();
      child.kill('SIGTERM');
      return exited();
    },
    async kill() {
      child.kill('SIGKILL');
      const exit = await exited();
      agent.destroy();
      return exit;
    },
    signal: (name) => child.kill(name),
    exited,
  };
}

function parseLog(text: string): Record<string, unknown>[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}

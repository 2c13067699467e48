/** The built server as a process that will not live long. */
import { Agent } from 'node:http';
import { ask, type Target } from '../acceptance/support/client.ts';
import { type Exit, launch, type Settings } from '../acceptance/support/server.ts';
import { until } from '../acceptance/support/until.ts';

export interface Running extends Target {
  readonly dataDir: string;
  readonly exited: Promise<Exit>;
  output(): string;
  /** SIGKILL to the process that was started here, and its end. */
  kill(): Promise<Exit>;
}

export interface Death {
  readonly exit: Exit;
  readonly output: string;
}

export interface Start {
  readonly dataDir: string;
  readonly env?: Settings;
  readonly wrapper?: readonly string[];
}

/** Under strace, on a machine that is busy with other things. */
const startDeadlineMs = 180_000;

/** The server once it is ready, or how it ended before that. */
export async function start({ dataDir, env = {}, wrapper = [] }: Start): Promise<Running | Death> {
  const quiet = { AEROSTORE_LOG_LEVEL: 'info', ...env };
  const launched = launch({ dataDir, env: quiet, wrapper });
  const { child, output } = launched;
  let ended: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      ended = { code, signal };
      resolve(ended);
    });
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  let url: string | undefined;
  await until(
    'the server is ready or ends',
    async () => {
      if (ended) return true;
      url ??= urlIn(launched.stdout());
      if (url === undefined) return false;
      const reply = await ask({ url, agent }, '@/health/ready').catch(() => undefined);
      return reply?.status === 200;
    },
    startDeadlineMs,
  ).catch((cause: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`the server does not become ready:\n${output()}`, { cause });
  });
  if (ended || url === undefined) {
    agent.destroy();
    return { exit: ended ?? { code: null, signal: null }, output: output() };
  }
  return {
    url,
    agent,
    dataDir,
    exited,
    output,
    async kill() {
      child.kill('SIGKILL');
      const exit = await exited;
      agent.destroy();
      return exit;
    },
  };
}

export function isRunning(started: Running | Death): started is Running {
  return 'url' in started;
}

function urlIn(stdout: string): string | undefined {
  for (const line of stdout.split('\n')) {
    if (!line.includes('"listening"') || !line.endsWith('}')) continue;
    const { url } = JSON.parse(line) as { url?: unknown };
    if (typeof url === 'string') return url.replace(/\/$/, '');
  }
  return undefined;
}

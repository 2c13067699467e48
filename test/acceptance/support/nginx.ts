/** Debian's nginx as a child process: the conf of the repository, with addresses and folders of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { ask } from './client.ts';
import { repository, temporaryFolder } from './server.ts';
import { until } from './until.ts';

export interface Nginx {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly agent: Agent;
  /** What it logged of requests, a line each, and what it complained about. */
  output(): string;
  stop(): Promise<void>;
}

/** undefined where it can be run; otherwise why not. */
export const noNginx: string | undefined =
  spawnSync('nginx', ['-v']).status === 0
    ? undefined
    : 'nginx is not installed (package nginx-light)';

function deployedConf(): string {
  return readFileSync(path.join(repository, 'docs/deploy/nginx.conf'), 'utf8');
}

/** The conf of the repository before a server that runs here. Each text must be there once at least. */
export function confBefore(server: { readonly port: number; readonly dataDir: string }): string {
  return replaced(deployedConf(), {
    'server aerostore:8787;': `server 127.0.0.1:${server.port};`,
    'alias /data/blobs/;': `alias ${path.resolve(server.dataDir)}/blobs/;`,
  });
}

function replaced(text: string, changes: Readonly<Record<string, string>>): string {
  let changed = text;
  for (const [old, now] of Object.entries(changes)) {
    if (!changed.includes(old)) throw new Error(`the nginx conf has no "${old}"`);
    changed = changed.replaceAll(old, now);
  }
  return changed;
}

/** `conf` listens on 8080 and keeps its files in /tmp/nginx; here it is any free port and folder. */
export async function startNginx(conf: string): Promise<Nginx> {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'nginx'));
  const port = await freePort();
  const file = path.join(folder, 'nginx.conf');
  const accessLog = path.join(folder, 'access.log');
  const here = replaced(conf, {
    'listen 8080;': `listen 127.0.0.1:${port};`,
    '/tmp/nginx': path.join(folder, 'nginx'),
    // A pipe of Node's is a socket, which can't be opened by name.
    '/dev/stdout': accessLog,
  });
  writeFileSync(file, here);
  // As root it would hand its work to a user who may not look into folders of this one.
  const user = process.getuid?.() === 0 ? 'user root; ' : '';
  const child = spawn('nginx', ['-e', 'stderr', '-c', file, '-g', `${user}daemon off;`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stopOnExit = () => child.kill('SIGTERM');
  process.once('exit', stopOnExit);
  let output = '';
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  child.once('close', () => {
    ended = true;
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const url = `http://127.0.0.1:${port}`;
  await until('nginx answers', async () => {
    if (ended) throw new Error(`nginx ended:\n${output}`);
    return (await ask({ url, agent }, '@/health/live').catch(() => undefined)) !== undefined;
  });
  return {
    url,
    port,
    pid: child.pid ?? 0,
    agent,
    output: () => output + readFileSync(accessLog, 'utf8'),
    async stop() {
      agent.destroy();
      child.kill('SIGTERM');
      await until('nginx ends', () => ended);
      process.off('exit', stopOnExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

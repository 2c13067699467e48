/** The servers that can be compared without anything being started by hand. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from '../../test/acceptance/support/client.ts';
import { confBefore, noNginx, startNginx } from '../../test/acceptance/support/nginx.ts';
import { startServer } from '../../test/acceptance/support/server.ts';
import { user } from '../../test/acceptance/support/tokens.ts';
import { until } from '../../test/acceptance/support/until.ts';
import { familyOf } from '../process-figures.ts';
import type { Target } from './target.ts';

type Start = (folder: string) => Promise<Target>;

export const builtin: Readonly<Record<string, Start>> = {
  aerostore: (folder) => startAerostore(folder, {}),
  'aerostore+nginx': startAccelerated,
  'bare-files': (folder) => startBare('bare-files', [folder, 'files']),
  'bare-files-hash': (folder) => startBare('bare-files-hash', [folder, 'files', 'hash']),
  'bare-append': (folder) => startBare('bare-append', [folder, 'append']),
  nginx: startPlainNginx,
};

const token = user('compare');
const bucket = 'compare';
const here = { hostname: '127.0.0.1' };

async function startAerostore(
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Target & { readonly dataDir: string }> {
  const server = await startServer({ dataDir: path.join(folder, 'data'), env });
  const made = await ask(server, '/bucket', { method: 'POST', token, json: { name: bucket } });
  if (made.status !== 200) throw new Error(`the bucket: ${made.status} ${made.text()}`);
  return {
    ...here,
    name: 'aerostore',
    port: server.port,
    dataDir: server.dataDir,
    pids: () => [server.pid],
    address: (_method, name) => ({
      path: `/storage/v1/object/${bucket}/${name}`,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    }),
    async stop() {
      const { code } = await server.stop();
      if (code !== 0) throw new Error(`aerostore ended with ${code}:\n${server.output()}`);
    },
  };
}

/** docs/deploy/nginx.conf before it. */
async function startAccelerated(folder: string): Promise<Target> {
  if (noNginx) throw new Error(noNginx);
  const behind = await startAerostore(folder, { AEROSTORE_ACCEL: 'x-accel-redirect' });
  const nginx = await startNginx(confBefore(behind));
  return {
    ...behind,
    name: 'aerostore+nginx',
    port: nginx.port,
    pids: () => [...behind.pids(), ...familyOf(nginx.pid)],
    async stop() {
      await nginx.stop();
      await behind.stop();
    },
  };
}

async function startBare(name: string, args: readonly string[]): Promise<Target> {
  const script = fileURLToPath(new URL('bare.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return {
    ...here,
    name,
    port: await portOf(child),
    pids: () => [child.pid ?? 0],
    address: (_method, of) => ({ path: `/${of}`, headers: {} }),
    async stop() {
      child.kill('SIGTERM');
      await until(`${name} ends`, () => child.exitCode !== null || child.signalCode !== null);
    },
  };
}

async function portOf(child: ChildProcess): Promise<number> {
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
  });
  return until('a bare server listens', () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const port = /port (\d+)/.exec(printed)?.[1];
    return port === undefined ? false : Number(port);
  });
}

/** Files, as nginx serves them, and its WebDAV PUT, which writes and renames and syncs nothing. */
async function startPlainNginx(folder: string): Promise<Target> {
  if (noNginx) throw new Error(noNginx);
  const root = path.join(folder, 'files');
  mkdirSync(root, { recursive: true });
  const nginx = await startNginx(`
    worker_processes auto;
    error_log stderr warn;
    pid /tmp/nginx/nginx.pid;
    events { worker_connections 4096; }
    http {
      client_body_temp_path ${root}/.body;
      proxy_temp_path /tmp/nginx/proxy;
      fastcgi_temp_path /tmp/nginx/fastcgi;
      uwsgi_temp_path /tmp/nginx/uwsgi;
      scgi_temp_path /tmp/nginx/scgi;
      sendfile on;
      tcp_nopush on;
      keepalive_requests 1000000;
      access_log /dev/stdout;
      server {
        listen 8080;
        root ${root};
        client_max_body_size 0;
        location / { dav_methods PUT; create_full_put_path on; }
      }
    }`);
  return {
    ...here,
    name: 'nginx',
    port: nginx.port,
    pids: () => familyOf(nginx.pid),
    address: (_method, name) => ({ path: `/${name}`, headers: {} }),
    stop: () => nginx.stop(),
  };
}

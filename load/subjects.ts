/** What is measured: the built server and the yardstick, spoken to in the same way. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Agent } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask, type Question, type Reply } from '../test/acceptance/support/client.ts';
import { type Server, startServer } from '../test/acceptance/support/server.ts';
import { user } from '../test/acceptance/support/tokens.ts';
import { until } from '../test/acceptance/support/until.ts';
import { residentBytesOf } from './process-figures.ts';

export interface Subject {
  readonly name: 'aerostore' | 'baseline';
  put(name: string, body: Question['body'], sizeBytes: number): Promise<void>;
  /** Bytes that arrived. */
  get(name: string): Promise<number>;
  stat(name: string): Promise<void>;
  /** A URL that opens it for an hour. */
  sign(name: string): Promise<void>;
  /** A page of 1,000. */
  list(prefix: string): Promise<void>;
  /** Resident memory, bytes. */
  residentBytes(): number;
  stop(): Promise<void>;
}

const bucket = 'bench';
const token = user('bench');

export async function startAerostore(dataDir: string): Promise<Subject> {
  // The bench is one caller, and signs more than one may in a minute.
  const env = { AEROSTORE_LIMIT_SIGNING: '1000000000' };
  const server: Server = await startServer({ dataDir, env });
  const created = await ask(server, '/bucket', { method: 'POST', token, json: { name: bucket } });
  if (created.status !== 409) expectOk(created);
  const at = (name: string) => `/object/${bucket}/${name}`;
  return {
    name: 'aerostore',
    put: async (name, body, sizeBytes) => {
      const headers = { 'content-length': sizeBytes, 'content-type': 'application/octet-stream' };
      expectOk(await ask(server, at(name), { method: 'PUT', token, headers, body: body ?? '' }));
    },
    get: async (name) => expectOk(await ask(server, at(name), { token })).bytes.length,
    stat: async (name) => {
      expectOk(await ask(server, `/object/info/${bucket}/${name}`, { token }));
    },
    sign: async (name) => {
      const question = { method: 'POST', token, json: { expiresIn: 3600 } };
      expectOk(await ask(server, `/object/sign/${bucket}/${name}`, question));
    },
    list: async (prefix) => {
      const query = `prefix=${prefix}&limit=1000`;
      const reply = expectOk(await ask(server, `/object/list/${bucket}?${query}`, { token }));
      expectThousand(reply.json().objects);
    },
    residentBytes: () => residentBytesOf(server.pid),
    stop: async () => {
      const { code } = await server.stop();
      if (code !== 0) throw new Error(`the server ended with ${code}:\n${server.output()}`);
    },
  };
}

export async function startBaseline(folder: string): Promise<Subject> {
  const script = fileURLToPath(new URL('baseline.ts', import.meta.url));
  const args = ['--import', 'tsx', script, path.resolve(folder)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const agent = new Agent({ keepAlive: true });
  const target = { url: `http://127.0.0.1:${await portOf(child)}`, agent };
  return {
    name: 'baseline',
    put: async (name, body, sizeBytes) => {
      const headers = { 'content-length': sizeBytes };
      expectOk(
        await ask(target, `@/files/${flat(name)}`, { method: 'PUT', headers, body: body ?? '' }),
      );
    },
    get: async (name) => expectOk(await ask(target, `@/files/${flat(name)}`)).bytes.length,
    stat: async (name) => {
      expectOk(await ask(target, `@/stat/${flat(name)}`));
    },
    sign: async (name) => {
      expectOk(await ask(target, `@/sign/${flat(name)}`));
    },
    list: async (prefix) => {
      const reply = expectOk(await ask(target, `@/list/${flat(prefix)}`));
      expectThousand(JSON.parse(reply.text()));
    },
    residentBytes: () => residentBytesOf(child.pid ?? 0),
    stop: async () => {
      agent.destroy();
      child.kill('SIGTERM');
      await until('the baseline ends', () => child.exitCode !== null || child.signalCode !== null);
    },
  };
}

/** Milliseconds until a bare server of three lines listens. */
export async function bareStartMs(): Promise<number> {
  const script =
    "const s=require('node:http').createServer();" +
    "s.listen(0,'127.0.0.1',()=>console.log('port '+s.address().port))";
  const began = performance.now();
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await portOf(child);
  const tookMs = performance.now() - began;
  child.kill('SIGKILL');
  return tookMs;
}

function portOf(child: ChildProcess): Promise<number> {
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
  });
  return until('a server listens', () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const port = /port (\d+)/.exec(printed)?.[1];
    return port === undefined ? false : Number(port);
  });
}

const flat = (name: string) => name.replaceAll('/', '_');

function expectOk(reply: Reply): Reply {
  if (reply.status !== 200) throw new Error(`${reply.status}: ${reply.text().slice(0, 200)}`);
  return reply;
}

function expectThousand(rows: unknown): void {
  const length = Array.isArray(rows) ? rows.length : -1;
  if (length !== 1000) throw new Error(`a page of ${length} rows, not of 1,000`);
}

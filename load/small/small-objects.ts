/**
 * Small objects by many clients, and 1 MiB by four, beside a bare node:http server of the same process
 * and the same disk: rates, and how much processor a request took of each. In turns, medians of rounds.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from '../../test/acceptance/support/client.ts';
import { startServer } from '../../test/acceptance/support/server.ts';
import { user } from '../../test/acceptance/support/tokens.ts';
import { until } from '../../test/acceptance/support/until.ts';
import { median } from '../measures.ts';
import { type RawRequest, runRequests } from './raw-client.ts';

export interface SmallFigure {
  readonly what: string;
  readonly unit: string;
  readonly floor: string;
  readonly aerostore: number;
  readonly baseline: number;
}

export interface SmallScale {
  readonly rounds: number;
  /** 4 KiB requests a round; of 1 MiB, a fiftieth. */
  readonly requests: number;
}

interface Peer {
  readonly port: number;
  readonly pid: number;
  /** What asks for, or makes, the object of that number. */
  request(method: 'GET' | 'PUT', index: number, body?: Buffer): RawRequest;
  stop(): Promise<void>;
}

interface Work {
  readonly what: string;
  readonly method: 'GET' | 'PUT';
  readonly sizeBytes: number;
  readonly clients: number;
  readonly count: number;
  /** Of the bare server's rate, at least. */
  readonly floor: number;
}

/** Of these many objects downloads choose. */
const held = 500;
const token = user('bench');

export async function smallObjects(
  folder: string,
  { rounds, requests }: SmallScale,
): Promise<SmallFigure[]> {
  const aerostore = await startStore(path.join(folder, 'small'));
  const baseline = await startBare(path.join(folder, 'small-bare'));
  const few = Math.max(16, Math.floor(requests / 50));
  const small = { sizeBytes: 4096, count: requests };
  const large = { sizeBytes: 1024 * 1024, count: few, clients: 4, floor: 0.9 };
  const works: Work[] = [
    { ...small, what: 'upload 4 KiB, 64 clients', method: 'PUT', clients: 64, floor: 0.5 },
    { ...small, what: 'download 4 KiB, 32 clients', method: 'GET', clients: 32, floor: 0.6 },
    { ...large, what: 'upload 1 MiB, 4 clients', method: 'PUT' },
    { ...large, what: 'download 1 MiB, 4 clients', method: 'GET' },
  ];
  const figures: SmallFigure[] = [];
  for (const work of works) {
    process.stderr.write(`${work.what}: ${rounds} rounds of ${work.count}\n`);
    figures.push(...(await compare({ aerostore, baseline }, work, rounds)));
  }
  await aerostore.stop();
  await baseline.stop();
  return figures;
}

type Peers = Readonly<Record<'aerostore' | 'baseline', Peer>>;

async function compare(peers: Peers, work: Work, rounds: number): Promise<SmallFigure[]> {
  const rates = { aerostore: [] as number[], baseline: [] as number[] };
  const costs = { aerostore: [] as number[], baseline: [] as number[] };
  const { method, sizeBytes, clients, count } = work;
  const body = randomBytes(sizeBytes);
  // The first round warms up, and makes what is downloaded.
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of ['aerostore', 'baseline'] as const) {
      const peer = peers[name];
      const isFirst = round === 0;
      const ask = isFirst ? 'PUT' : method;
      const many = isFirst ? Math.min(held, count) : count;
      const before = cpuMs(peer.pid);
      const { tookMs } = await runRequests(peer.port, { clients, count: many }, (index) =>
        peer.request(ask, index % Math.min(held, count), ask === 'PUT' ? body : undefined),
      );
      if (isFirst) continue;
      rates[name].push((many * 1000) / tookMs);
      costs[name].push(((cpuMs(peer.pid) - before) * 1000) / many);
    }
  }
  const rate = { aerostore: median(rates.aerostore), baseline: median(rates.baseline) };
  const cost = { aerostore: median(costs.aerostore), baseline: median(costs.baseline) };
  const floor = `> ${Math.round(rate.baseline * work.floor)}`;
  return [
    { what: work.what, unit: '/s', floor, ...rate },
    { what: `${work.what}: CPU of the server`, unit: 'µs', floor: '', ...cost },
  ];
}

async function startStore(dataDir: string): Promise<Peer> {
  const server = await startServer({ dataDir, env: { AEROSTORE_LOG_LEVEL: 'info' } });
  const json = { name: 'bench' };
  const made = await ask(server, '/bucket', { method: 'POST', token, json });
  if (made.status !== 200) throw new Error(`${made.status}: ${made.text()}`);
  const authorization = `Bearer ${token}`;
  const typed = { authorization, 'content-type': 'application/octet-stream' };
  return {
    port: server.port,
    pid: server.pid,
    request: (method, index, body) => ({
      method,
      target: `/storage/v1/object/bench/folder/object-${index}`,
      headers: body ? typed : { authorization },
      ...(body ? { body } : {}),
    }),
    async stop() {
      const { code } = await server.stop();
      if (code !== 0) throw new Error(`the server ended with ${code}:\n${server.output()}`);
    },
  };
}

async function startBare(folder: string): Promise<Peer> {
  const script = fileURLToPath(new URL('bare.ts', import.meta.url));
  const args = ['--import', 'tsx', script, path.resolve(folder)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return {
    port: await portOf(child),
    pid: child.pid ?? 0,
    request: (method, index, body) => ({
      method,
      target: `/object-${index}`,
      ...(body ? { body } : {}),
    }),
    async stop() {
      child.kill('SIGTERM');
      await until(
        'the bare server ends',
        () => child.exitCode !== null || child.signalCode !== null,
      );
    },
  };
}

function portOf(child: ChildProcess): Promise<number> {
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    printed += chunk;
  });
  return until('the bare server listens', () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const port = /port (\d+)/.exec(printed)?.[1];
    return port === undefined ? false : Number(port);
  });
}

/** What the process used of all processors so far, user and system, milliseconds. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticksPerSecond = 100;
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

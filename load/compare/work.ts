/** The same work for every target, and what it cost. */
import { randomBytes } from 'node:crypto';
import { median, quantile } from '../measures.ts';
import { cpuSecondsOf } from '../process-figures.ts';
import { type Asked, connect, exchange, type Method, type Target } from './target.ts';

const kib = 1024;
const mib = 1024 * kib;

export interface Work {
  readonly name: string;
  readonly method: Method;
  readonly sizeBytes: number;
  readonly clients: number;
  /** Requests a round. */
  readonly count: number;
}

export const works: readonly Work[] = [
  { name: 'up-4k', method: 'PUT', sizeBytes: 4 * kib, clients: 64, count: 4000 },
  { name: 'down-4k', method: 'GET', sizeBytes: 4 * kib, clients: 32, count: 8000 },
  { name: 'up-64k', method: 'PUT', sizeBytes: 64 * kib, clients: 32, count: 1500 },
  { name: 'down-64k', method: 'GET', sizeBytes: 64 * kib, clients: 32, count: 4000 },
  { name: 'up-1m', method: 'PUT', sizeBytes: mib, clients: 4, count: 120 },
  { name: 'down-1m', method: 'GET', sizeBytes: mib, clients: 4, count: 600 },
  { name: 'up-100m', method: 'PUT', sizeBytes: 100 * mib, clients: 4, count: 8 },
  { name: 'down-100m', method: 'GET', sizeBytes: 100 * mib, clients: 4, count: 8 },
];

/** Objects that downloads choose from, at most. */
const stockLimit = 200;

export interface Round {
  /** Requests a second. */
  readonly rate: number;
  readonly p99Ms: number;
  /** Of the server; NaN where it can not be seen. */
  readonly cpuSecondsPerGb: number;
}

export interface Result extends Round {
  readonly target: string;
  readonly work: Work;
}

const payloads = new Map<number, Buffer>();

function payloadOf(sizeBytes: number): Buffer {
  const made = payloads.get(sizeBytes) ?? randomBytes(sizeBytes);
  payloads.set(sizeBytes, made);
  return made;
}

/** A B A B: whatever else the machine does falls on all. The first round warms up and counts for none. */
export async function inTurns(
  targets: readonly Target[],
  work: Work,
  rounds: number,
): Promise<Result[]> {
  const results = new Map<Target, Round[]>(targets.map((target) => [target, []]));
  if (work.method === 'GET') for (const target of targets) await stock(target, work);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [target, found] of results) {
      const measured = await measure(target, work, round);
      if (round > 0) found.push(measured);
    }
  }
  return [...results].map(([{ name }, found]) => ({
    target: name,
    work,
    rate: median(found.map(({ rate }) => rate)),
    p99Ms: median(found.map(({ p99Ms }) => p99Ms)),
    cpuSecondsPerGb: median(found.map(({ cpuSecondsPerGb }) => cpuSecondsPerGb)),
  }));
}

const stockName = ({ sizeBytes, count }: Work, index: number) =>
  `stock-${sizeBytes}-${index % Math.min(count, stockLimit)}`;

async function stock(target: Target, work: Work): Promise<void> {
  const put: Work = { ...work, method: 'PUT', count: Math.min(work.count, stockLimit) };
  await run(target, put, await questions(target, put, (index) => stockName(work, index)));
}

async function measure(target: Target, work: Work, round: number): Promise<Round> {
  const nameAt = (index: number) =>
    work.method === 'GET' ? stockName(work, index * 7919) : `${work.name}-${round}-${index}`;
  const asked = await questions(target, work, nameAt);
  const cpu = () => target.pids().reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  const before = cpu();
  const began = performance.now();
  const times = await run(target, work, asked);
  const seconds = (performance.now() - began) / 1000;
  const spent = target.pids().length === 0 ? Number.NaN : cpu() - before;
  return {
    rate: work.count / seconds,
    p99Ms: quantile(times, 0.99),
    cpuSecondsPerGb: spent / ((work.count * work.sizeBytes) / 1e9),
  };
}

async function questions(
  target: Target,
  { method, count, sizeBytes }: Work,
  nameAt: (index: number) => string,
): Promise<Asked[]> {
  const body = method === 'PUT' ? { body: payloadOf(sizeBytes) } : {};
  const asked: Asked[] = [];
  for (let index = 0; index < count; index += 1) {
    asked.push({ method, ...(await target.address(method, nameAt(index))), ...body });
  }
  return asked;
}

/** Milliseconds of each. */
async function run(target: Target, work: Work, asked: readonly Asked[]): Promise<number[]> {
  const connections = connect(target, work.clients);
  const times: number[] = [];
  let next = 0;
  const client = async () => {
    for (let one = asked[next]; one; one = asked[next]) {
      next += 1;
      const began = performance.now();
      const arrived = await exchange(connections, one);
      times.push(performance.now() - began);
      if (one.method === 'GET' && arrived !== work.sizeBytes) {
        throw new Error(`${target.name}: ${arrived} bytes instead of ${work.sizeBytes}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: work.clients }, client));
  } finally {
    connections.agent.destroy();
  }
  return times;
}

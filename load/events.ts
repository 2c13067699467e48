/**
 * `npm run bench:events`: what hearing of changes costs, each beside a bare emitter that sends the same
 * text over the same transport and does nothing for it. Figures are shown, not asserted. `--quick` is a
 * smoke test, `--events=N` another length of the log. The receivers are this process; server, emitter and writer have their own.
 *
 * Time on a clock depends on what else the machine does; the seconds of CPU beside it hardly do.
 */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { rebuildViews } from '../src/compose.ts';
import { parseConfig } from '../src/config.ts';
import { ask } from '../test/acceptance/support/client.ts';
import { type Server, startServer, temporaryFolder } from '../test/acceptance/support/server.ts';
import { user } from '../test/acceptance/support/tokens.ts';
import { until } from '../test/acceptance/support/until.ts';
import { type Emitter, startEmitter } from './events/emitter.ts';
import { openReceiver, type Receiver } from './events/receiver.ts';
import { fillAndDie } from './filling.ts';
import { median, mib, quantile } from './measures.ts';
import { cpuSecondsOf, residentBytesOf } from './process-figures.ts';

const isQuick = process.argv.includes('--quick');
const given = process.argv.find((word) => /^--events=\d+$/.test(word));
const events = given ? Number(given.slice(9)) : isQuick ? 20_000 : 1_000_000;
const idle = isQuick ? 100 : 1_000;
const subscribers = isQuick ? 20 : 100;
const perSecond = isQuick ? 100 : 1_000;
const seconds = isQuick ? 3 : 10;
const stalled = 10;
/** Objects that are changed to be heard of. */
const live = 64;
const token = user('bench');
const rows: [string, string, string, string][] = [];
const counted = (count: number) => Math.round(count).toLocaleString('en');
const inMib = (bytes: number) => `${(bytes / mib).toFixed(1)} MiB`;
const ms = (value: number) => `${value.toFixed(1)} ms`;

const [mode, directory = ''] = process.argv.slice(2);
if (mode === 'fill') {
  const filling = { bucket: 'many', first: 0, many: events, blobs: 'shared', strange: 0 } as const;
  await fillAndDie(directory, filling);
} else {
  await measure();
}

async function measure(): Promise<void> {
  const before = loadavg().map((value) => value.toFixed(1));
  const dataDir = path.join(temporaryFolder(), 'data');
  progress(`filling a log with ${counted(events)} uploads`);
  const script = fileURLToPath(import.meta.url);
  const args = ['-C', 'source', script, 'fill', dataDir, `--events=${events}`];
  const filled = spawnSync(tsx(), args, { encoding: 'utf8' });
  if (filled.signal !== 'SIGKILL' && filled.status !== 137) throw new Error(filled.stderr);
  progress('building the views');
  await rebuildViews(configOf(dataDir), () => {});
  const server = await startServer({ dataDir, env: { AEROSTORE_LOG_LEVEL: 'info' } });
  const emitter = await startEmitter();
  await catchUp(server, emitter);
  await stalling(server);
  await idling(server, emitter);
  await fanOut(server, emitter);
  await emitter.stop();
  await server.stop();
  const after = loadavg().map((value) => value.toFixed(1));
  console.log(`machine: ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);
  console.log(`load average: ${before.join(' ')} before, ${after.join(' ')} after`);
  const table = new Table({
    head: ['', 'floor', 'aerostore', 'bare emitter'],
    style: { head: [] },
  });
  table.push(...rows);
  console.log(table.toString());
}

/** One subscriber from the beginning; the emitter sends as many blocks of the same size. */
async function catchUp(server: Server, emitter: Emitter): Promise<void> {
  progress('catching up from the beginning');
  const ours = await drain(server, `/storage/v1/events?from=beginning`, server.pid);
  const theirs = await drain(emitter, `/replay?events=${events}`, emitter.pid);
  rows.push(
    ['catch-up, events/s', '50,000', counted(ours.perSecond), counted(theirs.perSecond)],
    ['the same, by the CPU it took', '', counted(ours.perCpuSecond), counted(theirs.perCpuSecond)],
  );
}

async function drain(target: { readonly url: string }, at: string, pid: number) {
  const cpuBefore = cpuSecondsOf(pid);
  const began = performance.now();
  const receiver = openReceiver(target.url, at, token);
  await until('all is there', () => receiver.count >= events, 600_000);
  const tookS = (performance.now() - began) / 1000;
  const cpuS = cpuSecondsOf(pid) - cpuBefore;
  receiver.close();
  return { perSecond: events / tookS, perCpuSecond: events / cpuS };
}

/** Subscribers who take nothing of the whole log. */
async function stalling(server: Server): Promise<void> {
  progress(`${stalled} subscribers who take nothing`);
  const at = '/storage/v1/events?from=beginning';
  const before = residentBytesOf(server.pid);
  const receivers = Array.from({ length: stalled }, () => openReceiver(server.url, at, token));
  for (const receiver of receivers) receiver.pause();
  // The buffers of the system take some megabytes of each first.
  await until('the server is at rest', () => isAtRest(server.pid), 25_000).catch(() => {});
  const early = residentBytesOf(server.pid);
  await pause(isQuick ? 1_000 : 8_000);
  const late = residentBytesOf(server.pid);
  for (const receiver of receivers) receiver.close();
  rows.push([
    `${stalled} stalled: memory once nothing moves, and 8 s later`,
    'nothing that grows',
    `${inMib(early - before)}, then ${inMib(late - early)}`,
    '',
  ]);
}

async function isAtRest(pid: number): Promise<boolean> {
  const before = cpuSecondsOf(pid);
  await pause(1_000);
  return cpuSecondsOf(pid) - before < 0.05;
}

async function idling(server: Server, emitter: Emitter): Promise<void> {
  progress(`${idle} idle subscribers`);
  const ours = await heldBy(server, '/storage/v1/events', server.pid);
  const theirs = await heldBy(emitter, '/live', emitter.pid);
  rows.push([`${counted(idle)} idle subscribers, memory`, '50 MiB', inMib(ours), inMib(theirs)]);
}

async function heldBy(target: { readonly url: string }, at: string, pid: number): Promise<number> {
  await pause(2_000);
  const before = residentBytesOf(pid);
  const receivers: Receiver[] = [];
  for (let index = 0; index < idle; index += 1) {
    const receiver = openReceiver(target.url, at, token);
    receivers.push(receiver);
    if (index % 50 === 0) await until('it is heard', () => receiver.bytes > 0, 60_000);
  }
  await until('all are heard', () => receivers.every(({ bytes }) => bytes > 0), 60_000);
  await pause(2_000);
  const held = residentBytesOf(pid) - before;
  for (const receiver of receivers) receiver.close();
  return held;
}

/** From the commit to the client, as the two clocks of one machine tell. */
async function fanOut(server: Server, emitter: Emitter): Promise<void> {
  progress(`${counted(perSecond)} events/s to ${subscribers} subscribers`);
  const ours = await delays(server, '/storage/v1/events?bucket=live', {
    pid: server.pid,
    produce: () => patch(server),
  });
  const theirs = await delays(emitter, '/live', {
    pid: emitter.pid,
    produce: () => emitter.emit(perSecond, seconds),
  });
  const share = ({ cpuS }: { cpuS: number }) => `${((cpuS / seconds) * 100).toFixed(0)} %`;
  rows.push(
    ['fan-out, events/s that came', counted(perSecond), counted(ours.rate), counted(theirs.rate)],
    ['fan-out, delay p50', '< 20 ms', ms(ours.p50), ms(theirs.p50)],
    ['fan-out, delay p99', '', ms(ours.p99), ms(theirs.p99)],
    ['fan-out, CPU of the process (ours commits, too)', '', share(ours), share(theirs)],
  );
}

interface Producing {
  readonly pid: number;
  readonly produce: () => Promise<unknown>;
}

async function delays(target: { readonly url: string }, at: string, { pid, produce }: Producing) {
  if ('dataDir' in target) await makeLive(target as Server);
  const receivers = Array.from({ length: subscribers }, () => openReceiver(target.url, at, token));
  await until('all are heard', () => receivers.every(({ bytes }) => bytes > 0), 60_000);
  await pause(500);
  const cpuBefore = cpuSecondsOf(pid);
  for (const receiver of receivers) receiver.measure();
  const began = performance.now();
  await produce();
  await pause(500);
  const tookS = (performance.now() - began - 500) / 1000;
  const all = receivers.flatMap(({ delaysMs }) => delaysMs);
  const heard = receivers.reduce((sum, { count }) => sum + count, 0);
  for (const receiver of receivers) receiver.close();
  const cpuS = cpuSecondsOf(pid) - cpuBefore;
  return { rate: heard / subscribers / tookS, p50: median(all), p99: quantile(all, 0.99), cpuS };
}

async function makeLive(server: Server): Promise<void> {
  await ask(server, '/bucket', { method: 'POST', token, json: { name: 'live' } });
  for (let index = 0; index < live; index += 1) {
    await ask(server, `/object/live/${index}`, { method: 'PUT', token, body: 'x' });
  }
}

/** Leaves by the clock, so many at once as are due; what is late is not made up for by waiting. */
async function patch(server: Server): Promise<void> {
  const began = performance.now();
  const total = perSecond * seconds;
  const running = new Set<Promise<unknown>>();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond));
    for (; sent < due && running.size < 256; sent += 1) {
      const json = { metadata: { n: sent } };
      const asking = ask(server, `/object/live/${sent % live}`, { method: 'PATCH', token, json });
      const done = asking.finally(() => running.delete(done));
      running.add(done);
    }
    await pause(1);
  }
  await Promise.all(running);
}

function configOf(dataDir: string) {
  const parsed = parseConfig({ AEROSTORE_DATA_DIR: dataDir });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
}

function tsx(): string {
  return fileURLToPath(new URL('../node_modules/.bin/tsx', import.meta.url));
}

function progress(what: string): void {
  console.error(`… ${what}`);
}

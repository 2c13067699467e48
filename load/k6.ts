/**
 * `npm run load -- NAME… | all [--quick]`: k6 scenarios against the built server, each on a new data
 * directory, with tokens, synced to disk as ever. A scenario fails where one answer is not as it must
 * be, where the bucket does not hold what was acknowledged, before and after a restart, where the
 * server complains, or where its log is not whole. Figures are shown, not judged; `--quick` is a
 * smoke test. Without k6 it says so and is done.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { aerostore } from '../test/acceptance/support/cli.ts';
import { ask } from '../test/acceptance/support/client.ts';
import { type Server, startServer } from '../test/acceptance/support/server.ts';
import { service, user } from '../test/acceptance/support/tokens.ts';
import { levelsOf, type Sample } from './k6/level.ts';
import { type Scenario, type Size, scenarios } from './k6/scenarios.ts';
import { median, mib } from './measures.ts';
import { type ProcessFigures, processFigures } from './process-figures.ts';

const token = user('load');
const bucket = 'load';
const sampleEveryMs = 500;
const askEveryMs = 2000;

interface Metric {
  readonly values: Readonly<Record<string, number>>;
}

interface Outcome {
  readonly scenario: Scenario;
  readonly size: Size;
  readonly metrics: Readonly<Record<string, Metric>>;
  readonly samples: readonly Sample[];
  readonly loopMaximaMs: readonly number[];
  readonly faults: readonly string[];
}

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    /** Of a soak, in place of what it has. */
    seconds: { type: 'string' },
    rate: { type: 'string' },
  },
});
const isQuick = values.quick;
const chosen = names.includes('all')
  ? scenarios
  : names.map((name) => scenarios.find((one) => one.name === name) ?? unknown(name));
if (chosen.length === 0) unknown('');

if (spawnSync('k6', ['version']).status !== 0) {
  console.log('skipped: k6 is not installed; load/README.md tells how to get it');
} else {
  const outcomes: Outcome[] = [];
  for (const scenario of chosen) {
    const outcome = await run(scenario);
    outcomes.push(outcome);
    for (const fault of outcome.faults) console.error(`${scenario.name}: ${fault}`);
  }
  console.log(tableOf(outcomes));
  const live = outcomes.at(-1)?.metrics.live?.values;
  if (live)
    console.log(
      `/health/live, which waits for the event loop alone: ${live.med} ms, ${live['p(99)']} ms, ${live.max} ms (p50, p99, max)`,
    );
  process.exitCode = outcomes.some(({ faults }) => faults.length > 0) ? 1 : 0;
}

function unknown(name: string): never {
  const known = scenarios.map((one) => one.name).join(' ');
  console.error(`${name === '' ? 'Name a scenario' : `"${name}" is not known`}: ${known} all`);
  process.exit(2);
}

async function run(scenario: Scenario): Promise<Outcome> {
  const size = sizeOf(scenario);
  const folder = mkdtempSync(path.join(tmpdir(), 'aerostore-load-'));
  const dataDir = path.join(folder, 'data');
  // The load is one caller's, from one address, and more than one may ask for.
  const limits = { AEROSTORE_LIMIT_SIGNING: '1000000000', AEROSTORE_LIMIT_SIGNED_USES: '1000000' };
  const start = () => startServer({ dataDir, env: { ...limits, ...scenario.env } });
  process.stderr.write(`${scenario.name} …\n`);
  try {
    const server = await start();
    const made = { method: 'POST', token, json: { name: bucket } };
    const { status } = await ask(server, '/bucket', made);
    if (status !== 200) throw new Error(`the bucket: ${status}`);
    const loaded = await underLoad(server, { scenario, size, folder });
    const faults = [...loaded.faults, ...(await faultsLeft(server, { scenario, size, dataDir }))];
    const again = await start();
    faults.push(...(await faultsOfContent(again, scenario, size)).map((one) => `restart: ${one}`));
    faults.push(...(await faultsOfEnd(again)));
    const log = await aerostore(['wal', 'verify', '--data-dir', dataDir]);
    if (log.code !== 0) faults.push(`the log: ${log.stdout}${log.stderr}`);
    return { ...loaded, scenario, size, faults };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sizeOf(scenario: Scenario): Size {
  const size = isQuick ? scenario.quick : scenario.full;
  if (size.durationSeconds === undefined) return size;
  const { seconds = size.durationSeconds, rate = size.rate } = values;
  return { ...size, durationSeconds: Number(seconds), rate: Number(rate) };
}

interface Run {
  readonly scenario: Scenario;
  readonly size: Size;
  readonly folder: string;
}

async function underLoad(
  server: Server,
  { scenario, size, folder }: Run,
): Promise<Omit<Outcome, 'scenario' | 'size'>> {
  const summary = path.join(folder, 'summary.json');
  const script = fileURLToPath(new URL(`k6/${scenario.script}`, import.meta.url));
  const child = spawn('k6', ['run', '--quiet', '--no-usage-report', '--no-color', script], {
    env: { ...process.env, ...variables(server, size), SUMMARY: summary },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const endToo = () => child.kill('SIGKILL');
  process.once('exit', endToo);
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    complaints = (complaints + chunk).slice(0, 4000);
  });
  const watch = watchServer(server);
  const code = await new Promise((resolve) => child.once('close', resolve));
  process.off('exit', endToo);
  const { samples, loopMaximaMs, faults } = await watch.end();
  if (code !== 0) faults.push(`k6 ended with ${code}: ${complaints}`);
  if (!existsSync(summary))
    return { metrics: {}, samples, loopMaximaMs, faults: [...faults, 'k6 has no summary'] };
  const metrics: Outcome['metrics'] = JSON.parse(readFileSync(summary, 'utf8'));
  faults.push(...faultsOfWork(metrics, scenario, size), ...faultsOfLevel(samples, size));
  return { metrics, samples, loopMaximaMs, faults };
}

interface Watched extends Pick<Outcome, 'samples' | 'loopMaximaMs'> {
  readonly faults: string[];
}

/** From outside by the kernel, from inside by the status. */
function watchServer(server: Server): { end(): Promise<Watched> } {
  const samples: Sample[] = [];
  const loopMaximaMs: number[] = [];
  const faults: string[] = [];
  const sampling = setInterval(() => {
    try {
      samples.push({ atMs: Date.now(), ...processFigures(server.pid) });
    } catch (fault) {
      faults.push(`the server can't be watched any more: ${fault}`);
      clearInterval(sampling);
    }
  }, sampleEveryMs);
  const over = new AbortController();
  const asking = askUntil(over.signal).catch((fault: unknown) => {
    faults.push(`the status: ${fault}`);
  });

  async function askUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const delay = await loopDelayMs(server);
      if (delay !== undefined) loopMaximaMs.push(delay);
      await pause(askEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    async end() {
      clearInterval(sampling);
      over.abort();
      await asking;
      return { samples, loopMaximaMs, faults };
    },
  };
}

/** The longest that the event loop kept anything waiting since the last time it was asked. */
async function loopDelayMs(server: Server): Promise<number | undefined> {
  const reply = await ask(server, '/admin/status', { token: service });
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text()}`);
  const { process: figures } = reply.json() as {
    readonly process: { readonly event_loop_delay_ms: { readonly max: number } | null };
  };
  return figures.event_loop_delay_ms?.max;
}

/** Only minutes tell: in seconds everything still grows to its size. */
function faultsOfLevel(samples: readonly Sample[], { durationSeconds }: Size): string[] {
  if (durationSeconds === undefined) return [];
  const levels = levelsOf(samples, durationSeconds);
  for (const { what, tenths } of levels) {
    console.log(`${what}, tenth by tenth: ${tenths.map((one) => one.toFixed(0)).join(' ')}`);
  }
  const faults = levels.filter(({ isLevel }) => !isLevel && !isQuick);
  return faults.map(({ what, early, late }) => `${what} rose from ${early} to ${late}`);
}

function variables(server: Server, size: Size): Record<string, string> {
  const { sizeBytes, count, clients, stock = 0, durationSeconds = 0, rate = 0 } = size;
  return {
    URL: server.url,
    TOKEN: token,
    BUCKET: bucket,
    SIZE: String(sizeBytes),
    COUNT: String(count),
    CLIENTS: String(clients),
    STOCK: String(stock),
    DURATION: `${durationSeconds}s`,
    RATE: String(rate),
  };
}

/** k6 ends with 0 also where it did less than it was told to. */
function faultsOfWork(metrics: Outcome['metrics'], { name }: Scenario, size: Size): string[] {
  const done = metrics.iterations?.values.count ?? 0;
  const { durationSeconds: seconds, rate, count } = size;
  const wanted = seconds !== undefined && rate !== undefined ? 0.95 * seconds * rate : count;
  return done < wanted ? [`${done} turns of ${name} instead of ${wanted}`] : [];
}

async function faultsLeft(
  server: Server,
  { scenario, size, dataDir }: Omit<Run, 'folder'> & { readonly dataDir: string },
): Promise<string[]> {
  const faults = await faultsOfContent(server, scenario, size);
  const staged = readdirSync(path.join(dataDir, 'staging'));
  if (staged.length > 0) faults.push(`${staged.length} files are left in staging`);
  const status = await ask(server, '/admin/status', { token: service });
  const health = status.json().health as { readonly status?: unknown } | undefined;
  if (health?.status !== 'ready') faults.push(`health: ${JSON.stringify(health)}`);
  return [...faults, ...(await faultsOfEnd(server))];
}

async function faultsOfContent(
  server: Server,
  { leaves }: Scenario,
  size: Size,
): Promise<string[]> {
  if (!leaves) return [];
  const found = await countObjects(server);
  const expected = leaves(size);
  return found === expected ? [] : [`${found} objects instead of ${expected}`];
}

async function countObjects(server: Server): Promise<number> {
  let count = 0;
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const reply = await ask(server, `/object/list/${bucket}?limit=1000${query}`, { token });
    if (reply.status !== 200) throw new Error(`the list: ${reply.status} ${reply.text()}`);
    const page = reply.json() as {
      readonly objects: unknown[];
      readonly next_cursor: string | null;
    };
    count += page.objects.length;
    cursor = page.next_cursor;
  }
  return count;
}

async function faultsOfEnd(server: Server): Promise<string[]> {
  const { code } = await server.stop();
  const faults = code === 0 ? [] : [`the server ended with ${code}`];
  const errors = server.logs().filter(({ level }) => level === 'error' || level === 'fatal');
  return [...faults, ...errors.slice(0, 5).map((line) => JSON.stringify(line))];
}

function tableOf(outcomes: readonly Outcome[]): string {
  const table = new Table({
    head: [
      'scenario',
      'requests',
      'a second',
      'MB/s',
      'p50 ms',
      'p99 ms',
      'loop ms',
      'RSS MiB',
      'files',
      '',
    ],
    colAligns: ['left', ...Array.from({ length: 8 }, () => 'right' as const), 'left'],
    style: { head: [], border: [] },
  });
  for (const { scenario, metrics, samples, loopMaximaMs, faults } of outcomes) {
    const { took, elapsed, moved_bytes: moved, mistakes } = metrics;
    const requests = metrics.checks?.values.passes ?? 0;
    const seconds = (elapsed?.values.max ?? Number.NaN) / 1000;
    const highest = (field: keyof ProcessFigures) => Math.max(...samples.map((one) => one[field]));
    table.push([
      scenario.name,
      requests,
      (requests / seconds).toFixed(0),
      ((moved?.values.count ?? 0) / 1e6 / seconds).toFixed(1),
      took?.values.med?.toFixed(1) ?? '',
      took?.values['p(99)']?.toFixed(1) ?? '',
      loopMaximaMs.length === 0 ? '' : median(loopMaximaMs).toFixed(1),
      (highest('residentBytes') / mib).toFixed(0),
      highest('descriptors'),
      faults.length === 0 ? 'pass' : `FAIL, ${mistakes?.values.count ?? '?'} mistakes`,
    ]);
  }
  return table.toString();
}

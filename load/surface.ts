/**
 * `npm run bench:surface`: what the REST surface costs in buckets that are large. Figures are shown,
 * not asserted. `--full` makes the largest bucket of 1,000,000 objects instead of 100,000; `--quick`
 * is a smoke test. The log is filled by processes of their own that end themselves by SIGKILL.
 *
 * "Server" rows are the server's own time, from its request log; all others are a client's on the
 * same machine. In an open loop requests leave by the clock, and are timed from when they were due.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { ask, type Question, type Reply } from '../test/acceptance/support/client.ts';
import { type Server, startServer, temporaryFolder } from '../test/acceptance/support/server.ts';
import { service, user } from '../test/acceptance/support/tokens.ts';
import { fillAndDie, pathOf, stranger } from './filling.ts';
import { median, mib, quantile, timeMs } from './measures.ts';

interface Figure {
  readonly what: string;
  /** '' where there is none. */
  readonly floor: string;
  readonly value: number;
  readonly unit: string;
}

const isQuick = process.argv.includes('--quick');
const isFull = process.argv.includes('--full');
const buckets = {
  small: 10_000,
  middle: isQuick ? 5_000 : 100_000,
  large: isFull ? 1_000_000 : isQuick ? 20_000 : 100_000,
};
type BucketName = keyof typeof buckets;
const seconds = isQuick ? 2 : 10;
const signs = isQuick ? 200 : 4000;
const pages = isQuick ? 20 : 200;
const copies = isQuick ? 5 : 30;
const largeMib = isQuick ? 64 : 1024;
const token = user('bench');
const counted = (count: number) => count.toLocaleString('en');

const [mode, directory = '', bucket = '', count = '0'] = process.argv.slice(2);
if (mode === 'fill') {
  const filling = { bucket, first: 0, many: Number(count) };
  const strange = bucket === 'large' ? 3 : 0;
  // Files by the hundred thousand are no part of what is measured: no request here reads a blob.
  await fillAndDie(directory, { ...filling, blobs: 'shared', strange });
} else {
  await measure();
}

async function measure(): Promise<void> {
  const load = () => loadavg().map((value) => value.toFixed(1));
  const before = load();
  const dataDir = path.join(temporaryFolder(), 'data');
  for (const name of ['small', 'middle', 'large'] as const) fill(dataDir, name);
  progress('starting, which builds the views from the log');
  const env = { AEROSTORE_LIMIT_SIGNING: '1000000000', AEROSTORE_MAX_FILE_SIZE: '2GiB' };
  const server = await startServer({ dataDir, env, readyMs: 15 * 60_000 });
  const figures = [
    ...(await signing(server)),
    ...(await lists(server)),
    ...(await queries(server)),
    ...(await copying(server)),
    ...(await metadata(server)),
    ...(await forcedDelete(server)),
  ];
  await server.stop();
  console.log(`machine: ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);
  console.log(`load average: ${before.join(' ')} before, ${load().join(' ')} after`);
  const sizes = Object.entries(buckets).map(([name, size]) => `${name} ${counted(size)}`);
  console.log(`objects: ${sizes.join(', ')}; clients and server share the machine`);
  console.log(tableOf(figures));
}

async function signing(server: Server): Promise<Figure[]> {
  progress(`signing ${counted(signs)} URLs`);
  const route = (name: BucketName, index: number) => `/object/sign/${name}/${pathOf(index)}`;
  const question = { method: 'POST', token, json: { expiresIn: 3600 } };
  const sign = (index: number) =>
    asked(server, route('middle', (index * 7919) % buckets.middle), question);
  for (let index = 0; index < signs / 10; index += 1) await sign(index);
  const known = timesLogged(server, 'POST', '/object/sign/').length;
  const times = await timesOf(signs, sign);
  await logged();
  const own = timesLogged(server, 'POST', '/object/sign/').slice(known);
  return [
    ms('sign a URL p50, server', '', median(own)),
    ms('sign a URL p99, server', '< 1', quantile(own, 0.99)),
    ms('sign a URL p99, over HTTP', '', quantile(times, 0.99)),
  ];
}

async function lists(server: Server): Promise<Figure[]> {
  progress(`${pages} pages of 1,000 of each bucket, in turns`);
  const times: Record<'small' | 'large', number[]> = { small: [], large: [] };
  for (let page = 0; page < pages; page += 1) {
    for (const name of ['small', 'large'] as const) {
      // Each begins the names of eleven folders.
      const prefix = `album-${1 + (page % 9)}`;
      times[name].push(await timeMs(() => listOf(server, { name, prefix, rows: 1000 })));
    }
  }
  const owned = await timesOf(pages, () =>
    listOf(server, { name: 'large', prefix: '', rows: 3, token: user(stranger) }),
  );
  const p99 = { small: quantile(times.small, 0.99), large: quantile(times.large, 0.99) };
  const many = counted(buckets.large);
  const few = counted(buckets.small);
  return [
    ms(`list 1,000 of ${few} p50`, '', median(times.small)),
    ms(`list 1,000 of ${many} p50`, '', median(times.large)),
    ms(`list 1,000 of ${few} p99`, '', p99.small),
    ms(`list 1,000 of ${many} p99`, '< 20', p99.large),
    {
      what: `p99 of ${many} : p99 of ${few}`,
      floor: '< 1.5',
      value: p99.large / p99.small,
      unit: '×',
    },
    ms(`an owner of 3 of ${many} lists them, p99`, '', quantile(owned, 0.99)),
  ];
}

interface Listing {
  readonly name: BucketName;
  readonly prefix: string;
  /** How many there must be. */
  readonly rows: number;
  readonly token?: string;
}

async function listOf(server: Server, { name, prefix, rows, ...caller }: Listing): Promise<void> {
  const route = `/object/list/${name}?prefix=${prefix}&limit=1000`;
  const { objects } = (await asked(server, route, { token, ...caller })).json();
  const length = Array.isArray(objects) ? objects.length : -1;
  if (length !== rows) throw new Error(`a page of ${length} rows, not of ${rows}`);
}

/** As a caller who owns three of all, as one whose filter nothing meets, and what the server says of it. */
async function queries(server: Server): Promise<Figure[]> {
  progress(`${pages} queries of each kind`);
  const many = counted(buckets.large);
  const owner = '/query/storage_objects?bucket_id=eq.large&owner_id=eq.';
  const owned = await timesOf(pages, async () => {
    const { rows } = (await asked(server, `${owner}me`, { token: user(stranger) })).json();
    if (!Array.isArray(rows) || rows.length !== 3) throw new Error('a stranger owns three');
  });
  const vain = '/query/storage_objects?bucket_id=eq.large&metadata->>camera=eq.none';
  const scans = await timesOf(Math.max(10, pages / 10), () => asked(server, vain, { token }));
  for (const route of [`${owner}${stranger}`, vain]) {
    const explained = await asked(server, `${route}&explain=true`, { token: service });
    progress(`  ${route} ${JSON.stringify(explained.json().explain)}`);
  }
  return [
    ms(`query by owner: 3 of ${many}, p99`, '< 10', quantile(owned, 0.99)),
    ms(`query that nothing meets, to its budget, p50`, '', median(scans)),
    ms(`query that nothing meets, to its budget, p99`, '', quantile(scans, 0.99)),
  ];
}

async function copying(server: Server): Promise<Figure[]> {
  progress(`uploading ${largeMib} MiB, and copying them ${copies} times`);
  const json = { name: 'copies' };
  await asked(server, '/bucket', { method: 'POST', token, json });
  const headers = { 'content-length': largeMib * mib, 'content-type': 'application/octet-stream' };
  const body = Readable.from(repeat(largeMib));
  await asked(server, '/object/copies/source', { method: 'PUT', token, headers, body });
  const times = await timesOf(copies, (index) => {
    const copy = { bucketId: 'copies', sourceKey: 'source', destinationKey: `copy-${index}` };
    return asked(server, '/object/copy', { method: 'POST', token, json: copy });
  });
  return [
    ms(`copy ${largeMib} MiB p50`, '< 20', median(times)),
    ms(`copy ${largeMib} MiB, the slowest of ${copies}`, '', quantile(times, 1)),
  ];
}

/** Of `many` objects one that is not the stranger's, whose three are evenly spread. */
function own(index: number, many: number): number {
  const at = index % many;
  if (at % Math.floor(many / 3) !== 0) return at;
  return at === 0 ? 1 : at - 1;
}

async function metadata(server: Server): Promise<Figure[]> {
  const rows: Figure[] = [];
  for (const [what, method, words, name, perSecond, floor] of [
    ['info', 'GET', '/object/info', 'middle', 500, ''],
    ['HEAD', 'HEAD', '/object', 'middle', 500, ''],
    ['info', 'GET', '/object/info', 'large', 1000, '< 2'],
  ] as const) {
    const many = buckets[name];
    const route = `${words}/${name}`;
    progress(`${what} at ${perSecond} requests/s for ${seconds} s`);
    const times = await openLoop({ seconds, perSecond }, (index) =>
      asked(server, `${route}/${pathOf(own(index * 7919, many))}`, { method, token }),
    );
    await logged();
    const logs = timesLogged(server, method, `${route}/`).slice(-times.length);
    const row = `${what} at ${perSecond}/s among ${counted(many)}`;
    rows.push(
      ms(`${row}, p50`, '', median(times)),
      ms(`${row}, p99`, name === 'middle' ? '< 5' : '', quantile(times, 0.99)),
      ms(`${row}, p99 at the server`, floor, quantile(logs, 0.99)),
    );
  }
  return rows;
}

/** What others notice of the delete and of the drain behind it is measured with it. */
async function forcedDelete(server: Server): Promise<Figure[]> {
  progress(`deleting a bucket of ${counted(buckets.middle)} under load`);
  const others = openLoop({ seconds: isQuick ? 1 : 5, perSecond: 500 }, (index) =>
    asked(server, `/object/info/small/${pathOf(index % buckets.small)}`, { token }),
  );
  await pause(500);
  const tookMs = await timeMs(() =>
    asked(server, '/bucket/middle?force=true', { method: 'DELETE', token }),
  );
  const times = await others;
  return [
    ms(`forced delete of ${counted(buckets.middle)} objects, under load`, '< 50', tookMs),
    ms('info p99 of others meanwhile', '', quantile(times, 0.99)),
    ms('info of others meanwhile, the slowest', '', quantile(times, 1)),
  ];
}

/** Milliseconds of each request from the moment it was due: a late one does not delay the next. */
async function openLoop(
  { seconds: lengthSeconds, perSecond }: { readonly seconds: number; readonly perSecond: number },
  request: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const began = performance.now();
  const running: Promise<number>[] = [];
  let lateMs = 0;
  for (let index = 0; index < lengthSeconds * perSecond; index += 1) {
    const due = began + (index * 1000) / perSecond;
    while (performance.now() < due) await pause(1);
    lateMs = Math.max(lateMs, performance.now() - due);
    running.push(request(index).then(() => performance.now() - due));
  }
  const times = await Promise.all(running);
  progress(`  of ${times.length} requests the latest left the client ${lateMs.toFixed(1)} ms late`);
  return times;
}

async function timesOf(many: number, work: (index: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < many; index += 1) times.push(await timeMs(() => work(index)));
  return times;
}

/** The log's lines go out a moment after the answers. */
async function logged(): Promise<void> {
  await pause(200);
}

/** What the server's request log says of requests below a path. */
function timesLogged(server: Server, method: string, below: string): number[] {
  return server
    .logs()
    .filter((line) => line.msg === 'request' && line.method === method)
    .filter((line) => String(line.path).startsWith(`/storage/v1${below}`))
    .map((line) => Number(line.ms));
}

async function asked(server: Server, route: string, question: Question): Promise<Reply> {
  const reply = await ask(server, route, question);
  if (reply.status !== 200) throw new Error(`${route}: ${reply.status} ${reply.text()}`);
  return reply;
}

function* repeat(many: number): Generator<Buffer> {
  const payload = randomBytes(mib);
  for (let index = 0; index < many; index += 1) yield payload;
}

function fill(dataDir: string, name: BucketName): void {
  progress(`filling ${name} with ${counted(buckets[name])} objects`);
  const script = fileURLToPath(import.meta.url);
  const args = [...process.execArgv, script, 'fill', dataDir, name, `${buckets[name]}`];
  const { signal } = spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (signal !== 'SIGKILL') throw new Error(`the filling process ended by ${signal ?? 'itself'}`);
}

function ms(what: string, floor: string, value: number): Figure {
  return { what, floor, value, unit: 'ms' };
}

function tableOf(figures: readonly Figure[]): string {
  const table = new Table({
    head: ['figure', 'floor', 'here', ''],
    colAligns: ['left', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  });
  for (const { what, floor, value, unit } of figures) {
    const bound = Number(floor.slice(2));
    const verdict = floor === '' ? '' : value < bound ? 'pass' : 'FAIL';
    const wanted = floor === '' ? '' : `${floor} ${unit}`;
    table.push([what, wanted, `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`, verdict]);
  }
  return table.toString();
}

function progress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/**
 * `npm run bench`: the figures of the mission on this machine, each beside its floor and beside what
 * a bare server reaches in the same run. Figures are shown, not asserted: the exit code is 0 unless
 * the bench itself breaks. `--quick` is a smoke test of it.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import Table from 'cli-table3';
import { temporaryFolder } from '../test/acceptance/support/server.ts';
import { machine } from './machine.ts';
import {
  downloadRate,
  fill,
  full,
  listTimesMs,
  median,
  memoryGrowth,
  mib,
  quantile,
  quick,
  requestTimesMs,
  type Scale,
  timeMs,
  uploadRate,
} from './measures.ts';
import { smallObjects } from './small/small-objects.ts';
import { bareStartMs, type Subject, startAerostore, startBaseline } from './subjects.ts';

interface Figure {
  readonly what: string;
  readonly unit: string;
  /** A bound as people write it: "> 50", "< 10"; '' where there is none. */
  readonly floor: string;
  readonly aerostore: number;
  readonly baseline: number;
}

interface Pair {
  readonly aerostore: Subject;
  readonly baseline: Subject;
}

const scale: Scale = process.argv.includes('--quick') ? quick : full;
const folder = temporaryFolder();
const dataDir = path.join(folder, 'data');
const startPair = async (): Promise<Pair> => ({
  aerostore: await startAerostore(dataDir),
  baseline: await startBaseline(path.join(folder, 'files')),
});
const stopPair = async ({ aerostore, baseline }: Pair) => {
  await aerostore.stop();
  await baseline.stop();
};

console.log(machine(folder));
console.log(
  `run: ${scale === quick ? '--quick, a smoke test: not the figures of record' : 'full'}; clients and servers share the machine`,
);
const figures = [
  ...(await smallObjects(folder, scale)),
  ...(await transfers()),
  ...(await metadata()),
  ...(await starts()),
  await memory(),
];
console.log(tableOf(figures));
rmSync(folder, { recursive: true, force: true });

async function transfers(): Promise<Figure[]> {
  const pair = await startPair();
  const rate = { unit: 'MB/s' };
  progress(`uploads: ${scale.rounds} rounds of ${scale.transfers} × 1 MiB at 4 clients`);
  const up = await inTurns(pair, (subject, round) => uploadRate(subject, scale.transfers, round));
  progress('downloads of the same objects');
  const down = await inTurns(pair, (subject, round) =>
    downloadRate(subject, scale.transfers, round),
  );
  await stopPair(pair);
  return [
    { ...rate, what: 'upload 1 MiB, 4 clients', floor: '> 50', ...up },
    { ...rate, what: 'download 1 MiB, 4 clients', floor: '> 100', ...down },
  ];
}

async function metadata(): Promise<Figure[]> {
  const pair = await startPair();
  progress(`metadata: filling with ${scale.objects} objects`);
  for (const subject of [pair.aerostore, pair.baseline]) await fill(subject, scale.objects);
  progress(`${scale.infos} requests for an object's metadata a round`);
  const p50: Quantiles = { aerostore: [], baseline: [] };
  const p99: Quantiles = { aerostore: [], baseline: [] };
  await inTurns(pair, async (subject) => {
    const times = await requestTimesMs(scale, (name) => subject.stat(name));
    p50[subject.name].push(median(times));
    p99[subject.name].push(quantile(times, 0.99));
    return 0;
  });
  progress(`${scale.infos} URLs signed a round`);
  const signing = await inTurns(pair, async (subject) =>
    quantile(await requestTimesMs(scale, (name) => subject.sign(name)), 0.99),
  );
  progress(`${scale.lists} pages of 1,000 a round`);
  const list = await inTurns(pair, async (subject) =>
    median(await listTimesMs(subject, scale.lists)),
  );
  await stopPair(pair);
  const ms = { unit: 'ms' };
  const among = `among ${scale.objects.toLocaleString('en')}`;
  return [
    { ...ms, what: `object info p50, ${among}`, floor: '', ...medians(p50) },
    { ...ms, what: `object info p99, ${among}`, floor: '< 10', ...medians(p99) },
    { ...ms, what: 'sign a URL p99', floor: '< 1', ...signing },
    { ...ms, what: 'list 1,000 objects', floor: '< 50', ...list },
  ];
}

/** The data directory holds what was filled before and was stopped cleanly. */
async function starts(): Promise<Figure[]> {
  progress(`${scale.starts} starts after a clean stop`);
  const times: Quantiles = { aerostore: [], baseline: [] };
  for (let start = 0; start < scale.starts; start += 1) {
    let server: Subject | undefined;
    times.aerostore.push(
      await timeMs(async () => {
        server = await startAerostore(dataDir);
      }),
    );
    await server?.stop();
    times.baseline.push(await bareStartMs());
  }
  const what = `start-up until ready, ${scale.objects.toLocaleString('en')} objects`;
  return [{ what, unit: 'ms', floor: '< 1000', ...medians(times) }];
}

/** On servers that have just started: what earlier rounds left in memory would hide the growth. */
async function memory(): Promise<Figure> {
  progress(`memory: eight uploads of ${scale.largeMib} MiB at once`);
  const grown: Quantiles = { aerostore: [], baseline: [] };
  for (let round = 0; round < 2; round += 1) {
    const pair = await startPair();
    for (const subject of [pair.aerostore, pair.baseline]) {
      await uploadRate(subject, 8, 0);
      grown[subject.name].push((await memoryGrowth(subject, scale.largeMib)) / mib);
    }
    await stopPair(pair);
  }
  const what = `RSS growth, 8 × ${scale.largeMib} MiB uploads`;
  return { what, unit: 'MiB', floor: '< 64', ...medians(grown) };
}

type Quantiles = Record<Subject['name'], number[]>;

/** A B A B: whatever else the machine does falls on both. */
async function inTurns(
  pair: Pair,
  measure: (subject: Subject, round: number) => Promise<number>,
): Promise<Record<Subject['name'], number>> {
  const results: Quantiles = { aerostore: [], baseline: [] };
  for (let round = 0; round < scale.rounds; round += 1) {
    for (const subject of [pair.aerostore, pair.baseline]) {
      results[subject.name].push(await measure(subject, round));
    }
  }
  return medians(results);
}

function medians(results: Quantiles): Record<Subject['name'], number> {
  return { aerostore: median(results.aerostore), baseline: median(results.baseline) };
}

function tableOf(rows: readonly Figure[]): string {
  const table = new Table({
    head: ['figure', 'floor', 'aerostore', 'bare server', 'aerostore : bare', ''],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  });
  for (const { what, unit, floor, aerostore, baseline } of rows) {
    const ratio = (aerostore / baseline).toFixed(2);
    const shown = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`;
    const wanted = floor === '' ? '' : `${floor} ${unit}`;
    table.push([what, wanted, shown(aerostore), shown(baseline), ratio, verdict(floor, aerostore)]);
  }
  return table.toString();
}

function verdict(floor: string, value: number): string {
  const [sign, bound] = floor.split(' ');
  if (bound === undefined) return '';
  return (sign === '>' ? value > Number(bound) : value < Number(bound)) ? 'pass' : 'FAIL';
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

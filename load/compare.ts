/**
 * `npm run compare -- A B … [--work up-4k,down-1m] [--rounds 5] [--quick]`: the same work for each, in
 * turns, with one client for all. Prints medians, each one's ratio to the first, and the processor
 * seconds that its server needed for a GB. A name is a built-in one or a URL; load/README.md has both.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { builtin } from './compare/builtin.ts';
import { elsewhere } from './compare/elsewhere.ts';
import type { Target } from './compare/target.ts';
import { inTurns, type Result, type Work, works } from './compare/work.ts';
import { machine } from './machine.ts';

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    work: { type: 'string', default: works.map(({ name }) => name).join() },
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
  },
});
if (names.length === 0) {
  console.error(`Name what to compare: a URL, or ${Object.keys(builtin).join(', ')}`);
  process.exit(2);
}
const chosen = values.work.split(',').map(workOf);
const rounds = values.quick ? 1 : Number(values.rounds);

const folder = mkdtempSync(path.join(tmpdir(), 'aerostore-compare-'));
const targets: Target[] = [];
try {
  for (const [index, name] of names.entries()) targets.push(await start(name, index));
  console.log(machine(folder));
  console.log(
    `load before: ${loadavg()[0]?.toFixed(1)}; ${rounds} rounds${values.quick ? ', --quick: not the figures of record' : ''}`,
  );
  const results: Result[] = [];
  for (const work of chosen) {
    process.stderr.write(`${work.name}: ${work.count} requests a round, ${work.clients} clients\n`);
    results.push(...(await inTurns(targets, work, rounds)));
  }
  console.log(tableOf(results));
} finally {
  for (const target of targets) await target.stop();
  rmSync(folder, { recursive: true, force: true });
}

function workOf(name: string): Work {
  const work = works.find((one) => one.name === name);
  if (!work) throw new Error(`"${name}" is none of ${works.map((one) => one.name).join(', ')}`);
  const isLarge = work.sizeBytes > 16 * 2 ** 20;
  return values.quick ? { ...work, count: isLarge ? 1 : Math.min(work.count, 50) } : work;
}

function start(name: string, index: number): Promise<Target> {
  const known = builtin[name];
  return known ? known(path.join(folder, String(index))) : elsewhere(name);
}

function tableOf(results: readonly Result[]): string {
  const table = new Table({
    head: [
      'work',
      'target',
      'a second',
      'MB/s',
      'p99 ms',
      'CPU s/GB',
      'rate : first',
      'CPU : first',
    ],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { work, target, rate, p99Ms, cpuSecondsPerGb } of results) {
    const first = results.find((one) => one.work === work);
    if (!first) continue;
    table.push([
      work.name,
      target,
      rate.toFixed(rate < 100 ? 1 : 0),
      ((rate * work.sizeBytes) / 1e6).toFixed(1),
      p99Ms.toFixed(1),
      cpuSecondsPerGb.toFixed(2),
      (rate / first.rate).toFixed(2),
      (cpuSecondsPerGb / first.cpuSecondsPerGb).toFixed(2),
    ]);
  }
  return table.toString();
}

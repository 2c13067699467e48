/**
 * How long a start takes with many objects, after a clean stop and after kill -9, and how fast the
 * views are built anew, beside LevelDB alone with the same keys, values and batches in the same run:
 * LevelDB as it comes, which the floor speaks of, and opened as the views are.
 *
 * `npx tsx -C source load/recovery.ts [--quick]`, after `npm run build`. Figures are shown, not
 * asserted. The log is filled by a process of its own that ends itself by SIGKILL.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { Level } from 'level';
import { nodeFiles } from '#files';
import { rebuildViews } from '../src/compose.ts';
import { type Config, parseConfig } from '../src/config.ts';
import { openLevel } from '../src/views/level.ts';
import type { ViewsDatabase } from '../src/views/store.ts';
import { ask } from '../test/acceptance/support/client.ts';
import { startServer } from '../test/acceptance/support/server.ts';
import { service } from '../test/acceptance/support/tokens.ts';
import { fillAndDie, withJournal } from './filling.ts';
import { median, timeMs } from './measures.ts';
import { type RecordedBatch, recordBatches } from './recorded-batches.ts';

const isQuick = process.argv.includes('--quick');
const objects = isQuick ? 5_000 : 100_000;
/** One less than a fence has between it and the next: the longest replay there is after a kill. */
const sinceFence = isQuick ? 1_000 : 24_900;
const rounds = isQuick ? 1 : 3;

const [mode, directory = '', from = '0', count = '0'] = process.argv.slice(2);
if (mode === 'fill') {
  const filling = { bucket: 'many', first: Number(from), many: Number(count) };
  await fillAndDie(directory, { ...filling, blobs: 'own', strange: 0 });
} else await measure();

async function measure(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'aerostore-recovery-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const dataDir = path.join(folder, 'data');
  progress(`filling the log with ${objects.toLocaleString('en')} objects`);
  appendAndKill(dataDir, 0, objects);
  const first = await startAndStop(dataDir, 'rebuilt');
  const clean: number[] = [];
  const killed: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    progress(`start after a clean stop, and after kill -9 with ${sinceFence} records to replay`);
    clean.push(await startAndStop(dataDir, 'clean'));
    appendAndKill(dataDir, objects + round * sinceFence, sinceFence);
    killed.push(await startAndStop(dataDir, 'fence'));
  }
  const rates = await rebuildRates(folder, dataDir);
  const table = new Table({
    head: ['figure', 'floor', 'here'],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const rate = (perSecond: number) => `${Math.round(perSecond).toLocaleString('en')} records/s`;
  const share = (bare: number) => `${((100 * rates.rebuild) / bare).toFixed(0)} %`;
  const among = `${objects.toLocaleString('en')} objects`;
  table.push(
    [`start after a clean stop, ${among}`, '< 2 s', seconds(median(clean))],
    [`start after kill -9, ${sinceFence} records to replay`, '< 5 s', seconds(median(killed))],
    [`start without views, ${among}`, '', seconds(first)],
    ['views built anew', '', rate(rates.rebuild)],
    ['LevelDB as it comes, the same batches', '', rate(rates.bare)],
    ['LevelDB opened as the views are', '', rate(rates.tuned)],
    ['views : LevelDB as it comes', '≥ 80 %', share(rates.bare)],
    ['views : LevelDB opened as the views are', '', share(rates.tuned)],
  );
  console.log(table.toString());
}

/** Milliseconds from the start of the process until it is ready. */
async function startAndStop(dataDir: string, views: 'rebuilt' | 'clean' | 'fence') {
  let server: Awaited<ReturnType<typeof startServer>> | undefined;
  const ms = await timeMs(async () => {
    server = await startServer({ dataDir });
  });
  if (!server) throw new Error('the server did not start');
  const report = (await ask(server, '/admin/recovery', { token: service })).json();
  if (report.views !== views) throw new Error(`views: ${report.views} instead of ${views}`);
  const { code } = await server.stop();
  if (code !== 0) throw new Error(`the server ended with ${code}:\n${server.output()}`);
  progress(`  ${views}: ${ms.toFixed(0)} ms, ${report.replayed_records} records replayed`);
  return ms;
}

interface Rates {
  readonly rebuild: number;
  readonly bare: number;
  readonly tuned: number;
}

/** Records a second, in turns: whatever else the machine does falls on both. */
async function rebuildRates(folder: string, dataDir: string): Promise<Rates> {
  const config = configOf(dataDir);
  const batches = await withJournal(dataDir, (journal) => recordBatches(journal));
  const rebuild: number[] = [];
  const bare: number[] = [];
  const tuned: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { records, tookMs } = await rebuildViews(config, () => {});
    rebuild.push((1000 * records) / tookMs);
    const ways = [
      [bare, openBare],
      [tuned, openTuned],
    ] as const;
    for (const [rates, open] of ways) {
      const place = path.join(folder, `bare-${round}`);
      const tookMs = await writeBare(open, place, batches);
      rates.push((1000 * records) / tookMs);
      rmSync(place, { recursive: true });
    }
    const [views, one, other] = [rebuild, bare, tuned].map((rates) => rates.at(-1)?.toFixed(0));
    progress(
      `  views ${views}/s, LevelDB as it comes ${one}/s, opened as the views are ${other}/s`,
    );
  }
  return { rebuild: median(rebuild), bare: median(bare), tuned: median(tuned) };
}

async function openBare(place: string): Promise<ViewsDatabase> {
  const level = new Level<Buffer, Buffer>(place, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  await level.open();
  return level;
}

async function openTuned(place: string): Promise<ViewsDatabase> {
  return (await openLevel({ files: nodeFiles, path: place })).database;
}

/** Milliseconds until all is written; as with the views, what closing takes is not counted. */
async function writeBare(
  open: (place: string) => Promise<ViewsDatabase>,
  place: string,
  batches: readonly RecordedBatch[],
): Promise<number> {
  let level: ViewsDatabase | undefined;
  const tookMs = await timeMs(async () => {
    level = await open(place);
    for (const operations of batches) {
      const batch = level.batch();
      for (const { key, value } of operations) {
        if (value) batch.put(key, value);
        else batch.del(key);
      }
      await batch.write({ sync: false } as object);
    }
  });
  await level?.close();
  return tookMs;
}

function appendAndKill(dataDir: string, first: number, many: number): void {
  const script = fileURLToPath(import.meta.url);
  const args = [...process.execArgv, script, 'fill', dataDir, String(first), String(many)];
  const { signal } = spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (signal !== 'SIGKILL') throw new Error(`the filling process ended by ${signal ?? 'itself'}`);
}

function configOf(dataDir: string): Config {
  const parsed = parseConfig({ AEROSTORE_DATA_DIR: dataDir, AEROSTORE_LOG_LEVEL: 'error' });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * `npm run torture:kill`: the built server under load, killed with SIGKILL at any moment or when it
 * enters its Nth system call of a kind, started again, and asked for everything that it ever
 * acknowledged. The parent survives and remembers.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { aerostore } from '../acceptance/support/cli.ts';
import { until } from '../acceptance/support/until.ts';
import { seededRandom } from '../support/faulty-disk.ts';
import { anySeed, numbers } from './arguments.ts';
import { check } from './check.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { makeBuckets, startLoad } from './load.ts';
import { type Death, isRunning, type Running, start } from './process.ts';
import { sharedBucket } from './subjects.ts';

const { cycles = 10, seed = anySeed(), clients = 6 } = numbers(['cycles', 'seed', 'clients']);
/** A data directory lasts this long: nothing that was overwritten leaves the disk for days. */
const cyclesOfOneDirectory = 25;
const systemCalls = ['fdatasync', 'fsync', 'rename', 'pwritev', 'mkdir', 'openat'];

const random = seededRandom(seed);
const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
const figures = {
  cycles: 0,
  atMoments: 0,
  atSystemCalls: 0,
  inRecovery: 0,
  notReached: 0,
  acknowledged: 0,
  objects: 0,
  facts: 0,
  directories: 0,
};
const problems: string[] = [];
const noStrace = whyNoStrace();
if (noStrace) console.log(`kills at system calls: skipped, ${noStrace}`);
console.log(`kill: ${cycles} cycles, seed ${seed}, ${clients} clients`);
const began = Date.now();

for (let done = 0; done < cycles && problems.length === 0; done += cyclesOfOneDirectory) {
  await tortureDirectory(Math.min(cyclesOfOneDirectory, cycles - done));
}
report();

async function tortureDirectory(count: number): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'aerostore-torture-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const dataDir = path.join(folder, 'data');
  const ledger = openLedger({ raced: sharedBucket });
  figures.directories += 1;
  let running: Running | undefined;
  for (let cycle = 0; cycle < count && problems.length === 0; cycle += 1) {
    running = await oneCycle(dataDir, ledger, running);
    figures.cycles += 1;
  }
  await running?.kill();
  if (problems.length === 0) await checkRebuild(dataDir);
  figures.acknowledged += ledger.acknowledged;
  console.log(`${figures.cycles} cycles, ${figures.acknowledged} acknowledged writes checked`);
  remove();
  process.removeListener('exit', remove);
}

/** Load, death, a start, and the questions; the server that answered them goes on. */
async function oneCycle(
  dataDir: string,
  ledger: Ledger,
  running: Running | undefined,
): Promise<Running | undefined> {
  const atSystemCall = !noStrace && random() < 0.5;
  let victim: Running | Death | undefined = running;
  if (atSystemCall || !victim) {
    await running?.kill();
    const wrapper = atSystemCall ? straceUntil() : [];
    victim = await start({ dataDir, wrapper });
  }
  if (isRunning(victim)) await die(victim, ledger, atSystemCall);
  else figures.inRecovery += 1;
  const survivor = await start({ dataDir });
  if (!isRunning(survivor)) {
    problems.push(`the server does not start any more:\n${survivor.output}`);
    return undefined;
  }
  const checked = await check(survivor, ledger);
  figures.objects += checked.objects;
  figures.facts += checked.facts;
  problems.push(...checked.problems);
  return survivor;
}

/** Load until a random number of acknowledgements, or until strace has done its work. */
async function die(server: Running, ledger: Ledger, atSystemCall: boolean): Promise<void> {
  const options = { server, ledger, clients, seed: whole(1, 1_000_000) };
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  const enough = ledger.acknowledged + (atSystemCall ? 200 : whole(1, 150));
  try {
    await makeBuckets(options);
    const load = startLoad(options);
    await until('enough load', () => ended || ledger.acknowledged >= enough, 120_000);
    if (!ended && atSystemCall) figures.notReached += 1;
    else if (atSystemCall) figures.atSystemCalls += 1;
    else figures.atMoments += 1;
    await server.kill();
    await load.ended;
    problems.push(...load.problems);
  } catch (cause) {
    // Only the death that was asked for may cut the making of buckets off.
    await server.exited;
    if (!ended) throw cause;
    figures.atSystemCalls += 1;
  }
}

/** -D: strace is the grandchild, so that the child that was started here is the server. */
function straceUntil(): string[] {
  const call = systemCalls[whole(0, systemCalls.length - 1)] ?? 'fdatasync';
  // Counted for each thread by itself, of which there are sixteen and more.
  const when = call === 'openat' ? whole(1, 400) : whole(1, 25);
  const inject = `inject=${call}:signal=SIGKILL:when=${when}`;
  return ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject];
}

function whyNoStrace(): string | undefined {
  const inject = ['-e', 'trace=chdir', '-e', 'inject=chdir:signal=SIGKILL:when=1'];
  const probe = ['-D', '-f', '-qq', '-o', '/dev/null', ...inject, 'sh', '-c', 'cd /'];
  const { error, signal, stderr } = spawnSync('strace', probe, { encoding: 'utf8' });
  if (error) return `there is no strace (${error.message})`;
  return signal === 'SIGKILL' ? undefined : `strace could not inject a signal: ${stderr.trim()}`;
}

/** The views that so many deaths left are those that the log alone gives. */
async function checkRebuild(dataDir: string): Promise<void> {
  const digest = await aerostore(['views', 'digest', '--data-dir', dataDir]);
  const rebuilt = await aerostore(['views', 'rebuild', '--data-dir', dataDir, '--json']);
  const expected = digest.stdout.trim();
  if (digest.code !== 0 || rebuilt.code !== 0 || !rebuilt.stdout.includes(expected)) {
    problems.push(`rebuilt views differ: ${expected} ${digest.stderr} ${rebuilt.stdout}`);
  }
}

function report(): void {
  const { atMoments, atSystemCalls, inRecovery, notReached } = figures;
  for (const problem of problems) console.error(`LOST OR WRONG: ${problem}`);
  if (problems.length > 0) {
    const again = `--cycles ${cycles} --seed ${seed} --clients ${clients}`;
    console.error(`replay, with other timing: npm run torture:kill -- ${again}`);
  }
  console.log(
    [
      `${figures.cycles} kill cycles: ${atMoments} at a moment under load, ${atSystemCalls} at a ` +
        `system call under load, ${inRecovery} at one during start-up, ${notReached} not reached`,
      `${figures.acknowledged} acknowledged writes checked, ${problems.length} lost or wrong`,
      `${figures.objects} objects read back, ${figures.facts} repeats and spent URLs tried again, ` +
        `${figures.directories} views rebuilt from the log`,
      `${((Date.now() - began) / 1000).toFixed(1)} s`,
    ].join('\n'),
  );
  process.exitCode = problems.length > 0 ? 1 : 0;
}

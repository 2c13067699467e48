/**
 * `npm run torture:power`: the built server under load on ext4 and on xfs, whose power is cut; then
 * a mount, a recovery, and the questions for everything that was acknowledged. Servers that are broken
 * on purpose go through the same and must be caught, or this fails: a harness that cannot see
 * loss proves nothing.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Settings } from '../acceptance/support/server.ts';
import { until } from '../acceptance/support/until.ts';
import { seededRandom } from '../support/faulty-disk.ts';
import { anySeed, numbers } from './arguments.ts';
import { check } from './check.ts';
import { type FileSystem, type Kind, makeFileSystem, whyNot } from './filesystem.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { makeBuckets, startLoad } from './load.ts';
import { isRunning, type Running, start } from './process.ts';
import { sharedBucket } from './subjects.ts';

const { cuts = 3, seed = anySeed(), clients = 6 } = numbers(['cuts', 'seed', 'clients']);
const random = seededRandom(seed);
const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));

const lie = fileURLToPath(new URL('./lying-sync.mjs', import.meta.url));
const controls = [
  { name: 'no fdatasync of the log', folder: 'wal' },
  { name: 'no fsync of staged files', folder: 'staging' },
  { name: 'no fdatasync of packs', folder: 'packs' },
] as const;
/** A control that so many cuts do not catch is not caught. */
const cutsOfControl = 6;
/** Beyond this a new file system is made: nothing that was overwritten leaves it for days. */
const fullEnough = 0.6;

const problems: string[] = [];
console.log(`power: ${cuts} cuts on each file system, seed ${seed}, ${clients} clients`);
const began = Date.now();
for (const kind of ['ext4', 'xfs'] as const) await torture(kind);
console.log(`${((Date.now() - began) / 1000).toFixed(1)} s`);
if (problems.length > 0) {
  const again = `--cuts ${cuts} --seed ${seed} --clients ${clients}`;
  console.error(`replay, with other timing: npm run torture:power -- ${again}`);
  process.exitCode = 1;
}

async function torture(kind: Kind): Promise<void> {
  const reason = whyNot(kind);
  if (reason !== undefined) {
    console.log(`${kind}: skipped, ${reason}`);
    return;
  }
  const { done, acknowledged, objects, lost } = await cutPower(kind, cuts);
  for (const problem of lost) console.error(`${kind}: LOST OR WRONG: ${problem}`);
  problems.push(...lost);
  console.log(
    `${kind}: ${done} power cuts, ${acknowledged} acknowledged writes checked, ` +
      `${lost.length} lost or wrong, ${objects} objects read back`,
  );
  for (const { name, folder } of controls) {
    const env = { NODE_OPTIONS: `--import ${lie}`, TORTURE_UNSYNCED: folder };
    const control = await cutPower(kind, cutsOfControl, env);
    const [first] = control.lost;
    if (first === undefined) problems.push(`${kind}: the control is not caught: ${name}`);
    const verdict =
      first === undefined
        ? `NOT CAUGHT by ${control.done} cuts`
        : `caught by cut ${control.done}: ${summary(first)}`;
    console.log(`${kind}: control "${name}" ${verdict}`);
  }
}

/** One line; of a server that does not start, the fault that it names. */
function summary(problem: string): string {
  const [first = ''] = problem.split('\n');
  const [fault = ''] = /Log[A-Z]\w+: .*|ControlDamaged: .*/.exec(problem) ?? [];
  return `${first} ${fault}`.trim().slice(0, 200);
}

interface Outcome {
  done: number;
  acknowledged: number;
  objects: number;
  lost: string[];
}

/** Cuts until something is lost. `env` is that of the server under load, not of the recovering one. */
async function cutPower(kind: Kind, most: number, env: Settings = {}): Promise<Outcome> {
  const outcome: Outcome = { done: 0, acknowledged: 0, objects: 0, lost: [] };
  while (outcome.done < most && outcome.lost.length === 0) {
    const system = makeFileSystem(kind);
    const ledger = openLedger({ raced: sharedBucket });
    try {
      system.mount();
      do await oneCut(system, ledger, { env, outcome });
      while (outcome.done < most && outcome.lost.length === 0 && system.used() < fullEnough);
    } finally {
      outcome.acknowledged += ledger.acknowledged;
      system.destroy();
    }
  }
  return outcome;
}

async function oneCut(
  system: FileSystem,
  ledger: Ledger,
  { env, outcome }: { readonly env: Settings; readonly outcome: Outcome },
): Promise<void> {
  const dataDir = path.join(system.directory, 'data');
  const server = await startOrThrow(dataDir, env);
  try {
    await loadAndCut(system, ledger, server, outcome);
  } finally {
    await server.kill();
  }
  outcome.done += 1;
  await system.unmount();
  system.mount();
  const survivor = await start({ dataDir });
  if (!isRunning(survivor)) {
    outcome.lost.push(`the server does not start any more:\n${survivor.output.trim()}`);
    return;
  }
  try {
    const { problems: found, objects } = await check(survivor, ledger);
    outcome.lost.push(...found);
    outcome.objects += objects;
  } finally {
    await survivor.kill();
  }
}

async function loadAndCut(
  system: FileSystem,
  ledger: Ledger,
  server: Running,
  outcome: Outcome,
): Promise<void> {
  const options = { server, ledger, clients, seed: whole(1, 1_000_000) };
  await makeBuckets(options);
  const enough = ledger.acknowledged + whole(10, 200);
  const load = startLoad(options);
  await until('enough load', () => ledger.acknowledged >= enough, 120_000);
  // From the cut on nobody is told anything by a real machine, and here a 503 is no loss. What is
  // acknowledged all the same still has to be there.
  outcome.lost.push(...load.problems);
  system.shutdown();
  // The process goes with the machine.
  await server.kill();
  await load.ended;
}

async function startOrThrow(dataDir: string, env: Settings): Promise<Running> {
  const server = await start({ dataDir, env });
  if (!isRunning(server)) throw new Error(`the server does not start:\n${server.output}`);
  return server;
}

/**
 * Runs a program against a store on a faulty disk: waves of clients, the end of each, and the
 * questions after it. Everything that happens follows from the program.
 */
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { dataDirectory, makeRig, type Rig } from '../../support/rig.ts';
import { checkCollection, checkRebuilds } from './aftermath.ts';
import { checkStaging, checkStore } from './check.ts';
import { contentOf } from './contents.ts';
import { type Figures, noFigures } from './figures.ts';
import { type MortalTimers, mortalTimers } from './mortal-timers.ts';
import { Names } from './names.ts';
import type { Asked, Operation } from './operations.ts';
import { type Attempt, type Outcome, renderAttempt, worldsAfter } from './order.ts';
import { perform } from './perform/perform.ts';
import { type Planned, type Program, programs, renderProgram, type Wave } from './programs.ts';
import { emptyWorld, type World } from './world.ts';

/** Runs the program made of `seed`. Where it fails: why, and the smallest program that does. */
export async function runSeed(
  seed: number,
  figures: Figures,
  shrinkMs = 60_000,
): Promise<string | undefined> {
  const parameters = { seed, numRuns: 1, unbiased: true };
  const [program] = fc.sample(programs, parameters);
  if (!program) throw new Error(`seed ${seed} makes no program`);
  try {
    await runProgram(program, figures);
    return undefined;
  } catch (fault) {
    const property = fc.asyncProperty(programs, (one) => runProgram(one, noFigures()));
    const shrunk = await fc.check(property, { ...parameters, interruptAfterTimeLimit: shrinkMs });
    const [smallest = program] = shrunk.counterexample ?? [];
    const why = shrunk.counterexample ? shrunk.errorInstance : fault;
    const text = why instanceof Error ? (why.stack ?? why.message) : String(why);
    return `${text}\n\n${renderProgram(smallest)}`;
  }
}

async function runProgram(program: Program, figures: Figures): Promise<void> {
  figures.sequences += 1;
  const { fenceRecords, segmentBytes } = program;
  const store = {
    fenceEvery: { records: fenceRecords, bytes: 1e9 },
    logLimits: { segmentBytes },
  };
  const timers = mortalTimers();
  try {
    const rig = makeRig({ store });
    await rig.open();
    const run: Run = {
      rig,
      figures,
      timers,
      names: new Names(),
      attempts: [],
      worlds: [emptyWorld],
      tick: 0,
    };
    for (const wave of program.waves) await runWave(run, wave);
    await cut(run, { kind: 'kill', seed: 1, starts: [], loseViews: false });
    await checkCollection(run, run.worlds);
    await checkRebuilds(rig, { figures, die: (kind) => die(run, kind, 7) });
  } finally {
    timers.restore();
  }
}

interface Run {
  readonly rig: Rig;
  readonly figures: Figures;
  readonly timers: MortalTimers;
  readonly names: Names;
  readonly attempts: Attempt[];
  worlds: readonly World[];
  tick: number;
}

async function runWave(run: Run, wave: Wave): Promise<void> {
  const { rig, figures } = run;
  let calls = 0;
  let isTroubled = false;
  rig.disk.inject = ({ path }) => {
    if (wave.trouble?.of === 'the log' && !path.startsWith(`${dataDirectory}/wal/`))
      return undefined;
    calls += 1;
    if (calls !== wave.trouble?.call) return undefined;
    isTroubled = true;
    return wave.trouble.fault;
  };
  const clients = await Promise.all(wave.clients.map((plans) => runClient(run, plans)));
  rig.disk.inject = () => undefined;
  const done = clients.flat();
  run.attempts.push(...done);
  figures.operations += done.length;
  figures.unknown += done.filter(({ outcome }) => outcome.kind === 'unknown').length;
  for (const { operation, outcome } of done) {
    if (outcome.kind !== 'told' || outcome.told.code !== 'ok') continue;
    figures.acknowledged += 1;
    figures.kinds[operation.kind] = (figures.kinds[operation.kind] ?? 0) + 1;
  }
  if (isTroubled) figures.faults += 1;
  else refuseFaults(done, rig);
  const before = run.worlds;
  run.worlds = worldsAfter(before, clients);
  if (run.worlds.length === 0) {
    const lines = done.map(renderAttempt).join('\n');
    throw new Error(`no order of these explains what was told:\n${lines}`);
  }
  if (isTroubled && (wave.ending.kind === 'go on' || wave.ending.kind === 'stop in order')) {
    return cut(run, { kind: 'kill', seed: 1, starts: [], loseViews: false });
  }
  switch (wave.ending.kind) {
    case 'go on':
      return;
    case 'stop in order':
      figures.cleanStops += 1;
      await rig.close();
      await rig.open();
      return check(run);
    case 'kill':
    case 'power':
      return cut(run, wave.ending);
    default:
      return wave.ending satisfies never;
  }
}

/** Without a fault every operation is told something that the model knows, and cleans up. */
function refuseFaults(attempts: readonly Attempt[], rig: Rig): void {
  checkStaging(rig);
  const strange = attempts.find(({ outcome }) => outcome.kind !== 'told');
  if (strange) throw new Error(`failed on a machine in order: ${renderAttempt(strange)}`);
}

/** One after the other, until one has no answer. */
async function runClient(run: Run, plans: readonly Planned[]): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (const planned of plans) {
    await turns(planned.delay);
    if (run.rig.disk.stopped) break;
    const asked = askedOf(run, planned);
    if (!asked) continue;
    let attempt = await attemptTo(run, asked);
    attempts.push(attempt);
    const spending = spendingOf(run, attempt);
    if (spending) {
      attempt = await attemptTo(run, { operation: spending, key: null });
      attempts.push(attempt);
    }
    if (attempt.outcome.kind === 'unknown') break;
  }
  return attempts;
}

type Asking = Pick<Asked, 'operation' | 'key'>;

async function attemptTo(run: Run, { operation, key }: Asking): Promise<Attempt> {
  const { rig, names } = run;
  run.tick += 1;
  const began = run.tick;
  const id = `operation-${began}`;
  const outcome = await orStop(rig, perform({ rig, names }, { id, operation, key }));
  run.tick += 1;
  const ended = outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : run.tick;
  const signed = outcome.kind === 'told' ? outcome.signed : undefined;
  // Signatures are made on threads: one that comes when the machine has stopped reaches nobody.
  if (signed) names.tokens.push({ made: id, ...signed });
  const issued = signed ? { issuedAt: signed.claims.issued_at } : {};
  return { id, operation, key, ...issued, began, ended, outcome };
}

/** What is planned, as what is known now; undefined where it points at nothing. */
function askedOf({ names }: Run, planned: Planned): Asking | undefined {
  if ('again' in planned) return names.keyed.at(-1 - planned.again);
  const operation = names.bind(planned.intent);
  if (!operation) return undefined;
  const asked = { operation, key: withoutKey.has(operation.kind) ? null : planned.key };
  if (asked.key !== null) names.keyed.push(asked);
  return asked;
}

/** What changes nothing, or uses no more than a token up. */
const withoutKey: ReadonlySet<Operation['kind']> = new Set(['read', 'list', 'sign', 'look']);

/** Who found a URL for one use to be good goes on to use it. */
function spendingOf({ names }: Run, { id, operation, outcome }: Attempt): Operation | undefined {
  const looked = names.looks.get(id);
  if (!looked || operation.kind !== 'look' || outcome.kind !== 'told') return undefined;
  const { token } = operation;
  return { kind: 'spend', token, look: id, content: contentOf(looked.object.etag) };
}

/** Once the machine has stopped nobody answers: what still waits then has no answer. */
async function orStop({ disk }: Rig, outcome: Promise<Outcome>): Promise<Outcome> {
  let ended = false;
  const noted = outcome.finally(() => {
    ended = true;
  });
  for (let afterwards = 0; !ended && afterwards < quietTurns; ) {
    await turn();
    if (disk.stopped) afterwards += 1;
  }
  return ended ? noted : { kind: 'unknown' };
}

/** More turns of the event loop than anything needs that waits for no disk call. */
const quietTurns = 100;

async function turns(count: number): Promise<void> {
  for (let done = 0; done < count; done += 1) await turn();
}

type Cut = Extract<Wave['ending'], { kind: 'kill' | 'power' }>;

async function cut(run: Run, { kind, seed, starts, loseViews }: Cut): Promise<void> {
  const { rig, figures } = run;
  await die(run, kind, seed);
  if (loseViews) rig.views.destroy();
  for (const [index, call] of starts.entries()) {
    if (!(await stopsInStart(rig, call))) break;
    figures.stoppedStarts += 1;
    await die(run, kind, seed + index + 1);
  }
  if (!rig.disk.stopped && starts.length > 0) await die(run, kind, seed + 10);
  await rig.open();
  await check(run);
}

/** The old process is gone before a new one begins: nothing of it writes any more. */
async function die({ rig, figures, timers }: Run, kind: Cut['kind'], seed: number): Promise<void> {
  rig.disk.stop();
  timers.end();
  await turns(quietTurns);
  if (kind === 'power') await rig.cutPower(seed);
  else await rig.kill();
  if (kind === 'power') figures.powerCuts += 1;
  else figures.kills += 1;
}

/** False where the start was through before. */
async function stopsInStart(rig: Rig, atCall: number): Promise<boolean> {
  let calls = 0;
  rig.disk.inject = () => {
    calls += 1;
    return calls === atCall ? { kind: 'stop', before: calls % 2 === 0 } : undefined;
  };
  const opened = orStop(
    rig,
    rig.open().then(
      (): Outcome => ({ kind: 'nothing' }),
      (): Outcome => ({ kind: 'unknown' }),
    ),
  );
  const outcome = await opened;
  rig.disk.inject = () => undefined;
  if (outcome.kind === 'unknown' && !rig.disk.stopped) throw new Error('the store does not start');
  return rig.disk.stopped;
}

async function check(run: Run): Promise<void> {
  const { rig, figures } = run;
  await rig.store.settled();
  if (rig.store.report.torn_bytes > 0) figures.tornTails += 1;
  if (rig.store.report.views === 'fence') figures.fromFences += 1;
  run.worlds = await checkStore(run, run.worlds, run.attempts);
  figures.repeats += run.worlds[0]?.memory.size ?? 0;
}

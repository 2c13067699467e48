/**
 * `npm run torture:events`: writers, subscribers with filters of their own who pause, leave and come
 * back, and a server that is killed with SIGKILL every few seconds. At the end each subscriber's events
 * are held, one by one, against what the log says that they should have been told.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ask, type Target } from '../../acceptance/support/client.ts';
import { service } from '../../acceptance/support/tokens.ts';
import { until } from '../../acceptance/support/until.ts';
import { seededRandom } from '../../support/faulty-disk.ts';
import { anySeed, numbers } from '../arguments.ts';
import { isRunning, type Running, start } from '../process.ts';
import { expected, readLog, type Wanted } from './oracle.ts';
import { type Subscriber, type Subscribing, subscribe } from './subscriber.ts';
import { buckets, makeBuckets, owner, prefixes, users, write } from './writers.ts';

const {
  seconds = 180,
  seed = anySeed(),
  writers = 4,
  subscribers: count = 50,
} = numbers(['seconds', 'seed', 'writers', 'subscribers']);
const random = seededRandom(seed);
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
const types = [
  'storage.object.created',
  'storage.object.updated',
  'storage.object.deleted',
  'storage.object.moved',
  'storage.bucket.emptied',
  'storage.bucket.deleted',
];

const folder = mkdtempSync(path.join(tmpdir(), 'aerostore-soak-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const dataDir = path.join(folder, 'data');
console.log(`events: ${seconds} s, ${writers} writers, ${count} subscribers, seed ${seed}`);

let running = await begin();
let arrived: (() => void)[] = [];
const server = {
  now: (): Target => running,
  changed: (known: Target) =>
    known === running ? new Promise<void>((resolve) => arrived.push(resolve)) : Promise.resolve(),
};
await makeBuckets(server);

let acknowledged = 0;
let phase: 'wild' | 'calm' | 'over' = 'wild';
const subscribers: Subscriber[] = [];
const listening: Promise<void>[] = [];
for (let index = 0; index < count; index += 1) join(index);
const writing = Array.from({ length: writers }, (_, name) =>
  write({ server, random, isOver: () => phase !== 'wild', onDone }, name),
);
const kills = await killNowAndThen();
phase = 'calm';
await Promise.all(writing);
const head = await settledHead();
const last = subscribers.map(({ reached }) => reached);
await until('everyone has heard all', () => everyoneReached(head, last), 120_000).catch(() => {});
phase = 'over';
await Promise.all(listening);
await running.kill();
await report();

async function begin(): Promise<Running> {
  const started = await start({ dataDir });
  if (!isRunning(started)) throw new Error(`the server does not start:\n${started.output}`);
  return started;
}

function join(index: number): void {
  const subscribing: Subscribing = {
    server,
    random,
    wanted: wantedOf(index),
    kind: random() < 0.5 ? 'stream' : 'socket',
    from: random() < 0.5 ? 'beginning' : 'now',
    isOver: () => phase === 'over',
    isCalm: () => phase !== 'wild',
  };
  const { subscriber, ended } = subscribe(subscribing);
  subscribers.push(subscriber);
  listening.push(ended);
}

function wantedOf(index: number): Wanted {
  const user = index % 5 === 0 ? undefined : pick(users);
  const visible = buckets.filter(
    ({ name }) => name !== 'closed' || user === owner || user === undefined,
  );
  return {
    user,
    bucket: random() < 0.4 ? pick(visible).name : undefined,
    prefix: random() < 0.3 ? pick(prefixes) : undefined,
    types: random() < 0.3 ? types.filter(() => random() < 0.5).concat(pick(types)) : undefined,
  };
}

function onDone(): void {
  acknowledged += 1;
}

async function killNowAndThen(): Promise<number> {
  const endsAt = Date.now() + seconds * 1000;
  let killed = 0;
  while (Date.now() < endsAt) {
    // By what was done, so that a slow machine is killed as often in the middle of something.
    const enough = acknowledged + 20 + random() * 150;
    const latest = Date.now() + 20_000;
    while (acknowledged < enough && Date.now() < latest) await pause(20);
    await running.kill();
    running = await begin();
    killed += 1;
    const waiting = arrived;
    arrived = [];
    for (const go of waiting) go();
  }
  return killed;
}

/** The head of the log once what was left to the background is done. */
async function settledHead(): Promise<number> {
  let before = -1;
  return until(
    'the log has come to rest',
    async () => {
      const reply = await ask(running, '/admin/status', { token: service });
      const { positions, drains } = reply.json() as {
        positions: { head: number; applied: number };
        drains: number;
      };
      const isAtRest =
        drains === 0 && positions.head === before && positions.applied === positions.head;
      before = positions.head;
      if (isAtRest) return positions.head;
      await pause(300);
      return undefined;
    },
    60_000,
  );
}

function everyoneReached(position: number, known: number[]): boolean {
  for (const [index, { reached }] of subscribers.entries()) known[index] = reached;
  return subscribers.every(({ reached }) => reached >= position);
}

async function report(): Promise<void> {
  const log = await readLog(dataDir);
  const wrong = { missing: 0, duplicated: 0, unordered: 0, forbidden: 0 };
  const problems: string[] = [];
  let told = 0;
  let connections = 0;
  for (const [index, subscriber] of subscribers.entries()) {
    const of = `subscriber ${index} (${JSON.stringify(subscriber.wanted)})`;
    connections += subscriber.connections;
    told += subscriber.told.length;
    problems.push(...subscriber.problems.map((problem) => `${of}: ${problem}`));
    if (subscriber.start === undefined || subscriber.reached < head) {
      problems.push(`${of} was told of nothing behind ${subscriber.reached} of ${head}`);
    }
    const should = expected(log, subscriber.wanted, subscriber.start ?? head).map(
      ({ text }) => text,
    );
    const got = subscriber.told.map(({ text }) => text);
    const [wanted, found] = [new Set(should), new Set(got)];
    const missing = should.filter((text) => !found.has(text));
    const forbidden = got.filter((text) => !wanted.has(text));
    wrong.missing += missing.length;
    wrong.forbidden += forbidden.length;
    wrong.duplicated += got.length - found.size;
    if (missing.length + forbidden.length === 0 && got.join('\n') !== should.join('\n')) {
      wrong.unordered += 1;
    }
    for (const text of missing.slice(0, 3)) problems.push(`${of} was not told of ${text}`);
    for (const text of forbidden.slice(0, 3)) problems.push(`${of} should not be told of ${text}`);
  }
  for (const problem of problems.slice(0, 40)) console.error(`WRONG: ${problem}`);
  const isWrong = problems.length > 0 || Object.values(wrong).some((many) => many > 0);
  // Who looked at nothing has proved nothing.
  const isEmpty = told === 0 || log.length === 0;
  console.log(
    [
      `${kills} kills, ${acknowledged} acknowledged writes, ${log.length} events in the log`,
      `${connections} connections of ${count} subscribers, ${told} events told`,
      `${wrong.missing} missing, ${wrong.duplicated} duplicated, ${wrong.unordered} out of order, ${wrong.forbidden} forbidden`,
    ].join('\n'),
  );
  if (isWrong) {
    console.error(`again, with other timing: npm run torture:events -- --seed ${seed}`);
  }
  process.exitCode = isWrong || isEmpty ? 1 : 0;
}

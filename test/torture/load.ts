/**
 * Clients that keep a server busy and tell the ledger what they were told. Each has a bucket of its
 * own, where it works one request after the other; all of them share one more, where they race.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ask, type Question, type Reply } from '../acceptance/support/client.ts';
import { user } from '../acceptance/support/tokens.ts';
import { seededRandom } from '../support/faulty-disk.ts';
import { absent, type Ledger, type Sent } from './ledger.ts';
import type { Running } from './process.ts';

const token = user('torture');
const paths = 12;
const sharedBucket = 'shared';
const sharedPaths = 6;
const largestBytes = 2 * 1024 * 1024;

export interface Load {
  /** Resolves when every client has ended, which each does when it gets no answer. */
  readonly ended: Promise<void>;
  /** Lets each client finish what it is at. */
  stop(): void;
  /** What clients were told that cannot be true. */
  readonly problems: string[];
}

export interface LoadOptions {
  readonly server: Running;
  readonly ledger: Ledger;
  readonly clients: number;
  readonly seed: number;
}

export async function makeBuckets({ server, ledger, clients }: LoadOptions): Promise<void> {
  const names = Array.from({ length: clients }, (_, client) => bucketOf(client));
  for (const name of [...names, sharedBucket]) {
    if (ledger.buckets().includes(name)) continue;
    const reply = await ask(server, '/bucket', { method: 'POST', token, json: { name } });
    if (reply.status !== 200) throw new Error(`no bucket ${name}: ${reply.text()}`);
    // The ledger knows a bucket by its keys.
    ledger.begin(name, 'path-0', absent).refused();
  }
}

export function startLoad(options: LoadOptions): Load {
  const state = { stopped: false, problems: [] as string[] };
  const clients = Array.from({ length: options.clients }, (_, client) =>
    runClient(options, client, state),
  );
  return {
    ended: Promise.all(clients).then(() => undefined),
    stop() {
      state.stopped = true;
    },
    problems: state.problems,
  };
}

interface State {
  stopped: boolean;
  readonly problems: string[];
}

async function runClient(
  { server, ledger, seed }: LoadOptions,
  client: number,
  state: State,
): Promise<void> {
  const random = seededRandom(seed * 1000 + client);
  const bucket = bucketOf(client);
  const pick = (count: number) => `path-${Math.floor(random() * count)}`;
  while (!state.stopped) {
    const path = pick(paths);
    const chance = random();
    let answered: boolean;
    if (chance < 0.55) answered = await upload(bucket, path);
    else if (chance < 0.7) answered = await remove(bucket, path);
    else if (chance < 0.72) answered = await empty(bucket);
    else if (chance < 0.82) answered = await read(bucket, path);
    else if (chance < 0.95) answered = await upload(sharedBucket, pick(sharedPaths));
    else answered = await remove(sharedBucket, pick(sharedPaths));
    if (!answered) return;
  }

  async function upload(into: string, path: string): Promise<boolean> {
    const body = bodyOf(random);
    const sent = ledger.begin(into, path, sha256(body));
    const isNew = into === sharedBucket && random() < 0.3;
    const headers = isNew ? { 'if-none-match': '*' } : {};
    const question = { method: 'PUT', body, headers };
    return tell(sent, await answer(server, `/object/${into}/${path}`, question), [412]);
  }

  async function remove(from: string, path: string): Promise<boolean> {
    const before = from === bucket ? ledger.known(from, path) : undefined;
    const sent = ledger.begin(from, path, absent);
    const reply = await answer(server, `/object/${from}/${path}`, { method: 'DELETE' });
    if (reply?.status === 404 && before !== undefined && before !== absent) {
      state.problems.push(`${from}/${path} is gone although its upload was acknowledged`);
    }
    return tell(sent, reply, [404]);
  }

  async function empty(name: string): Promise<boolean> {
    const sent = ledger.beginEmpty(name);
    return tell(sent, await answer(server, `/bucket/${name}/empty`, { method: 'POST' }), []);
  }

  async function read(from: string, path: string): Promise<boolean> {
    const expected = ledger.known(from, path);
    const reply = await answer(server, `/object/${from}/${path}`, {});
    if (!reply) return false;
    const found = reply.status === 404 ? absent : sha256(reply.bytes);
    if ((reply.status === 200 || reply.status === 404) && found !== expected) {
      state.problems.push(`${from}/${path} was read as ${found}, not as ${expected}`);
    }
    return reply.status < 500;
  }

  function tell(sent: Sent, reply: Reply | undefined, refusals: readonly number[]): boolean {
    if (reply?.status === 200) {
      sent.acknowledged(Number(reply.headers['x-aerostore-position']));
      return true;
    }
    if (reply && refusals.includes(reply.status)) {
      sent.refused();
      return true;
    }
    // No answer, or one that leaves the outcome open.
    if (reply && reply.status < 500) state.problems.push(`unexpected answer: ${reply.text()}`);
    return false;
  }
}

/** Undefined where there was none. */
async function answer(
  server: Running,
  path: string,
  question: Question,
): Promise<Reply | undefined> {
  const gone = server.exited.then(() => undefined);
  return Promise.race([ask(server, path, { token, ...question }).catch(() => undefined), gone]);
}

const pool = randomBytes(largestBytes + 1024);
let bodies = 0;

/** Bytes that no other body has, from 1 B (rarely) to 2 MiB, each magnitude as likely. */
function bodyOf(random: () => number): Buffer {
  const length = Math.max(1, Math.floor(Math.exp(random() * Math.log(largestBytes))));
  const start = Math.floor(random() * 1024);
  const body = Buffer.from(pool.subarray(start, start + length));
  bodies += 1;
  body.write(`${bodies}.`.slice(0, length), 0, 'latin1');
  return body;
}

function bucketOf(client: number): string {
  return `client-${client}`;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

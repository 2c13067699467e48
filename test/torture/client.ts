/**
 * One client of a server that is about to die. It works in a bucket of its own, one request after
 * the other, so that it knows what is there; and in one that all of them share, where they race. It
 * ends when it gets no answer.
 */
import { randomBytes } from 'node:crypto';
import { ask, type Question, type Reply } from '../acceptance/support/client.ts';
import { keep, type Request, refusedUrl, repeated, retried, usedOnce } from './facts.ts';
import { absent, type Change, digestOf, type Ledger, type Sent, storedAs } from './ledger.ts';
import type { Running } from './process.ts';
import { sha256, sharedBucket, token } from './subjects.ts';

const paths = 12;
const sharedPaths = 6;
/** Past 64 KiB a body has a file of its own; so a quarter of those up to this length have one. */
const largestBytes = 2 * 1024 * 1024;

export interface ClientOptions {
  readonly server: Running;
  readonly ledger: Ledger;
  readonly random: () => number;
  readonly bucket: string;
  readonly problems: string[];
}

/** Each act, and how likely it is. False where there was no answer. */
type Act = readonly [weight: number, act: () => Promise<boolean>];

export async function runClient(options: ClientOptions): Promise<void> {
  const { random } = options;
  const acts = [...actsInOwn(options), ...actsWithUrls(options), ...actsInShared(options)];
  const sum = acts.reduce((total, [weight]) => total + weight, 0);
  const chosen = () => {
    let chance = random() * sum;
    return acts.find(([weight]) => {
      chance -= weight;
      return chance < 0;
    });
  };
  for (let next = chosen(); next && (await next[1]()); next = chosen());
}

function actsInOwn(options: ClientOptions): Act[] {
  const { ledger, random, bucket, problems } = options;
  const at = (path: string, value: string): Change => ({ bucket, path, value });
  const somePath = () => pick(random, paths);
  const someKey = () => filledPath(options);

  async function remove(): Promise<boolean> {
    const path = somePath();
    const before = ledger.known(bucket, path);
    const sent = ledger.begin(at(path, absent));
    const reply = await answer(options, `/object/${bucket}/${path}`, { method: 'DELETE' });
    if (reply?.status === 404 && before !== absent) {
      problems.push(`${bucket}/${path} is gone although its upload was acknowledged`);
    }
    return tell(options, { sent, reply, refusals: [404] });
  }

  async function removeMany(): Promise<boolean> {
    const prefixes = [...new Set([somePath(), somePath(), somePath(), somePath()])];
    const there = prefixes.filter((path) => ledger.known(bucket, path) !== absent);
    const sent = ledger.begin(...prefixes.map((path) => at(path, absent)));
    const question = { method: 'DELETE', json: { prefixes } };
    const reply = await answer(options, `/object/${bucket}`, question);
    const deleted = reply?.headers['x-aerostore-deleted'];
    if (reply?.status === 200 && deleted !== String(there.length)) {
      problems.push(`${deleted} of ${prefixes.join()} were deleted, not the ${there.length} there`);
    }
    return tell(options, { sent, reply });
  }

  /** Onto another key of its own, or onto one that all share. */
  async function transfer(kind: 'copy' | 'move'): Promise<boolean> {
    const from = someKey();
    if (from === undefined) return upload(options, at(somePath(), ''));
    const shared = random() < 0.25;
    const to = shared ? sharedPath(random) : somePath();
    if (!shared && to === from) return true;
    const target = { bucket: shared ? sharedBucket : bucket, path: to };
    const left = { ...target, value: ledger.known(bucket, from) };
    const sent = kind === 'copy' ? ledger.begin(left) : ledger.begin(at(from, absent), left);
    const json = {
      ...{ bucketId: bucket, sourceKey: from },
      ...{ destinationBucket: target.bucket, destinationKey: to },
    };
    const question = { method: 'POST', json, headers: { 'x-upsert': 'true' } };
    return tell(options, { sent, reply: await answer(options, `/object/${kind}`, question) });
  }

  async function patch(): Promise<boolean> {
    const path = someKey();
    if (path === undefined) return upload(options, at(somePath(), ''));
    const n = Math.floor(random() * 1e6);
    const sent = ledger.begin(at(path, storedAs(digestOf(ledger.known(bucket, path)), n)));
    const question = { method: 'PATCH', json: { metadata: { n } } };
    return tell(options, {
      sent,
      reply: await answer(options, `/object/${bucket}/${path}`, question),
    });
  }

  async function empty(): Promise<boolean> {
    const sent = ledger.beginEmpty(bucket);
    const reply = await answer(options, `/bucket/${bucket}/empty`, { method: 'POST' });
    return tell(options, { sent, reply });
  }

  async function read(): Promise<boolean> {
    const path = somePath();
    const expected = digestOf(ledger.known(bucket, path));
    const reply = await answer(options, `/object/${bucket}/${path}`, {});
    if (!reply) return false;
    const found = reply.status === 404 ? absent : sha256(reply.bytes);
    if ((reply.status === 200 || reply.status === 404) && found !== expected) {
      problems.push(`${bucket}/${path} was read as ${found}, not as ${expected}`);
    }
    return reply.status < 500;
  }

  return [
    [30, () => upload(options, at(somePath(), ''))],
    [8, () => uploadOnce(options, at(somePath(), ''))],
    [8, remove],
    [4, removeMany],
    [7, () => transfer('copy')],
    [7, () => transfer('move')],
    [7, patch],
    [2, empty],
    [8, read],
  ];
}

function actsInShared(options: ClientOptions): Act[] {
  const { ledger, random } = options;
  async function remove(): Promise<boolean> {
    const path = sharedPath(random);
    const sent = ledger.begin({ bucket: sharedBucket, path, value: absent });
    const question = { method: 'DELETE' };
    const reply = await answer(options, `/object/${sharedBucket}/${path}`, question);
    return tell(options, { sent, reply, refusals: [404] });
  }
  return [
    [10, () => upload(options, { bucket: sharedBucket, path: sharedPath(random) })],
    [4, remove],
  ];
}

function actsWithUrls(options: ClientOptions): Act[] {
  const { ledger, random, bucket, problems } = options;

  /** The token, '' where there was an answer but none in it, or undefined. */
  async function sign(route: string, json: object): Promise<string | undefined> {
    const headers = { 'x-upsert': 'true' };
    const reply = await answer(options, route, { method: 'POST', json, headers });
    if (reply?.status === 200) return String(reply.json().token);
    if (reply && reply.status !== 429) problems.push(`unexpected answer: ${reply.text()}`);
    return reply ? '' : undefined;
  }

  /** By a URL for one use. */
  async function uploadSigned(): Promise<boolean> {
    const path = pick(random, paths);
    const signed = await sign(`/object/upload/sign/${bucket}/${path}`, { single_use: true });
    if (!signed) return signed === '';
    const body = bodyOf(random, 64 * 1024);
    const sent = ledger.begin({ bucket, path, value: sha256(body) });
    const request: Request = {
      path: `/object/upload/sign/${bucket}/${path}?token=${signed}`,
      question: { method: 'PUT', body },
    };
    const reply = await answer(options, request.path, request.question);
    if (reply?.status === 200) keep(ledger, refusedUrl(request, 'used'));
    else if (!reply) ledger.retries.push(usedOnce(request, sent, ledger));
    return tell(options, { sent, reply });
  }

  async function downloadSigned(): Promise<boolean> {
    const path = filledPath(options);
    if (path === undefined) return true;
    const signed = await sign(`/object/sign/${bucket}/${path}`, { single_use: true });
    if (!signed) return signed === '';
    const request = { path: `/object/sign/${bucket}/${path}?token=${signed}`, question: {} };
    const reply = await answer(options, request.path, request.question);
    if (!reply) return false;
    if (reply.status !== 200) problems.push(`a signed URL is refused: ${reply.text()}`);
    else if (sha256(reply.bytes) !== digestOf(ledger.known(bucket, path))) {
      problems.push(`${bucket}/${path} was sent as other bytes by a signed URL`);
    } else keep(ledger, refusedUrl(request, 'used'));
    return reply.status < 500;
  }

  async function revoke(): Promise<boolean> {
    const path = filledPath(options);
    if (path === undefined) return true;
    const route = `/object/sign/${bucket}/${path}`;
    const signed = await sign(route, {});
    if (!signed) return signed === '';
    const scopes = [{ token: signed }, { bucket, path }];
    const json = scopes[Math.floor(random() * scopes.length)];
    const reply = await answer(options, '/object/sign/revoke', { method: 'POST', json });
    if (!reply) return false;
    const request = { path: `${route}?token=${signed}`, question: {} };
    if (reply.status === 200) keep(ledger, refusedUrl(request, 'revoked'));
    return reply.status < 500;
  }

  return [
    [5, uploadSigned],
    [3, downloadSigned],
    [2, revoke],
  ];
}

async function upload(options: ClientOptions, at: Omit<Change, 'value'>): Promise<boolean> {
  const { ledger, random } = options;
  const { bucket, path } = at;
  const body = bodyOf(random, largestBytes);
  const sent = ledger.begin({ bucket, path, value: sha256(body) });
  const isNew = bucket === sharedBucket && random() < 0.3;
  const headers = isNew ? { 'if-none-match': '*' } : {};
  const question = { method: 'PUT', body, headers };
  const reply = await answer(options, `/object/${bucket}/${path}`, question);
  return tell(options, { sent, reply, refusals: [412] });
}

let words = 0;

/** With an idempotency key, and sometimes at once again. */
async function uploadOnce(options: ClientOptions, at: Omit<Change, 'value'>): Promise<boolean> {
  const { ledger, random, problems } = options;
  const { bucket, path } = at;
  const body = bodyOf(random, 64 * 1024);
  words += 1;
  const headers = { 'idempotency-key': `${bucket} ${words} ${randomBytes(4).toString('hex')}` };
  const request: Request = {
    path: `/object/${bucket}/${path}`,
    question: { method: 'PUT', body, headers, token },
  };
  const sent = ledger.begin({ bucket, path, value: sha256(body) });
  const reply = await answer(options, request.path, request.question);
  if (!reply) ledger.retries.push(retried(request, sent, ledger));
  if (!tell(options, { sent, reply }) || reply?.status !== 200) return reply?.status === 200;
  const fact = repeated(request, reply);
  keep(ledger, fact);
  if (random() < 0.7) return true;
  const gone = options.server.exited.then(() => undefined);
  const problem = await Promise.race([fact.check(options.server).catch(() => undefined), gone]);
  if (problem !== undefined) problems.push(problem);
  return true;
}

interface Told {
  readonly sent: Sent;
  readonly reply: Reply | undefined;
  readonly refusals?: readonly number[];
}

/** False where there was no answer, or one that leaves the outcome open. */
function tell({ problems }: ClientOptions, { sent, reply, refusals = [] }: Told): boolean {
  if (reply?.status === 200) {
    sent.acknowledged(Number(reply.headers['x-aerostore-position']));
    return true;
  }
  if (reply && refusals.includes(reply.status)) {
    sent.refused();
    return true;
  }
  if (reply && reply.status < 500) problems.push(`unexpected answer: ${reply.text()}`);
  return false;
}

/** Undefined where there was none. */
function answer(
  { server }: ClientOptions,
  path: string,
  question: Question,
): Promise<Reply | undefined> {
  const gone = server.exited.then(() => undefined);
  return Promise.race([ask(server, path, { token, ...question }).catch(() => undefined), gone]);
}

/** One of its own that holds something. */
function filledPath({ ledger, random, bucket }: ClientOptions): string | undefined {
  const filled = Array.from({ length: paths }, (_, index) => `path-${index}`).filter(
    (path) => ledger.known(bucket, path) !== absent,
  );
  return filled[Math.floor(random() * filled.length)];
}

function pick(random: () => number, count: number): string {
  return `path-${Math.floor(random() * count)}`;
}

function sharedPath(random: () => number): string {
  return pick(random, sharedPaths);
}

const pool = randomBytes(largestBytes + 1024);
let bodies = 0;

/** Bytes that no other body has, from 1 B (rarely) up, each magnitude as likely. */
function bodyOf(random: () => number, largest: number): Buffer {
  const length = Math.max(1, Math.floor(Math.exp(random() * Math.log(largest))));
  const start = Math.floor(random() * 1024);
  const body = Buffer.from(pool.subarray(start, start + length));
  bodies += 1;
  body.write(`${bodies}.`.slice(0, length), 0, 'latin1');
  return body;
}

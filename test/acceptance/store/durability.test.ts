/**
 * kill -9 in the middle of 200 concurrent requests: what was acknowledged is there byte for byte, what
 * was not is there wholly or not at all, and staging is empty. AEROSTORE_KILL_ROUNDS says how often (20, in CI 5);
 * each round prints its seed, and AEROSTORE_KILL_SEED repeats the first round's.
 */
import { randomInt } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { ask } from '../support/client.ts';
import { etagOf, sha256 } from '../support/hashes.ts';
import { recoveryOf, replayedRecords } from '../support/recovery.ts';
import { type Server, startServer } from '../support/server.ts';
import { digest, listPaths, makeBucket, put, staged } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';

const token = user('alice');
const rounds = Number(process.env.AEROSTORE_KILL_ROUNDS ?? (process.env.CI ? 5 : 20));
const requestsPerRound = 200;

const live = new Set<Server>();
afterAll(async () => {
  for (const server of live) await server.kill();
});

async function start(dataDir?: string): Promise<Server> {
  const server = await startServer(dataDir === undefined ? {} : { dataDir });
  live.add(server);
  return server;
}

async function crash(server: Server): Promise<void> {
  live.delete(server);
  expect(await server.kill()).toEqual({ code: null, signal: 'SIGKILL' });
}

/** A small generator of its own (mulberry32), so that a seed repeats a round's requests. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a path may hold after the crash: hashes of whole contents, or undefined for nothing. */
type Allowed = Map<string, ReadonlySet<string | undefined>>;

interface Intent {
  readonly path: string;
  /** Undefined deletes. */
  readonly body: Buffer | undefined;
}

function bodyOf(random: () => number, label: string): Buffer {
  // Mostly small, some of several CRC pieces, some empty.
  const kind = random();
  const size = kind < 0.05 ? 0 : Math.floor(random() * (kind < 0.9 ? 70_000 : 900_000));
  return Buffer.alloc(size, `${label} `);
}

function intentsOf(random: () => number): Intent[] {
  return Array.from({ length: requestsPerRound }, (_, index) => {
    if (index < 20) return { path: `base/${index}`, body: bodyOf(random, `over ${index}`) };
    if (index < 30) return { path: `base/${index}`, body: undefined };
    return { path: `new/${index}`, body: bodyOf(random, `new ${index} ${random()}`) };
  });
}

async function send(server: Server, bucket: string, { path: key, body }: Intent): Promise<boolean> {
  const question = body === undefined ? { method: 'DELETE' } : { method: 'PUT', body };
  try {
    const reply = await ask(server, `/object/${bucket}/${key}`, { token, ...question });
    expect([200, 503], reply.text()).toContain(reply.status);
    return reply.status === 200;
  } catch {
    return false; // The server died first: not acknowledged.
  }
}

/** All requests at once, and a kill after a number of acknowledgements that the seed decides. */
async function storm(server: Server, bucket: string, random: () => number): Promise<Allowed> {
  const allowed: Allowed = new Map();
  const base = Array.from({ length: 30 }, (_, index) => `base ${index}`.repeat(500));
  for (const [index, body] of base.entries()) {
    await put(server, `${bucket}/base/${index}`, { token, body });
    allowed.set(`base/${index}`, new Set([sha256(body)]));
  }
  const killAfter = Math.floor(random() * (requestsPerRound - 20));
  let acknowledged = 0;
  let killed: Promise<void> | undefined;
  const strike = () => {
    killed ??= crash(server);
  };
  await Promise.all(
    intentsOf(random).map(async (intent) => {
      const after = intent.body === undefined ? undefined : sha256(intent.body);
      const before = allowed.get(intent.path) ?? new Set([undefined]);
      allowed.set(intent.path, new Set([...before, after]));
      if (!(await send(server, bucket, intent))) return;
      allowed.set(intent.path, new Set([after]));
      acknowledged += 1;
      if (acknowledged >= killAfter) strike();
    }),
  );
  strike();
  await killed;
  return allowed;
}

async function verify(server: Server, bucket: string, allowed: Allowed): Promise<void> {
  const listed = new Set(await listPaths(server, bucket, { token }));
  const unknown = [...listed].filter((name) => !allowed.has(name));
  expect(unknown, 'listed, but never sent').toEqual([]);
  const check = async (name: string, contents: ReadonlySet<string | undefined>) => {
    const read = await ask(server, `/object/${bucket}/${name}`, { token });
    expect([200, 404], `${name}: ${read.status}`).toContain(read.status);
    const found = read.status === 200 ? sha256(read.bytes) : undefined;
    expect(contents.has(found), `${name}: ${found ?? 'nothing'} is none of its contents`).toBe(
      true,
    );
    expect(listed.has(name), `${name} is listed if and only if it is read`).toBe(
      found !== undefined,
    );
    if (found !== undefined) expect(read.headers.etag).toBe(`"${await etagOf(read.bytes)}"`);
  };
  const queue = allowed.entries();
  const worker = async () => {
    for (const [name, contents] of queue) await check(name, contents);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

test(`nothing acknowledged is lost by kill -9 among ${requestsPerRound} requests, ${rounds} times`, async () => {
  let server = await start();
  const all = new Map<string, Allowed>();
  for (let round = 0; round < rounds; round += 1) {
    const given = round === 0 ? process.env.AEROSTORE_KILL_SEED : undefined;
    const seed = given === undefined ? randomInt(2 ** 32) : Number(given);
    console.log(`round ${round + 1} of ${rounds}: AEROSTORE_KILL_SEED=${seed}`);
    const bucket = await makeBucket(server);
    const allowed = await storm(server, bucket, randomOf(seed));
    all.set(bucket, allowed);
    server = await start(server.dataDir);
    expect(staged(server), 'staging is empty when the server is ready').toEqual([]);
    await verify(server, bucket, allowed);
  }
  const status = await ask(server, '/admin/status', { token: service });
  expect(status.json().health, status.text()).toMatchObject({ status: 'ready' });
  const before = await digest(server);
  live.delete(server);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  rmSync(path.join(server.dataDir, 'views'), { recursive: true });
  const rebuilt = await start(server.dataDir);
  expect(await digest(rebuilt), 'the log alone gives the same views').toBe(before);
  // And no crash took anything that an earlier one had left.
  for (const [bucket, allowed] of all) await verify(rebuilt, bucket, allowed);
}, 240_000);

async function furnish(server: Server): Promise<string> {
  const bucket = await makeBucket(server, { settings: { write_policy: 'authenticated' } });
  const other = await makeBucket(server, { owner: 'bob', settings: { policy: 'public' } });
  for (let index = 0; index < 40; index += 1) {
    const as = user(index % 2 === 0 ? 'alice' : 'bob');
    const headers = { 'x-metadata': Buffer.from(`{"n":${index}}`).toString('base64') };
    await put(server, `${bucket}/dir ${index % 7}/ü${index}`, {
      token: as,
      body: `${index}`,
      headers,
    });
    await put(server, `${other}/${index}`, { token: user('bob'), body: 'x'.repeat(index) });
  }
  for (let index = 0; index < 10; index += 1) {
    await put(server, `${other}/${index}`, { token: user('bob'), body: 'overwritten' });
    const url = `/object/${other}/${index + 10}`;
    await ask(server, url, { method: 'DELETE', token: user('bob') });
  }
  await ask(server, `/bucket/${bucket}`, { method: 'PUT', token, json: { max_file_size: 99 } });
  const emptied = await makeBucket(server);
  await put(server, `${emptied}/gone`, { token, body: 'x' });
  await ask(server, `/bucket/${emptied}/empty`, { method: 'POST', token });
  await put(server, `${emptied}/stays`, { token, body: 'x' });
  return bucket;
}

test('views that were deleted come back with the same digest, by the command line and by the server', async () => {
  let server = await start();
  const bucket = await furnish(server);
  const listed = await listPaths(server, bucket, { token: service });
  const atWork = await digest(server);
  live.delete(server);
  expect((await server.stop()).code).toBe(0);

  const offline = async () => {
    const result = await aerostore(['views', 'digest', '--data-dir', server.dataDir]);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    return result.stdout.trim();
  };
  const kept = await offline();
  expect(kept, 'stopping changes nothing').toBe(atWork);
  expect(await offline(), 'asking changes nothing').toBe(kept);

  rmSync(path.join(server.dataDir, 'views'), { recursive: true });
  server = await start(server.dataDir);
  expect(await digest(server)).toBe(kept);
  expect(await listPaths(server, bucket, { token: service })).toEqual(listed);
  expect(Number(replayedRecords(await recoveryOf(server)))).toBeGreaterThan(100);
  live.delete(server);
  expect((await server.stop()).code).toBe(0);
  expect(await offline()).toBe(kept);
});

test('views that were deleted after a kill -9 come back, too', async () => {
  let server = await start();
  const bucket = await furnish(server);
  const listed = await listPaths(server, bucket, { token: service });
  const atWork = await digest(server);
  await crash(server);
  rmSync(path.join(server.dataDir, 'views'), { recursive: true });
  server = await start(server.dataDir);
  expect(await digest(server)).toBe(atWork);
  expect(await listPaths(server, bucket, { token: service })).toEqual(listed);
  expect(readdirSync(server.dataDir)).toContain('views');
});

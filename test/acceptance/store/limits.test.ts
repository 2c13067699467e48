/** The limits of a real machine: a disk that fills up, too few file handles, a log that was cut. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { Agent } from 'node:http';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { ask, type Target } from '../support/client.ts';
import {
  launch,
  type Server,
  type StartOptions,
  startServer,
  temporaryFolder,
} from '../support/server.ts';
import { makeBucket } from '../support/store.ts';
import { user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const token = user('alice');
const live = new Set<Server>();
const mounts = new Set<string>();
afterEach(async () => {
  for (const server of live) await server.kill();
  live.clear();
  for (const folder of mounts) execFileSync('umount', [folder]);
  mounts.clear();
});

async function start(options: StartOptions = {}): Promise<Server> {
  const server = await startServer(options);
  live.add(server);
  return server;
}

async function refusedStart(dataDir: string): Promise<string> {
  const { exited, output } = launch({ dataDir });
  const exit = await exited();
  expect(exit, output()).toEqual({ code: 1, signal: null });
  expect(output()).not.toMatch(/^\s+at .+:\d+:\d+/m);
  return output();
}

/** Uploads, whatever the answer. */
function put(target: Target, key: string, question: { token: string; body: Buffer | string }) {
  return ask(target, `/object/${key}`, { method: 'PUT', ...question });
}

const body = (size: number, seed: number) => Buffer.alloc(size, `${seed} `);

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('skipped: a small disk can only be mounted by root\n');
    return false;
  }
}

function smallDisk(sizeMib: number): string {
  const folder = temporaryFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder]);
  mounts.add(folder);
  return folder;
}

/** Writes until the disk has no room, but for `leaveBytes`. */
function fillUp(folder: string, leaveBytes: number): string {
  const filler = path.join(folder, 'filler');
  const file = openSync(filler, 'w');
  const chunk = Buffer.alloc(64 * 1024, 1);
  let size = 0;
  try {
    for (;;) size += writeSync(file, chunk);
  } catch {
    closeSync(file);
  }
  truncateSync(filler, Math.max(0, size - leaveBytes));
  return filler;
}

describe.skipIf(!canMount())('a real disk that fills up', () => {
  test('refuses uploads, then all writes, and comes back when there is space', async () => {
    const folder = smallDisk(64);
    const dataDir = path.join(folder, 'data');
    const server = await start({ dataDir });
    const bucket = await makeBucket(server);
    const acknowledged = new Map<string, Buffer>();
    let last = 0;
    for (let index = 0; index < 100 && last !== 507; index += 1) {
      const bytes = body(2_000_000, index);
      const reply = await put(server, `${bucket}/f${index}`, { token, body: bytes });
      last = reply.status;
      if (last === 200) acknowledged.set(`f${index}`, bytes);
      else expect(reply.json()).toMatchObject({ code: 'InsufficientStorage', statusCode: '507' });
    }
    expect(last).toBe(507);
    await until('the low mark shows', async () => {
      const ready = await ask(server, '@/health/ready');
      return ready.status === 200 && ready.json().status === 'degraded';
    });
    const gone = await ask(server, `/object/${bucket}/f0`, { method: 'DELETE', token });
    expect(gone.status).toBe(200);
    acknowledged.delete('f0');

    const filler = fillUp(folder, 300_000);
    await until('the hard mark shows', async () => {
      return (await ask(server, '@/health/ready')).status === 503;
    });
    const refused = await ask(server, `/object/${bucket}/f1`, { method: 'DELETE', token });
    expect(refused.status).toBe(503);
    expect(refused.json()).toMatchObject({ code: 'ReadOnly' });
    expect(refused.headers['retry-after']).toBeDefined();
    const read = await ask(server, `/object/${bucket}/f1`, { token });
    expect(read.bytes.equals(acknowledged.get('f1') ?? Buffer.alloc(0))).toBe(true);

    rmSync(filler);
    await until('writes work again', async () => {
      return (await ask(server, '@/health/ready')).status === 200;
    });
    expect((await ask(server, `/object/${bucket}/f1`, { method: 'DELETE', token })).status).toBe(
      200,
    );
    acknowledged.delete('f1');
    for (const [name, bytes] of acknowledged) {
      expect((await ask(server, `/object/${bucket}/${name}`, { token })).bytes.equals(bytes)).toBe(
        true,
      );
    }
  }, 90_000);

  test('that is full to the last byte at a start loses nothing', async () => {
    const folder = smallDisk(32);
    const dataDir = path.join(folder, 'data');
    const server = await start({ dataDir });
    const bucket = await makeBucket(server);
    expect((await put(server, `${bucket}/a`, { token, body: body(1000, 1) })).status).toBe(200);
    await server.kill();
    const filler = fillUp(folder, 0);
    const { child, exited, output } = launch({ dataDir });
    // Either it serves what it can, or it says what to do; it never invents a way on.
    const said = await until('it serves or refuses', () =>
      child.exitCode !== null || output().includes('"ready"') ? output() : undefined,
    );
    if (child.exitCode !== null) {
      expect(child.exitCode).toBe(1);
      expect(said).toMatch(/disk .*is full.*free some space/);
    }
    child.kill('SIGKILL');
    await exited();
    rmSync(filler);
    const again = await start({ dataDir });
    const read = await ask(again, `/object/${bucket}/a`, { token });
    expect(read.bytes.equals(body(1000, 1))).toBe(true);
    expect((await put(again, `${bucket}/b`, { token, body: body(10, 2) })).status).toBe(200);
  }, 90_000);
});

test('too few file handles fail requests, lose nothing, and the server goes on', async () => {
  const server = await start();
  const bucket = await makeBucket(server);
  // Not from the start on: Node opens all modules at once.
  const limit = readdirSync(`/proc/${server.pid}/fd`).length + 40;
  execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${limit}:${limit}`]);
  // Connections that are kept alive would keep their handles: these end with their answers.
  const agent = new Agent({ keepAlive: false });
  const uploads = await Promise.all(
    Array.from({ length: 120 }, (_, index) =>
      put({ url: server.url, agent }, `${bucket}/f${index}`, {
        token,
        body: body(300_000, index),
      }).then(
        ({ status }) => status,
        () => 0,
      ),
    ),
  );
  for (const status of uploads) expect([0, 200, 500, 503]).toContain(status);
  expect(uploads.some((status) => status !== 200)).toBe(true);
  const later = await until('uploads work again', async () => {
    const reply = await put(server, `${bucket}/later`, { token, body: 'later' }).catch(
      () => undefined,
    );
    return reply?.status === 200;
  });
  expect(later).toBe(true);
  for (const [index, status] of uploads.entries()) {
    const read = await ask(server, `/object/${bucket}/f${index}`, { token });
    if (status === 200) expect(read.bytes.equals(body(300_000, index))).toBe(true);
    else expect([200, 404]).toContain(read.status);
  }
  await until(
    'nothing stays staged',
    () => readdirSync(path.join(server.dataDir, 'staging')).length === 0,
  );
}, 60_000);

test('a log cut at the edge of a frame is refused; wal repair says what goes, and gets out of it', async () => {
  const server = await start();
  const bucket = await makeBucket(server);
  for (const name of ['kept', 'cut']) {
    expect((await put(server, `${bucket}/${name}`, { token, body: name })).status).toBe(200);
  }
  expect((await server.stop()).code).toBe(0);
  live.delete(server);
  const { dataDir } = server;
  const wal = path.join(dataDir, 'wal');
  const segment = readdirSync(wal).toSorted().at(-1) ?? '';
  const bytes = readFileSync(path.join(wal, segment));
  const magic = Buffer.from('ae57a1f7', 'hex');
  const trailer = bytes.lastIndexOf(magic);
  const lastFrame = bytes.lastIndexOf(magic, trailer - 1);
  truncateSync(path.join(wal, segment), lastFrame);

  const said = await refusedStart(dataDir);
  expect(said).toMatch(
    /log ends at position \d+ \(\d{20}\.wal, byte \d+\), but the clean marker knows of position \d+/,
  );
  expect(said).toContain('aerostore wal repair');
  const explained = await aerostore(['wal', 'repair', '--data-dir', dataDir]);
  expect(explained.code).toBe(1);
  expect(explained.stdout).toMatch(/lost: the records from position (\d+) to \1/);
  await refusedStart(dataDir);
  const repaired = await aerostore([
    'wal',
    'repair',
    '--data-dir',
    dataDir,
    '--accept-loss',
    '--json',
  ]);
  expect(repaired.code, repaired.stderr).toBe(0);
  expect(JSON.parse(repaired.stdout)).toMatchObject({ repaired: true });
  expect(readdirSync(dataDir)).toContain('clean.broken');

  const again = await start({ dataDir });
  expect((await ask(again, `/object/${bucket}/kept`, { token })).text()).toBe('kept');
  expect((await ask(again, `/object/${bucket}/cut`, { token })).status).toBe(404);
  await again.stop();
  live.delete(again);
  expect((await aerostore(['views', 'verify', '--data-dir', dataDir])).code).toBe(0);
  expect((await aerostore(['wal', 'verify', '--data-dir', dataDir])).code).toBe(0);
}, 60_000);

/** The process: one server a directory, a graceful end, a readable refusal to start, a missing blob. */
import { mkdirSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { headOf, openWire } from '../support/raw.ts';
import { recoveryOf, replayedRecords } from '../support/recovery.ts';
import {
  launch,
  type Server,
  type StartOptions,
  startServer,
  temporaryFolder,
} from '../support/server.ts';
import { listPaths, makeBucket, put, staged } from '../support/store.ts';
import { hs256, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const token = user('alice');
const live = new Set<Server>();
afterEach(async () => {
  for (const server of live) await server.kill();
  live.clear();
});

async function start(options: StartOptions = {}): Promise<Server> {
  const server = await startServer(options);
  live.add(server);
  return server;
}

/** What a refused start has to say: a sentence, no stack, and a code that is not 0. */
async function refusedStart(options: StartOptions): Promise<string> {
  const { exited, output } = launch(options);
  const exit = await exited();
  expect(exit.signal, output()).toBeNull();
  expect(exit.code, output()).not.toBe(0);
  expect(output()).not.toMatch(/^\s+at .+:\d+:\d+/m);
  return output();
}

describe('one server a data directory', () => {
  test('a second one is refused while the first runs, and starts after its kill -9', async () => {
    const first = await start();
    const bucket = await makeBucket(first);
    await put(first, `${bucket}/a`, { token, body: 'kept' });
    const { dataDir } = first;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const said = await refusedStart({ dataDir });
      expect(said).toContain(dataDir);
      expect(said).toMatch(/another|already|in use|held|running/i);
    }
    expect((await ask(first, `/object/${bucket}/a`, { token })).text(), 'unharmed').toBe('kept');
    await put(first, `${bucket}/b`, { token, body: 'still writable' });
    await first.kill();
    const next = await start({ dataDir });
    expect(await listPaths(next, bucket, { token })).toEqual(['a', 'b']);
  });

  const isRoot = process.getuid?.() === 0;
  if (!isRoot) console.log('skipped: a pid namespace of its own needs root (unshare --pid)');
  test.skipIf(!isRoot)('also when the first one runs in another pid namespace', async () => {
    const wrapper = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const first = await start({ wrapper });
    const { dataDir } = first;
    expect(await refusedStart({ dataDir })).toContain(dataDir);
    expect(await refusedStart({ dataDir, wrapper }), 'and from a third').toContain(dataDir);
    expect((await ask(first, '@/health/ready')).status).toBe(200);
    await first.kill();
    const next = await until('the namespace is gone', async () => {
      const server = await startServer({ dataDir }).catch(() => undefined);
      return server ?? false;
    });
    live.add(next);
    expect((await ask(next, '@/health/ready')).status).toBe(200);
  });
});

describe('SIGTERM', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s on an idle server ends it with 0',
    async (signal) => {
      const server = await start();
      server.signal(signal);
      expect(await server.exited()).toEqual({ code: 0, signal: null });
    },
  );

  test('lets a slow upload finish, takes no new connection, and leaves a clean marker', async () => {
    const server = await start();
    const bucket = await makeBucket(server);
    const wire = await openWire(server);
    wire.send(
      headOf(`POST /storage/v1/object/${bucket}/slow`, {
        authorization: `Bearer ${token}`,
        'content-length': '200000',
      }),
    );
    wire.send('a'.repeat(100_000));
    await until('the upload has begun', () => staged(server).length > 0);
    server.signal('SIGTERM');
    await until('new connections are refused', async () => {
      const probe = await openWire(server).catch(() => undefined);
      if (!probe) return true;
      const reply = ask({ url: server.url }, '/bucket', { token }).catch(() => undefined);
      probe.drop();
      return (await reply) === undefined;
    });
    wire.send('b'.repeat(100_000));
    const reply = await wire.reply();
    expect(reply.status, reply.text()).toBe(200);
    expect(await server.exited(10_000)).toEqual({ code: 0, signal: null });

    const next = await start({ dataDir: server.dataDir });
    const read = await ask(next, `/object/${bucket}/slow`, { token });
    expect(read.text()).toBe('a'.repeat(100_000) + 'b'.repeat(100_000));
    expect(replayedRecords(await recoveryOf(next))).toBe(0);
  });

  test('does not wait longer than its 10 s for an upload that never ends', async () => {
    const server = await start();
    const bucket = await makeBucket(server);
    const wire = await openWire(server);
    wire.send(
      headOf(`POST /storage/v1/object/${bucket}/stuck`, {
        authorization: `Bearer ${token}`,
        'content-length': '200000',
      }),
    );
    wire.send('a'.repeat(100_000));
    await until('the upload has begun', () => staged(server).length > 0);
    const began = Date.now();
    server.signal('SIGTERM');
    const exit = await server.exited(15_000);
    expect(Date.now() - began).toBeLessThan(13_000);
    expect(exit.signal).toBeNull();
    const next = await start({ dataDir: server.dataDir });
    expect(await listPaths(next, bucket, { token })).toEqual([]);
    expect(staged(next)).toEqual([]);
  });
});

describe('what a start says', () => {
  test('after a clean stop nothing is replayed, after a kill -9 something is, and one line tells', async () => {
    const first = await start();
    const bucket = await makeBucket(first);
    await put(first, `${bucket}/a`, { token, body: 'a' });
    expect((await first.stop()).code).toBe(0);
    const clean = await start({ dataDir: first.dataDir });
    expect(replayedRecords(await recoveryOf(clean))).toBe(0);
    await put(clean, `${bucket}/b`, { token, body: 'b' });
    await clean.kill();
    const crashed = await start({ dataDir: first.dataDir });
    expect(Number(replayedRecords(await recoveryOf(crashed)))).toBeGreaterThan(0);
    expect(await listPaths(crashed, bucket, { token })).toEqual(['a', 'b']);
  });

  const wrong: [string, Record<string, string>, RegExp][] = [
    [
      'an unknown name, with the nearest',
      { AEROSTORE_PROT: '1' },
      /AEROSTORE_PROT\b.*AEROSTORE_PORT/,
    ],
    ['a port that is none', { AEROSTORE_PORT: '70000' }, /AEROSTORE_PORT/],
    ['a short secret', { AEROSTORE_JWT_SECRET: 'short' }, /AEROSTORE_JWT_SECRET/],
    ['a size that is none', { AEROSTORE_MAX_FILE_SIZE: 'big' }, /AEROSTORE_MAX_FILE_SIZE/],
    ['a size above 5 GiB', { AEROSTORE_MAX_FILE_SIZE: '6GiB' }, /AEROSTORE_MAX_FILE_SIZE/],
    [
      'an address beyond loopback without a public URL',
      { AEROSTORE_HOST: '0.0.0.0' },
      /AEROSTORE_PUBLIC_URL/,
    ],
    ['a JWKS file that is not there', { AEROSTORE_JWKS_FILE: '/nowhere/jwks.json' }, /jwks/i],
  ];
  test.each(wrong)('refused: %s', async (_, env, wanted) => {
    const said = await refusedStart({ env });
    expect(said).toMatch(wanted);
    if (env.AEROSTORE_JWT_SECRET !== undefined) expect(said).not.toContain('"short"');
  });

  test('two problems are both named', async () => {
    const env = { AEROSTORE_PORT: 'x', AEROSTORE_RETENTION: 'y' };
    const said = await refusedStart({ env });
    expect(said).toMatch(/AEROSTORE_PORT/);
    expect(said).toMatch(/AEROSTORE_RETENTION/);
  });

  test('a data directory that is a file is refused readably', async () => {
    const file = path.join(temporaryFolder(), 'file');
    writeFileSync(file, 'not a folder');
    expect(await refusedStart({ dataDir: file })).toContain(file);
  });

  test('a port that is taken is refused readably', async () => {
    const first = await start();
    const said = await refusedStart({ env: { AEROSTORE_PORT: String(first.port) } });
    expect(said).toContain(String(first.port));
  });

  test('without a secret one is made, readable by its owner alone, and tokens are printed nowhere', async () => {
    const server = await start({ env: { AEROSTORE_JWT_SECRET: '' } });
    const keys = filesBelow(path.join(server.dataDir, 'keys'));
    expect(keys.length).toBeGreaterThan(0);
    for (const file of keys) expect(statSync(file).mode & 0o077, file).toBe(0);
    await until('it says how to make one', () => /aerostore.* token/.test(server.output()));
    expect(server.output(), 'no token where nobody watches').not.toMatch(/eyJ[\w-]+\.eyJ/);
    expectProblem(
      await ask(server, '/bucket', { token: hs256({ sub: 'alice' }) }),
      '401 InvalidJWT',
    );
  });

  test('an unknown file system place is made with its parents', async () => {
    const dataDir = path.join(temporaryFolder(), 'a/b/c');
    mkdirSync(path.dirname(path.dirname(dataDir)));
    await start({ dataDir });
    expect(readdirSync(dataDir)).toEqual(
      expect.arrayContaining(['wal', 'views', 'blobs', 'staging', 'quarantine']),
    );
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** Where the content of an object lies, found by the content itself. */
function blobFile(dataDir: string, content: Buffer): string {
  const files = filesBelow(path.join(dataDir, 'blobs'));
  const found = files.filter((file) => readFileSync(file).equals(content));
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}

describe('damage below the server', () => {
  // Above 64 KiB, so that it never lies in a pack.
  const content = (text: string) => Buffer.alloc(300_000, text);

  async function stoppedStore(): Promise<{ dataDir: string; bucket: string }> {
    const server = await start();
    const bucket = await makeBucket(server);
    for (const name of ['lost', 'fine']) {
      await put(server, `${bucket}/${name}`, { token, body: content(`${name} `) });
    }
    expect((await server.stop()).code).toBe(0);
    return { dataDir: server.dataDir, bucket };
  }

  test('an object whose bytes are gone answers 500, is logged, and degrades health', async () => {
    const { dataDir, bucket } = await stoppedStore();
    unlinkSync(blobFile(dataDir, content('lost ')));
    const server = await start({ dataDir });
    expectProblem(await ask(server, `/object/${bucket}/lost`, { token }), '500 InternalError');
    const ranged = { token, headers: { range: 'bytes=0-9' } };
    expectProblem(await ask(server, `/object/${bucket}/lost`, ranged), '500 InternalError');
    const line = await until('a log line that tells', () =>
      server
        .logs()
        .find(
          (entry) =>
            ['error', 'fatal'].includes(String(entry.level)) &&
            /lost|blob/i.test(JSON.stringify(entry)),
        ),
    );
    expect(JSON.stringify(line), JSON.stringify(line)).toMatch(
      /missing|gone|lost its bytes|ENOENT/i,
    );
    const ready = await ask(server, '@/health/ready');
    expect(ready.status).toBe(200);
    expect(ready.json()).toMatchObject({ status: 'degraded' });
    const fine = await ask(server, `/object/${bucket}/fine`, { token });
    expect(fine.bytes.equals(content('fine '))).toBe(true);
    expect(await listPaths(server, bucket, { token })).toEqual(['fine', 'lost']);

    await put(server, `${bucket}/lost`, { token, body: 'stored again' });
    expect((await ask(server, `/object/${bucket}/lost`, { token })).text()).toBe('stored again');
  });

  test.each([
    [
      'a flipped bit',
      (bytes: Buffer) => bytes.fill(bytes.readUInt8(150_000) ^ 1, 150_000, 150_001),
    ],
    ['a byte too few', (bytes: Buffer) => bytes.subarray(1)],
    ['a byte too many', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
  ])('%s in a file never reaches a client as a whole answer', async (_, damage) => {
    const { dataDir, bucket } = await stoppedStore();
    const file = blobFile(dataDir, content('lost '));
    writeFileSync(file, damage(readFileSync(file)));
    const server = await start({ dataDir });
    for (const headers of [{}, { range: 'bytes=149990-150010' }]) {
      const whole = await ask(server, `/object/${bucket}/lost`, { token, headers }).then(
        (reply) => reply.status < 400 && !content('lost ').includes(reply.bytes),
        () => false,
      );
      expect(whole, 'wrong bytes in a complete answer').toBe(false);
    }
    const fine = await ask(server, `/object/${bucket}/fine`, { token });
    expect(fine.bytes.equals(content('fine '))).toBe(true);
  });

  test('a log that is corrupt in its middle is refused, by its file’s name', async () => {
    const { dataDir } = await stoppedStore();
    const segment = readdirSync(path.join(dataDir, 'wal')).toSorted()[0] ?? '';
    const file = path.join(dataDir, 'wal', segment);
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200);
    writeFileSync(file, bytes);
    const said = await refusedStart({ dataDir });
    expect(said).toContain(segment);
    expect(said).toMatch(/corrupt|damaged/i);
  });
});

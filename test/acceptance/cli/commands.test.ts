/** API.md "Command line": each command of the build, offline and against a running server. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { ask } from '../support/client.ts';
import { type Server, startServer, temporaryFolder } from '../support/server.ts';
import { digest, head, makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';

let server: Server;
let bucket: string;
/** The directory of a server that stopped. */
let stopped: string;
const token = user('alice');

beforeAll(async () => {
  const first = await startServer();
  const own = await makeBucket(first);
  await put(first, `${own}/a`, { token, body: 'a' });
  expect((await first.stop()).code).toBe(0);
  stopped = first.dataDir;
  server = await startServer();
  bucket = await makeBucket(server);
  for (const name of ['a', 'b', 'c']) await put(server, `${bucket}/${name}`, { token, body: name });
  await put(server, `${bucket}/of-bob`, { token: service, body: 'x' });
});
afterAll(() => server?.kill());

const commands = [
  ['serve'],
  ['token'],
  ['wal', 'info'],
  ['wal', 'dump'],
  ['wal', 'verify'],
  ['views', 'digest'],
  ['views', 'rebuild'],
  ['consumers', 'list'],
  ['webhooks', 'list'],
  ['webhooks', 'replay'],
];

describe('help and wrong use', () => {
  test.each(commands.map((command): [string, string[]] => [command.join(' '), command]))(
    '%s --help shows an example',
    async (name, command) => {
      const { code, stdout } = await aerostore([...command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(/usage/i);
      expect(stdout).toMatch(/example/i);
      expect(stdout).toContain(`aerostore ${name}`);
    },
  );

  test('--help names every command', async () => {
    const { code, stdout } = await aerostore(['--help']);
    expect(code).toBe(0);
    for (const [name = ''] of commands) expect(stdout).toContain(name);
  });

  const wrong: string[][] = [
    ['no-such-command'],
    ['wal'],
    ['wal', 'no-such'],
    ['views', 'digest', '--no-such-option'],
    ['token', '--sub'],
    ['token', '--sub', 'x', '--expires', 'soon'],
    ['wal', 'info', 'surplus'],
    ['wal', 'dump', '--from', 'abc'],
  ];
  test.each(wrong.map((args): [string, string[]] => [args.join(' '), args]))(
    '"%s" is wrong use: exit 2, and stderr says why',
    async (_, args) => {
      const data = args[0] === 'wal' || args[0] === 'views' ? ['--data-dir', stopped] : [];
      const { code, stdout, stderr } = await aerostore([...args, ...data]);
      expect(code, stdout + stderr).toBe(2);
      expect(stderr).not.toBe('');
      expect(stderr).not.toMatch(/^\s+at .+:\d+:\d+/m);
    },
  );

  test('a directory that is not there is said to be missing', async () => {
    const nowhere = path.join(temporaryFolder(), 'nowhere');
    for (const command of [
      ['wal', 'info'],
      ['wal', 'verify'],
      ['views', 'digest'],
    ]) {
      const { code, stderr } = await aerostore([...command, '--data-dir', nowhere]);
      expect(code, command.join(' ')).not.toBe(0);
      expect(stderr).toContain(nowhere);
      expect(stderr).not.toMatch(/^\s+at .+:\d+:\d+/m);
    }
  });
});

describe('token', () => {
  const claimsOf = (jwt: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());

  test('prints one token that the server takes', async () => {
    const { code, stdout, stderr } = await aerostore([
      'token',
      '--sub',
      'carol',
      '--expires',
      '1h',
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const made = await ask(server, '/bucket', {
      method: 'POST',
      token: stdout.trim(),
      json: { name: 'of-carol' },
    });
    expect(made.json()).toMatchObject({ owner_id: 'carol' });
    const claims = claimsOf(stdout.trim());
    expect(Number(claims.exp) - Math.floor(Date.now() / 1000)).toBeGreaterThan(3500);
    expect(Number(claims.exp) - Math.floor(Date.now() / 1000)).toBeLessThanOrEqual(3600);
  });

  test('--role service_role makes a service token', async () => {
    const { stdout } = await aerostore(['token', '--role', 'service_role', '--expires', '10m']);
    expect((await ask(server, '/admin/status', { token: stdout.trim() })).status).toBe(200);
  });

  test('--json is one JSON value that holds the token', async () => {
    const { code, stdout } = await aerostore(['token', '--sub', 'carol', '--json']);
    expect(code).toBe(0);
    const made: unknown = JSON.parse(stdout);
    expect(made).toMatchObject({ token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) });
  });

  test('takes the secret that a server without one has made, also while it runs', async () => {
    const own = await startServer({ env: { AEROSTORE_JWT_SECRET: '' } });
    try {
      const args = ['token', '--sub', 'dora', '--data-dir', own.dataDir];
      const { code, stdout, stderr } = await aerostore(args, { AEROSTORE_JWT_SECRET: '' });
      expect(code, stderr).toBe(0);
      expect((await ask(own, '/bucket', { token: stdout.trim() })).status).toBe(200);
      expect((await ask(server, '/bucket', { token: stdout.trim() })).status).toBe(401);
    } finally {
      await own.kill();
    }
  });
});

interface Dumped {
  readonly position: number;
  readonly type: string;
}

async function dump(dataDir: string, filters: readonly string[] = []): Promise<Dumped[]> {
  const args = ['wal', 'dump', '--data-dir', dataDir, '--json', ...filters];
  const { code, stdout, stderr } = await aerostore(args);
  expect(code, stderr).toBe(0);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line));
}

describe('wal', () => {
  test.each(['stopped', 'live'])('info, dump and verify work on a %s directory', async (which) => {
    const dataDir = which === 'live' ? server.dataDir : stopped;
    for (const command of ['info', 'dump', 'verify']) {
      const { code, stdout, stderr } = await aerostore(['wal', command, '--data-dir', dataDir]);
      expect(code, `${command}: ${stderr}`).toBe(0);
      expect(stdout).not.toBe('');
    }
    for (const command of ['info', 'verify']) {
      const args = ['wal', command, '--data-dir', dataDir, '--json'];
      const { code, stdout } = await aerostore(args);
      expect(code).toBe(0);
      expect(typeof JSON.parse(stdout)).toBe('object');
    }
  });

  test('dump shows every record in order, up to the head', async () => {
    const records = await dump(server.dataDir);
    const positions = records.map(({ position }) => Number(position));
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    expect(new Set(positions).size).toBe(positions.length);
    expect(String(positions.at(-1))).toBe(await head(server));
    const types = records.map(({ type }) => type);
    expect(types).toEqual(
      expect.arrayContaining(['store.opened', 'bucket.created', 'object.stored']),
    );
    expect(types.filter((type) => type === 'object.stored')).toHaveLength(4);
  });

  test('dump filters by type, bucket, path, owner and position', async () => {
    const all = await dump(server.dataDir);
    const stored = all.filter(({ type }) => type === 'object.stored');
    expect(await dump(server.dataDir, ['--type', 'object.stored'])).toEqual(stored);
    expect(await dump(server.dataDir, ['--bucket', bucket, '--path', 'b'])).toEqual([stored[1]]);
    expect(await dump(server.dataDir, ['--bucket', 'there-is-none'])).toEqual([]);
    const ofAlice = await dump(server.dataDir, ['--type', 'object.stored', '--owner', 'alice']);
    expect(ofAlice).toEqual(stored.slice(0, 3));
    const [, , third] = all;
    const from = await dump(server.dataDir, ['--from', String(third?.position)]);
    expect(from[0]).toEqual(third);
    expect(await dump(server.dataDir, ['--to', String(third?.position)])).toEqual(all.slice(0, 3));
  });

  test('dump holds no bytes of users’ secrets: neither login secret nor token', async () => {
    const { stdout } = await aerostore(['wal', 'dump', '--data-dir', server.dataDir, '--json']);
    expect(stdout).not.toContain('acceptance-secret');
    expect(stdout).not.toContain(token);
  });

  test('verify finds a single flipped bit, says where, and exits 1', async () => {
    const copy = path.join(temporaryFolder(), 'copy');
    cpSync(stopped, copy, { recursive: true });
    const sound = await aerostore(['wal', 'verify', '--data-dir', copy]);
    expect(sound.code, sound.stderr).toBe(0);
    const segment = readdirSync(path.join(copy, 'wal')).toSorted()[0] ?? '';
    const file = path.join(copy, 'wal', segment);
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(300) ^ 4, 300);
    writeFileSync(file, bytes);
    for (const more of [[], ['--json']]) {
      const broken = await aerostore(['wal', 'verify', '--data-dir', copy, ...more]);
      expect(broken.code).toBe(1);
      expect(broken.stdout + broken.stderr).toContain(segment);
    }
  });
});

describe('views', () => {
  test('digest prints one hex digest, and it is the server’s', async () => {
    const { code, stdout, stderr } = await aerostore([
      'views',
      'digest',
      '--url',
      server.url,
      '--token',
      service,
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toBe(`${await digest(server)}\n`);
  });

  test('offline on a directory that a server holds it says to use --url', async () => {
    for (const command of ['digest', 'rebuild']) {
      const { code, stderr } = await aerostore(['views', command, '--data-dir', server.dataDir]);
      expect(code).not.toBe(0);
      expect(stderr).toContain('--url');
    }
    expect((await ask(server, `/object/${bucket}/a`, { token })).text(), 'unharmed').toBe('a');
  });

  test('rebuild gives the same digest', async () => {
    const copy = path.join(temporaryFolder(), 'copy');
    cpSync(stopped, copy, { recursive: true });
    const before = await aerostore(['views', 'digest', '--data-dir', copy]);
    const rebuilt = await aerostore(['views', 'rebuild', '--data-dir', copy]);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    const after = await aerostore(['views', 'digest', '--data-dir', copy]);
    expect(after.stdout).toBe(before.stdout);
    expect(after.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    const json = await aerostore(['views', 'digest', '--data-dir', copy, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ digest: after.stdout.trim() });
  });

  test('a bad token is refused readably', async () => {
    const args = ['views', 'digest', '--url', server.url, '--token', 'bad'];
    const { code, stderr } = await aerostore(args);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/401|InvalidJWT|token/i);
  });
});

/** Tokens as the server will see them: verified by jose with the secret that the server would use. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { nodeFiles } from '#files';
import { readOrCreateLoginSecret } from '../../src/home/keyring.ts';
import { layoutOf } from '../../src/home/layout.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { runCommand } from './run-command.ts';

const secret = 'correct horse battery staple, and more';
const env = { AEROSTORE_JWT_SECRET: secret };
const key = new TextEncoder().encode(secret);

async function claimsOf(argv: readonly string[], more = {}) {
  const { code, out, err } = await runCommand(['token', ...argv], { env: { ...env, ...more } });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const { payload } = await jwtVerify(out.trim(), key, { algorithms: ['HS256'] });
  return payload;
}

test.each([
  [['--sub', 'alice'], { sub: 'alice', role: 'authenticated' }],
  [['--sub', 'alice', '--role', 'user'], { sub: 'alice', role: 'authenticated' }],
  [['--sub', 'é 写', '--role', 'authenticated'], { sub: 'é 写', role: 'authenticated' }],
  [['--role', 'service'], { role: 'service_role' }],
  [['--role', 'service_role', '--sub', 'ops'], { sub: 'ops', role: 'service_role' }],
  [['--role', 'anon'], { role: 'anon' }],
])('%j claims %j', async (argv, claims) => {
  const { iat, exp, ...rest } = await claimsOf(argv);
  expect(rest).toEqual(claims);
  expect(Number(exp) - Number(iat)).toBe(3600);
  expect(Math.abs(Number(iat) - Date.now() / 1000)).toBeLessThan(30);
});

test.each([
  ['30s', 30],
  ['15m', 900],
  ['7d', 604_800],
])('--expires %s is %i seconds', async (text, seconds) => {
  const { iat, exp } = await claimsOf(['--role', 'anon', '--expires', text]);
  expect(Number(exp) - Number(iat)).toBe(seconds);
});

test('issuer and audience are those of the configuration', async () => {
  const more = { AEROSTORE_JWT_ISSUER: 'https://id.example', AEROSTORE_JWT_AUDIENCE: 'storage' };
  const claims = await claimsOf(['--sub', 'alice'], more);
  expect(claims).toMatchObject({ iss: 'https://id.example', aud: 'storage' });
});

test('--json prints the token and when it expires', async () => {
  const { out } = await runCommand(['token', '--sub', 'alice', '--json'], { env });
  const { token, expires_at, ...rest } = JSON.parse(out);
  const { payload } = await jwtVerify(token, key);
  expect(expires_at).toBe(new Date(Number(payload.exp) * 1000).toISOString());
  expect(rest).toEqual({});
});

test.each([
  [[], /add --sub/],
  [['--role', 'user'], /add --sub/],
  [['--sub', ''], /--sub is not valid/],
  [['--sub', 'a\nb'], /--sub is not valid/],
  [['--sub', 'é'.repeat(128)], /--sub is not valid/],
  [['--sub', '\ud800'], /--sub is not valid/],
  [['--sub', 'a', '--role', 'admin'], /Allowed choices are user, /],
  [['--sub', 'a', '--expires', '1'], /--expires is not valid/],
  [['--sub', 'a', '--expires', '0s'], /--expires is not valid/],
  [['--sub', 'a', '--expires', '4000d'], /--expires is not valid/],
])('%j is used wrongly', async (argv, message) => {
  const { code, out, err } = await runCommand(['token', ...argv], { env });
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(message);
  expect(err).not.toContain(secret);
});

describe("the data directory's own secret", () => {
  test('signs where none is configured', async () => {
    const directory = await temporaryDirectory();
    const layout = layoutOf(directory);
    const random = (size: number) => new Uint8Array(size).fill(7);
    const made = await readOrCreateLoginSecret(nodeFiles, layout, random);
    const { code, out } = await runCommand(['token', '--sub', 'alice', '--data-dir', directory]);
    expect(code).toBe(0);
    const { payload } = await jwtVerify(out.trim(), made.secret);
    expect(payload.sub).toBe('alice');
  });

  test('is not made: a directory without one is told of, and left as it was', async () => {
    const directory = await temporaryDirectory();
    const { code, out, err } = await runCommand(['token', '--sub', 'a', '--data-dir', directory]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('holds no login secret: start the server once');
    expect(await readdir(directory)).toEqual([]);
  });

  test('needs a directory', async () => {
    const missing = join(await temporaryDirectory(), 'missing');
    const { code, err } = await runCommand(['token', '--sub', 'a', '--data-dir', missing]);
    expect(code).toBe(2);
    expect(err).toContain(`There is no data directory at ${missing}`);
  });

  test('is refused where its file is damaged, without showing it', async () => {
    const layout = layoutOf(await temporaryDirectory());
    await mkdir(layout.keys);
    const file = await nodeFiles.open(layout.loginSecretFile, 'create');
    await file.write([Buffer.from('c2hvcnQ\n')], 0);
    await file.close();
    const argv = ['token', '--sub', 'a', '--data-dir', layout.directory];
    const { code, out, err } = await runCommand(argv);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('login-secret has 5 bytes');
    expect(err).not.toMatch(/c2hvcnQ|short|\n {4}at /);
  });
});

test('a server that trusts a JWKS only takes no token of ours', async () => {
  const jwks = { AEROSTORE_JWKS_FILE: './keys.json' };
  const { code, err } = await runCommand(['token', '--sub', 'a'], { env: jwks });
  expect(code).toBe(2);
  expect(err).toContain('trusts the keys of a JWKS only');
});

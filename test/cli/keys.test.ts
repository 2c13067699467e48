/** `keys` on a directory that somebody else may hold: it takes no lock but that of the keys. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { nodeFiles } from '#files';
import { openHome } from '../../src/home/home.ts';
import { openSigningKeys } from '../../src/home/signing-keys.ts';
import { random } from '../../src/world.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { runCommand } from './run-command.ts';

let directory: string;

beforeEach(async () => {
  directory = join(await temporaryDirectory(), 'data');
  const home = await openHome({ files: nodeFiles, directory, reserveBytes: 4096 });
  await home.close();
});

const keys = (...argv: string[]) => runCommand(['keys', ...argv, '--data-dir', directory]);
const listed = async () => JSON.parse((await keys('list', '--json')).out).keys;
const server = async () => {
  const home = await openHome({ files: nodeFiles, directory, reserveBytes: 4096 });
  const { layout } = home;
  return { home, keys: openSigningKeys({ files: nodeFiles, layout, random, now: Date.now }) };
};

test('a directory without keys has none, and listing makes none', async () => {
  expect(await listed()).toEqual([]);
  expect((await keys('list')).out).toContain('no signing keys yet');
});

test('beside a server: rotate, list, retire, and the server sees each', async () => {
  const { home, keys: served } = await server();
  const first = await served.signer();
  const rotated = JSON.parse((await keys('rotate', '--json')).out);
  expect(rotated).toEqual({
    kid: expect.any(String),
    state: 'active',
    created_at: expect.any(String),
  });
  expect((await served.signer()).kid).toBe(rotated.kid);
  expect(await listed()).toMatchObject([
    { kid: first.kid, state: 'verify-only' },
    { kid: rotated.kid, state: 'active' },
  ]);
  expect(await served.verifier(first.kid)).toBeDefined();
  const { code, out } = await keys('retire', first.kid);
  expect({ code, out }).toEqual({
    code: 0,
    out: `Retired: ${first.kid}. What they signed is void.\n`,
  });
  expect(await served.verifier(first.kid)).toBeUndefined();
  expect((await keys('list')).out).toMatch(new RegExp(`${first.kid}\\s.*retired`));
  await home.close();
});

test('no command shows a secret', async () => {
  await keys('rotate');
  const text = await readFile(join(directory, 'keys', 'signing-keys'), 'utf8');
  const secret = /"secret": "([^"]+)"/.exec(text)?.[1] ?? 'none';
  for (const argv of [['list'], ['list', '--json'], ['rotate'], ['rotate', '--json']]) {
    expect((await keys(...argv)).out).not.toContain(secret);
  }
});

describe('used wrongly', () => {
  test('an unknown key retires nothing', async () => {
    const { kid } = JSON.parse((await keys('rotate', '--json')).out);
    const { code, out, err } = await keys('retire', kid, 'nobody');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('There is no key "nobody", and none was retired');
    expect(await listed()).toMatchObject([{ kid, state: 'active' }]);
  });

  test('retire wants a key', async () => {
    expect((await keys('retire')).code).toBe(2);
  });

  test.each([['list'], ['rotate'], ['retire', 'a']])('%j on no data directory', async (...argv) => {
    const missing = join(directory, 'missing');
    const { code, err } = await runCommand(['keys', ...argv, '--data-dir', missing]);
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringContaining('no data directory at'),
    });
  });
});

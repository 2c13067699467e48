/** The keys that sign URLs: made, rotated, retired, reloaded, and never told. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { nodeFiles } from '#files';
import { KeyRefused } from '../../src/home/errors.ts';
import { layoutOf } from '../../src/home/layout.ts';
import { LockFailed } from '../../src/home/lock.ts';
import { openSigningKeys, type SigningKeyOptions } from '../../src/home/signing-keys.ts';
import { random } from '../../src/world.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const createdMs = Date.UTC(2026, 0, 31, 12);

async function place(more: Partial<SigningKeyOptions> = {}) {
  const layout = layoutOf(await temporaryDirectory());
  const options = { files: nodeFiles, layout, random, now: () => createdMs, ...more };
  return { layout, open: () => openSigningKeys(options) };
}

test('the first signing makes a key, which every later one finds', async () => {
  const { open } = await place();
  const keys = open();
  expect(await keys.list()).toEqual([]);
  const made = await keys.signer();
  expect(made.key.symmetricKeySize).toBe(32);
  expect(await keys.list()).toEqual([
    { kid: made.kid, state: 'active', created: '2026-01-31T12:00:00.000Z' },
  ]);
  expect((await open().signer()).key.export()).toEqual(made.key.export());
});

test('signings at once make one key', async () => {
  const { open } = await place();
  const [one, other] = [open(), open()];
  const made = await Promise.all([one.signer(), one.signer(), other.signer(), other.signer()]);
  expect(new Set(made.map(({ kid }) => kid)).size).toBe(1);
});

test('the file is for its owner only: 0600, in a folder of 0700', async () => {
  const { layout, open } = await place();
  await open().signer();
  expect((await stat(layout.signingKeysFile)).mode & 0o777).toBe(0o600);
  expect((await stat(layout.keys)).mode & 0o777).toBe(0o700);
});

describe('what another process changes is seen at the next use', () => {
  test('a rotated key verifies and signs no more; a retired one does neither', async () => {
    const { layout, open } = await place();
    const [server, command] = [open(), open()];
    const first = await server.signer();
    const second = await command.rotate();
    expect((await server.signer()).kid).toBe(second.kid);
    expect(await server.verifier(first.kid)).toBeDefined();
    expect((await command.list()).map(({ state }) => state)).toEqual(['verify-only', 'active']);

    expect(await command.retire(first.kid)).toMatchObject({ kid: first.kid, state: 'retired' });
    expect(await server.verifier(first.kid)).toBeUndefined();
    expect(await server.verifier(second.kid)).toBeDefined();
    const secret = first.key.export().toString('base64url');
    expect(await readFile(layout.signingKeysFile, 'utf8')).not.toContain(secret);
  });

  test('after the signing key was retired, the next signing makes another', async () => {
    const { open } = await place();
    const [server, command] = [open(), open()];
    const first = await server.signer();
    await command.retire(first.kid);
    expect((await server.signer()).kid).not.toBe(first.kid);
    expect(await server.verifier(first.kid)).toBeUndefined();
  });
});

test('a key that is not there is not retired', async () => {
  const { open } = await place();
  expect(await open().retire('nobody')).toBeUndefined();
  expect(await open().verifier('nobody')).toBeUndefined();
});

test('of many retired keys the newest are remembered', async () => {
  const { open } = await place();
  const keys = open();
  for (let round = 0; round < 103; round += 1) await keys.retire((await keys.rotate()).kid);
  expect(await keys.list()).toHaveLength(100);
}, 30_000);

test('whoever finds the lock held waits for it', async () => {
  let held = 2;
  const lock = async () => {
    held -= 1;
    if (held >= 0) throw new LockFailed('held', 'keys/lock');
    return { release: async () => undefined };
  };
  const { open } = await place({ lock });
  expect((await open().rotate()).state).toBe('active');
  expect(held).toBe(-1);
});

const key = { kid: 'a', state: 'active', created: '2026-01-31T12:00:00.000Z' };
const secret = Buffer.alloc(32, 7).toString('base64url');

test.each([
  ['empty', ''],
  ['no JSON', 'secret words'],
  ['no list', '{"keys":{}}'],
  ['a short secret', JSON.stringify({ keys: [{ ...key, secret: 'c2VjcmV0' }] })],
  ['no base64url', JSON.stringify({ keys: [{ ...key, secret: `secret ${secret}` }] })],
  ['another state', JSON.stringify({ keys: [{ ...key, secret, state: 'secret' }] })],
  [
    'two that sign',
    JSON.stringify({ keys: [1, 2].map((kid) => ({ ...key, kid: `${kid}`, secret })) }),
  ],
])('a file with %s is refused, and neither replaced nor told', async (_, text) => {
  const { layout, open } = await place();
  await mkdir(layout.keys);
  await writeFile(layout.signingKeysFile, text);
  for (const act of [() => open().signer(), () => open().rotate(), () => open().list()]) {
    const refusal = await act().catch((cause: unknown) => cause);
    expect(refusal).toBeInstanceOf(KeyRefused);
    expect(inspect(refusal)).toContain(layout.signingKeysFile);
    expect(inspect(refusal)).not.toMatch(new RegExp(`secret words|c2VjcmV0|${secret}`));
  }
  expect(await readFile(layout.signingKeysFile, 'utf8')).toBe(text);
});

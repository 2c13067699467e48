/** API.md "Signed URLs" for downloads: scope, time, tampering, one use, revocation, keys, restarts. */
import { createHmac } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { ask } from '../support/client.ts';
import { expectProblem, outcome } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { claimsIn, follow, revoke, sign } from '../support/signed.ts';
import { head, makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const alice = user('alice');
const bob = user('bob');
const body = 'twenty bytes of text';
// Tampering fails more often than a minute's limit lets it.
const env = { AEROSTORE_LIMIT_AUTH_FAILURES: '1000000' };
let server: Server;
let bucket: string;

beforeAll(async () => {
  server = await startServer({ env });
  bucket = await makeBucket(server, { owner: 'alice' });
  for (const name of ['a.txt', 'other.txt', 'a.txt/b']) {
    await put(server, `${bucket}/${name}`, { token: alice, body });
  }
});
afterAll(() => server.stop());

const signed = (json: unknown = {}, token = alice) =>
  sign(server, `${bucket}/a.txt`, { token, json });

describe('what was signed', () => {
  test('opens without credentials, and with bad ones', async () => {
    const { url, signedURL, token, expires_at } = await signed({ expiresIn: 60 });
    expect(signedURL).toBe(`/object/sign/${bucket}/a.txt?token=${token}`);
    expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(50_000);
    expect((await follow(server, url)).text()).toBe(body);
    expect((await follow(server, url, { token: 'nonsense' })).text()).toBe(body);
    const head = await follow(server, url, { method: 'HEAD' });
    expect([head.status, head.headers['content-length']]).toEqual([200, '20']);
  });

  test('opens nothing else', async () => {
    const { token } = await signed();
    const others = ['other.txt', 'a.txt/b', 'A.txt', 'a.txt%20', 'none', 'a%2Etxt2'];
    for (const other of others) {
      const reply = await ask(server, `/object/sign/${bucket}/${other}?token=${token}`);
      expectProblem(reply, '403 InvalidSignature');
    }
    const upload = await ask(server, `/object/upload/sign/${bucket}/a.txt?token=${token}`, {
      method: 'PUT',
      body,
    });
    expectProblem(upload, '403 InvalidSignature');
    expectProblem(await ask(server, `/object/${bucket}/a.txt?token=${token}`), '401 InvalidJWT');
    const bearer = await ask(server, `/object/${bucket}/a.txt`, { token });
    expectProblem(bearer, '401 InvalidJWT');
  });

  test('expires when the token says, whatever the URL says', async () => {
    const { url, token } = await signed({ expiresIn: 1 });
    expect((await follow(server, url.replace(/expires=\d+/, 'expires=1'))).status).toBe(200);
    const late = url.replace(/expires=\d+/, 'expires=99999999999');
    await until('it has expired', async () => (await follow(server, late)).status === 403);
    expectProblem(await follow(server, late), '403 SignatureExpired');
    const elsewhere = await ask(server, `/object/sign/${bucket}/other.txt?token=${token}`);
    expectProblem(elsewhere, '403 InvalidSignature');
  });

  test('is refused for longer than the maximum, which the refusal names', async () => {
    const asked = { method: 'POST', token: alice };
    const json = { expiresIn: 7 * 86_400 + 1 };
    const at = `/object/sign/${bucket}/a.txt`;
    expectProblem(await ask(server, at, { ...asked, json }), '400 InvalidRequest', /604800/);
    expectProblem(
      await ask(server, `${at}?expires_in=604801`, asked),
      '400 InvalidRequest',
      /604800/,
    );
    expect((await ask(server, `${at}?expires_in=604800`, asked)).status).toBe(200);
  });
});

describe('tampering', () => {
  test('with any character of any kind is seen', async () => {
    const { token } = await signed();
    const kinds = ['A', 'z', '0', '9', '-', '_', '.', '=', '+', '/', ' ', '%', '\u0000', 'é', ''];
    for (let at = 0; at < token.length; at += 7) {
      for (const kind of kinds) {
        if (token.charAt(at) === kind) continue;
        const changed = token.slice(0, at) + kind + token.slice(at + 1);
        const query = new URLSearchParams({ token: changed });
        const reply = await ask(server, `/object/sign/${bucket}/a.txt?${query}`);
        expect(outcome(reply), `${kind} at ${at}`).toBe('403 InvalidSignature');
      }
    }
    // The last character has two bits that mean nothing to a lenient decoder.
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      if (token.endsWith(last)) continue;
      const query = new URLSearchParams({ token: token.slice(0, -1) + last });
      const reply = await ask(server, `/object/sign/${bucket}/a.txt?${query}`);
      expect(outcome(reply), last).toBe('403 InvalidSignature');
    }
  });

  test('with the claims is of no use without the key', async () => {
    const { token } = await signed();
    const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
    const claims = { ...claimsIn(token), exp: 9_999_999_999, exp_ms: 9_999_999_999_000 };
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const withSignature = (head: object, key: string) => {
      const input = `${encode(head)}.${encode(claims)}`;
      return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
    };
    const forgeries = [
      `${encode({ alg: 'none' })}.${encode(claims)}.`,
      `${encode({ ...header, alg: 'none' })}.${encode(claims)}.${'A'.repeat(43)}`,
      withSignature(header, ''),
      withSignature(header, header.kid),
      withSignature({ alg: 'HS256' }, 'acceptance-secret-of-at-least-32-bytes'),
      withSignature({ ...header, kid: '__proto__' }, ''),
      withSignature({ ...header, kid: '../login-secret' }, ''),
      withSignature({ ...header, crit: ['b64'], b64: false }, header.kid),
      alice,
    ];
    for (const forged of forgeries) {
      const reply = await ask(server, `/object/sign/${bucket}/a.txt?token=${forged}`);
      expectProblem(reply, '403 InvalidSignature');
      expect(reply.text()).not.toContain(forged);
    }
  });
});

test('of a hundred uses at once of a URL for one use, one succeeds', async () => {
  const { url } = await signed({ single_use: true });
  const before = await follow(server, url, { method: 'HEAD' });
  const unchanged = { headers: { 'if-none-match': String(before.headers.etag) } };
  expect([before.status, (await follow(server, url, unchanged)).status]).toEqual([200, 304]);
  const replies = await Promise.all(Array.from({ length: 100 }, () => follow(server, url)));
  const outcomes = replies.map(outcome);
  expect(outcomes.filter((one) => one === '200')).toHaveLength(1);
  expect(outcomes.filter((one) => one === '403 InvalidSignature')).toHaveLength(99);
});

test('a pinned version is shown until it is overwritten', async () => {
  const first = await put(server, `${bucket}/pinned`, { token: alice, body: 'one' });
  const { version } = first.json();
  const { url } = await sign(server, `${bucket}/pinned`, { token: alice, json: { version } });
  expect((await follow(server, url)).text()).toBe('one');
  await put(server, `${bucket}/pinned`, { token: alice, body: 'two' });
  expectProblem(await follow(server, url), '403 InvalidSignature');
});

test('a URL goes with its issuer: what they may not read any more, it does not show', async () => {
  const open = await makeBucket(server, { owner: 'alice', settings: { policy: 'authenticated' } });
  await put(server, `${open}/a`, { token: alice, body });
  const { url } = await sign(server, `${open}/a`, { token: bob });
  const policy = (name: string) =>
    ask(server, `/bucket/${open}`, { method: 'PUT', token: alice, json: { policy: name } });
  expect((await follow(server, url)).status).toBe(200);
  await policy('private');
  expectProblem(await follow(server, url), '403 InvalidSignature');
  await policy('authenticated');
  expect((await follow(server, url)).status).toBe(200);
  await ask(server, `/bucket/${open}?force=true`, { method: 'DELETE', token: alice });
  const json = { name: open, policy: 'authenticated' };
  await ask(server, '/bucket', { method: 'POST', token: alice, json });
  await put(server, `${open}/a`, { token: alice, body });
  expectProblem(await follow(server, url), '403 InvalidSignature');
});

test('revocations by token, path, bucket and time; by owners only; each a record or none', async () => {
  const [one, two] = [await signed(), await signed()];
  expectProblem(await revoke(server, bob, { token: one.token }), '404 NoSuchBucket');
  expect((await revoke(server, alice, { token: one.token })).status).toBe(200);
  const position = await head(server);
  expect((await revoke(server, alice, { token: one.token })).status).toBe(200);
  expect(await head(server)).toBe(position);
  expectProblem(await follow(server, one.url), '403 InvalidSignature');
  expect((await follow(server, two.url)).status).toBe(200);

  const issued_before = Number(claimsIn(two.token).iat_ms);
  const three = await signed();
  await until('the clock moves on', () => Date.now() > issued_before);
  expect(Number(claimsIn(three.token).iat_ms)).toBeGreaterThanOrEqual(issued_before);
  expect((await revoke(server, service, { bucket, path: 'a.txt', issued_before })).status).toBe(
    200,
  );
  expectProblem(await follow(server, two.url), '403 InvalidSignature');

  const four = await signed();
  expect((await revoke(server, alice, { bucket })).status).toBe(200);
  expectProblem(await follow(server, four.url), '403 InvalidSignature');
  expect((await follow(server, (await signed()).url)).status).toBe(200);
});

describe('with a server of its own', () => {
  test('used and revoked stay so after a kill and after a stop; the rest stays valid', async () => {
    let own = await startServer({ env });
    const { dataDir } = own;
    const name = await makeBucket(own, { owner: 'alice' });
    await put(own, `${name}/a`, { token: alice, body });
    const get = (token: string) => ask(own, `/object/sign/${name}/a?token=${token}`);
    const issue = async (json = {}) => (await sign(own, `${name}/a`, { token: alice, json })).token;
    const [once, revoked, valid] = [
      await issue({ single_use: true }),
      await issue(),
      await issue(),
    ];
    expect((await get(once)).status).toBe(200);
    expect((await revoke(own, alice, { token: revoked })).status).toBe(200);
    for (const end of ['kill', 'stop'] as const) {
      await own[end]();
      own = await startServer({ dataDir, env });
      expectProblem(await get(once), '403 InvalidSignature');
      expectProblem(await get(revoked), '403 InvalidSignature');
      expect((await get(valid)).text()).toBe(body);
    }
    await own.stop();
  });

  test('rotated keys verify, retired ones do not, and the running server knows at once', async () => {
    const own = await startServer({ env });
    const keys = async (...words: string[]) => {
      const { code, stdout } = await aerostore([
        'keys',
        ...words,
        '--json',
        '--data-dir',
        own.dataDir,
      ]);
      expect(code, stdout).toBe(0);
      return JSON.parse(stdout);
    };
    const name = await makeBucket(own, { owner: 'alice' });
    await put(own, `${name}/a`, { token: alice, body });
    const issue = async () => (await sign(own, `${name}/a`, { token: alice })).token;
    const get = (token: string) => ask(own, `/object/sign/${name}/a?token=${token}`);
    expect(await keys('list')).toEqual({ keys: [] });
    const old = await issue();
    const [first] = (await keys('list')).keys;
    expect(first).toMatchObject({ state: 'active' });
    await keys('rotate');
    const fresh = await issue();
    expect([(await get(old)).status, (await get(fresh)).status]).toEqual([200, 200]);
    await keys('retire', first.kid);
    expectProblem(await get(old), '403 InvalidSignature');
    expect((await get(fresh)).status).toBe(200);

    const file = path.join(own.dataDir, 'keys', 'signing-keys');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const secrets = [...readFileSync(file, 'utf8').matchAll(/"secret": "([^"]+)"/g)];
    expect(secrets).toHaveLength(1);
    await own.stop();
    for (const [, secret = ''] of secrets) expect(own.output()).not.toContain(secret);
    expect(own.output()).not.toContain(fresh.split('.')[2]);
  });

  test('rates: forged tokens and bad logins together, signing, uses of one URL', async () => {
    const own = await startServer();
    const name = await makeBucket(own, { owner: 'alice' });
    await put(own, `${name}/a`, { token: alice, body });
    const { token } = await sign(own, `${name}/a`, { token: alice });
    const statuses = async (count: number, act: () => Promise<{ status: number }>) => {
      const replies = await Promise.all(Array.from({ length: count }, act));
      return replies.map(({ status }) => status);
    };
    const forged = () => ask(own, `/object/sign/${name}/a?token=${token.slice(0, -3)}`);
    const bad = () => ask(own, `/object/${name}/a`, { token: `${alice}x` });
    const failed = [...(await statuses(60, forged)), ...(await statuses(60, bad))];
    expect(failed.filter((status) => status === 429)).toHaveLength(20);
    const limited = await bad();
    expectProblem(limited, '429 TooManyRequests');
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect(limited.headers['ratelimit-limit']).toBe('100');
    expect((await ask(own, `/object/${name}/a`, { token: alice })).status).toBe(200);

    const use = () => ask(own, `/object/sign/${name}/a?token=${token}`);
    expect((await statuses(610, use)).filter((status) => status === 429)).toHaveLength(10);

    const paths = Array.from({ length: 1000 }, () => 'a');
    const many = (as: string, json: unknown = { paths }) =>
      ask(own, `/object/sign/${name}`, { method: 'POST', token: as, json });
    expectProblem(await many(alice), '429 TooManyRequests');
    const few = await many(alice, { paths: paths.slice(1) });
    expect([few.status, few.headers['ratelimit-remaining']]).toEqual([200, '0']);
    expect((await many(service)).status).toBe(200);
    expect((await many(service)).status).toBe(200);
    await own.stop();
  });
});

/** Who a token makes the caller, and every way in which it is none. */
import { createHmac } from 'node:crypto';
import { createRemoteJWKSet, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createAuthenticator } from '../../src/http/authenticate.ts';
import { recorder } from './support/door.ts';

const secret = Buffer.from('0123456789abcdef0123456789abcdef');
const { observe } = recorder();
const nowS = 1_800_000_000;
const now = () => nowS * 1000;

function sign(claims: Record<string, unknown>, header: Record<string, unknown> = {}, key = secret) {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);
}
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('who a token makes the caller', () => {
  const authenticate = createAuthenticator({ observe, secret, now });
  const callerOf = async (claims: Record<string, unknown>) =>
    authenticate(`Bearer ${await sign(claims)}`);

  test('without a header the caller is anonymous', async () => {
    expect(await authenticate(undefined)).toEqual({ ok: true, value: { kind: 'anonymous' } });
  });
  test.each([
    ['a user', { sub: 'ann' }, { kind: 'user', id: 'ann' }],
    ['a user of any other role', { sub: 'ann', role: 'x' }, { kind: 'user', id: 'ann' }],
    ['anon', { role: 'anon', sub: 'ann' }, { kind: 'anonymous' }],
    ['service', { role: 'service_role' }, { kind: 'service', id: null }],
    ['service with sub', { role: 'service_role', sub: 'job' }, { kind: 'service', id: 'job' }],
    ['255 bytes of sub', { sub: 'é'.repeat(127) }, { kind: 'user', id: 'é'.repeat(127) }],
  ])('%s', async (_name, claims, caller) => {
    expect(await callerOf(claims)).toEqual({ ok: true, value: caller });
  });
});

describe('a bad token is refused as InvalidJWT', () => {
  const authenticate = createAuthenticator({
    observe,
    secret,
    now,
    issuer: 'iss',
    audience: 'aud',
  });
  const good = { sub: 'ann', iss: 'iss', aud: 'aud' };
  const none = `${part({ alg: 'none' })}.${part(good)}.`;
  const cases: [string, string | Promise<string>][] = [
    ['expired', sign({ ...good, exp: nowS })],
    ['not yet valid', sign({ ...good, nbf: nowS + 1 })],
    ['wrong secret', sign(good, {}, Buffer.alloc(32, 1))],
    ['alg none', none],
    [
      'another HMAC',
      new SignJWT(good).setProtectedHeader({ alg: 'HS512' }).sign(Buffer.alloc(64, 1)),
    ],
    ['wrong issuer', sign({ ...good, iss: 'other' })],
    ['wrong audience', sign({ ...good, aud: 'other' })],
    ['no sub', sign({ iss: 'iss', aud: 'aud' })],
    ['empty sub', sign({ ...good, sub: '' })],
    ['sub over 255 bytes', sign({ ...good, sub: 'é'.repeat(128) })],
    ['sub with a control character', sign({ ...good, sub: 'a\u0085b' })],
    ['sub that is no text', sign({ ...good, sub: 7 as unknown as string })],
    ['tampered', sign(good).then((text) => `${text.slice(0, -6)}AAAAAA`)],
    ['three dots of nothing', '..'],
    ['no token', 'abc'],
  ];
  test('the good one passes', async () => {
    expect(await authenticate(`Bearer ${await sign(good)}`)).toMatchObject({ ok: true });
  });
  test.each(cases)('%s', async (_name, text) => {
    const result = await authenticate(`Bearer ${await text}`);
    expect(result).toMatchObject({ ok: false, rejection: { code: 'InvalidJWT' } });
  });
  test.each(['', 'Bearer', 'Bearer ', 'Basic YTpi', 'token', 'Bearer a b', 'Bearer\ta'])(
    'the header %j',
    async (header) => {
      const result = await authenticate(header);
      expect(result).toMatchObject({ ok: false, rejection: { code: 'InvalidJWT' } });
    },
  );
});

describe('a key set', () => {
  test('verifies by kid, and neither an unknown kid nor the public key as an HMAC secret', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
    const authenticate = createAuthenticator({ observe, jwks: { keys: [jwk] }, now });
    const rsa = (kid: string) =>
      new SignJWT({ sub: 'ann' }).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
    expect(await authenticate(`Bearer ${await rsa('one')}`)).toMatchObject({ ok: true });
    expect(await authenticate(`Bearer ${await rsa('two')}`)).toMatchObject({ ok: false });

    const body = `${part({ alg: 'HS256', kid: 'one' })}.${part({ sub: 'ann' })}`;
    const mac = createHmac('sha256', await exportSPKI(publicKey))
      .update(body)
      .digest('base64url');
    expect(await authenticate(`Bearer ${body}.${mac}`)).toMatchObject({ ok: false });
    // And with a secret beside it, HS256 still means the secret alone.
    const both = createAuthenticator({ observe, secret, jwks: { keys: [jwk] }, now });
    expect(await both(`Bearer ${body}.${mac}`)).toMatchObject({ ok: false });
    expect(await both(`Bearer ${await rsa('one')}`)).toMatchObject({ ok: true });
  });

  test.each(['ES256', 'EdDSA'])('%s is accepted', async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k' };
    const authenticate = createAuthenticator({ observe, jwks: { keys: [jwk] }, now });
    const text = await new SignJWT({ sub: 'a' })
      .setProtectedHeader({ alg, kid: 'k' })
      .sign(privateKey);
    expect(await authenticate(`Bearer ${text}`)).toMatchObject({ ok: true });
  });

  test('symmetric keys are chosen by kid', async () => {
    const other = Buffer.alloc(32, 7);
    const jwks = { keys: [{ kty: 'oct', kid: 'b', k: other.toString('base64url') }] };
    const authenticate = createAuthenticator({ observe, secret, jwks, now });
    expect(
      await authenticate(`Bearer ${await sign({ sub: 'a' }, { kid: 'b' }, other)}`),
    ).toMatchObject({ ok: true });
    expect(await authenticate(`Bearer ${await sign({ sub: 'a' }, { kid: 'b' })}`)).toMatchObject({
      ok: false,
    });
    expect(await authenticate(`Bearer ${await sign({ sub: 'a' })}`)).toMatchObject({ ok: true });
  });

  test('that can not be fetched says nothing about the token', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const jwks = createRemoteJWKSet(new URL('http://127.0.0.1:9/jwks'));
    const text = await new SignJWT({ sub: 'a' })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(privateKey);
    expect(await createAuthenticator({ observe, jwks, now })(`Bearer ${text}`)).toMatchObject({
      ok: false,
      rejection: { code: 'NotReady' },
    });
  });
});

describe('keys that fail', () => {
  const es256 = async (claims = { sub: 'a' }) => {
    const { privateKey } = await generateKeyPair('ES256');
    return new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
  };

  test('to be fetched are told once, with the cause, until they are there again', async () => {
    const { observe, lines } = recorder();
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    let isOut = true;
    const jwks = async () => {
      if (isOut) throw new Error('connect ECONNREFUSED');
      return publicKey;
    };
    const authenticate = createAuthenticator({ jwks, now, observe });
    const sub = (sub: string) =>
      new SignJWT({ sub }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    const codeOf = async (who: string) => {
      const found = await authenticate(`Bearer ${await sub(who)}`);
      return found.ok ? 'ok' : found.rejection.code;
    };
    expect([await codeOf('a'), await codeOf('b')]).toEqual(['NotReady', 'NotReady']);
    expect(lines.map(({ level }) => level)).toEqual(['warn']);
    expect(lines[0]?.facts.fault).toContain('ECONNREFUSED');
    isOut = false;
    expect([await codeOf('a'), await codeOf('b')]).toEqual(['ok', 'ok']);
    isOut = true;
    expect(await codeOf('c')).toBe('NotReady');
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'info', 'warn']);
  });

  test('to be of use are a fault, and no statement about the token', async () => {
    const jwks = { keys: [{ kty: 'EC', crv: 'P-256', x: 'broken', y: 'broken' }] };
    const authenticate = createAuthenticator({ jwks, now, observe });
    await expect(authenticate(`Bearer ${await es256()}`)).rejects.toThrow();
  });
});

test('a remembered token is refused from the second in which it expires', async () => {
  let nowMs = nowS * 1000;
  const authenticate = createAuthenticator({ observe, secret, now: () => nowMs });
  const header = `Bearer ${await sign({ sub: 'ann', exp: nowS + 10 })}`;
  expect(await authenticate(header)).toMatchObject({ ok: true });
  nowMs += 9_999;
  expect(await authenticate(header)).toMatchObject({ ok: true });
  nowMs += 1;
  expect(await authenticate(header)).toMatchObject({ ok: false });
});

test('a secret under 32 bytes is refused at once', () => {
  expect(() => createAuthenticator({ observe, secret: Buffer.alloc(31), now })).toThrow('32 bytes');
});

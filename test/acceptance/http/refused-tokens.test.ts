/** API.md "Callers": every way in which a login token can be wrong, on private and public objects alike. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, type Reply } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer, temporaryFolder } from '../support/server.ts';
import { leavesNothing, makeBucket, put } from '../support/store.ts';
import {
  asymmetric,
  hs256,
  nowSeconds,
  secret,
  service,
  signingInput,
  user,
} from '../support/tokens.ts';
import { until } from '../support/until.ts';

const good = { sub: 'alice', role: 'authenticated' };

function expectInvalid(reply: Reply): void {
  expectProblem(reply, '401 InvalidJWT');
  expect(reply.headers['www-authenticate']).toMatch(/^Bearer\b.*error="invalid_token"/);
}

describe('with a secret', () => {
  let server: Server;
  let open: string;
  beforeAll(async () => {
    server = await startServer({ env: { AEROSTORE_LIMIT_AUTH_FAILURES: '1000000' } });
    open = await makeBucket(server, { settings: { policy: 'public' } });
    await put(server, `${open}/seen`, { token: user('alice'), body: 'seen' });
  });
  afterAll(() => server?.kill());

  const parts = hs256(good).split('.');
  const [head = '', claims = '', signature = ''] = parts;
  const stolen = Buffer.from(JSON.stringify({ ...good, sub: 'root' })).toString('base64url');
  const bad: [string, string][] = [
    ['malformed: a word', 'token'],
    ['malformed: two parts', `${head}.${claims}`],
    ['malformed: four parts', `${hs256(good)}.x`],
    ['malformed: dots', '..'],
    ['malformed: no JSON', `${Buffer.from('x').toString('base64url')}.${claims}.${signature}`],
    ['malformed: claims are a text', signingText('"alice"')],
    ['expired', hs256({ ...good, exp: nowSeconds() - 120 })],
    ['expired long ago', hs256({ ...good, exp: 1 })],
    ['an expiry that is a text', hs256({ ...good, exp: 'never' })],
    ['not yet valid', hs256({ ...good, nbf: nowSeconds() + 600 })],
    ['wrong secret', hs256(good, { key: 'another-secret-of-at-least-32-bytes!!' })],
    ['an empty secret', hs256(good, { key: '' })],
    ['alg none', `${signingInput({ alg: 'none' }, good)}.`],
    ['alg nOnE', `${signingInput({ alg: 'nOnE' }, good)}.`],
    ['alg none with a signature', `${signingInput({ alg: 'none' }, good)}.${signature}`],
    ['no alg', hs256(good, { header: { alg: undefined } })],
    ['alg HS512 by name', hs256(good, { header: { alg: 'HS512' } })],
    ['alg RS256 by name', hs256(good, { header: { alg: 'RS256' } })],
    ['an unknown critical extension', hs256(good, { header: { crit: ['x'], x: 1 } })],
    ['no signature', `${head}.${claims}.`],
    ['a changed signature', `${head}.${claims}.${flip(signature)}`],
    ['changed claims', `${head}.${stolen}.${signature}`],
    ['without sub', hs256({ role: 'authenticated' })],
    ['an empty sub', hs256({ ...good, sub: '' })],
    ['a sub that is a number', hs256({ ...good, sub: 7 })],
    ['a sub of 256 bytes', hs256({ ...good, sub: 'ü'.repeat(128) })],
    ['a control character in sub', hs256({ ...good, sub: 'a\u0000b' })],
    ['a line feed in sub', hs256({ ...good, sub: 'a\nb' })],
  ];

  test.each(bad)('%s', async (_, token) => {
    await leavesNothing(server, async () => {
      expectInvalid(await ask(server, '/bucket', { token }));
      expectInvalid(await ask(server, `/object/${open}/seen`, { token }));
      expectInvalid(await ask(server, `/object/public/${open}/seen`, { token }));
      expectInvalid(await ask(server, `/object/there-is-none/x`, { token }));
      for (const method of ['POST', 'PUT', 'DELETE']) {
        expectInvalid(await ask(server, `/object/${open}/new`, { method, token }));
      }
      expectInvalid(
        await ask(server, '/bucket', { method: 'POST', token, json: { name: 'evil' } }),
      );
      expectInvalid(await ask(server, '/admin/status', { token }));
    });
  });

  test('a long token is too large a header or invalid, nothing else', async () => {
    const reply = await ask(server, '/bucket', { token: hs256({ ...good, x: 'y'.repeat(9000) }) });
    expect([200, 401, 431]).toContain(reply.status);
  });

  test.each(['Basic YWxpY2U6eA==', 'Bearer', 'Bearer ', 'bearer', hs256(good)])(
    'an Authorization that is no bearer token: %.12s',
    async (authorization) => {
      const reply = await ask(server, '/bucket', { headers: { authorization } });
      expect(reply.status, reply.text()).toBe(401);
    },
  );

  test('missing: 401 on every write, list and bucket route, whatever exists', async () => {
    const routes: [string, string][] = [
      ['GET', '/bucket'],
      ['POST', '/bucket'],
      ['GET', `/bucket/${open}`],
      ['PUT', `/bucket/${open}`],
      ['POST', `/bucket/${open}/empty`],
      ['DELETE', `/bucket/${open}`],
      ['DELETE', '/bucket/none'],
      ['POST', `/object/${open}/x`],
      ['PUT', `/object/${open}/seen`],
      ['DELETE', `/object/${open}/seen`],
      ['PUT', '/object/none/x'],
      ['GET', `/object/list/${open}`],
      ['GET', '/object/list/none'],
      ['GET', '/admin/status'],
    ];
    for (const [method, at] of routes) {
      const reply = await leavesNothing(server, () => ask(server, at, { method }));
      expectProblem(reply, '401 MissingAuthorization');
    }
    expect((await ask(server, `/object/${open}/seen`)).text()).toBe('seen');
  });

  test('the scheme has no case, and the apikey header counts for nothing', async () => {
    const lower = await ask(server, '/bucket', {
      headers: { authorization: `bearer ${hs256(good)}` },
    });
    expect(lower.status).toBe(200);
    const apikey = await ask(server, '/bucket', { headers: { apikey: service } });
    expectProblem(apikey, '401 MissingAuthorization');
    const beside = await ask(server, '/bucket', {
      token: hs256(good),
      headers: { apikey: 'garbage' },
    });
    expect(beside.status).toBe(200);
  });

  test('a login token in the URL is no credential', async () => {
    for (const query of [`token=${hs256(good)}`, `access_token=${service}`, `jwt=${service}`]) {
      const reply = await ask(server, `/bucket?${query}`);
      expect(reply.status, reply.text()).toBe(401);
    }
    expect(server.output()).not.toContain(hs256(good).split('.')[2]);
  });

  test('the longest sub is a user like any other', async () => {
    const sub = 'ü'.repeat(127);
    const reply = await ask(server, '/bucket', {
      method: 'POST',
      token: hs256({ sub }),
      json: { name: 'of-the-longest' },
    });
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.json().owner_id).toBe(sub);
  });

  test('a role that is not known is a user’s, and a user is never service by another claim', async () => {
    const token = hs256({ sub: 'alice', role: 'admin', app_metadata: { role: 'service_role' } });
    expect((await ask(server, '/bucket', { token })).status).toBe(200);
    expectProblem(await ask(server, '/admin/status', { token }), '403 AccessDenied');
    for (const role of [
      'SERVICE_ROLE',
      'service_role ',
      ['service_role'],
      { service_role: true },
    ]) {
      const odd = await ask(server, '/admin/status', { token: hs256({ sub: 'alice', role }) });
      expect([401, 403]).toContain(odd.status);
    }
  });

  test('a token that was valid when it was first seen expires all the same', async () => {
    const token = hs256({ ...good, exp: nowSeconds() + 2 });
    expect((await ask(server, '/bucket', { token })).status).toBe(200);

    const late = await until('it expires', async () => {
      const reply = await ask(server, '/bucket', { token });
      return reply.status === 401 && reply;
    });
    expectInvalid(late);
  });
});

test('issuer and audience are checked where they are set', async () => {
  const env = { AEROSTORE_JWT_ISSUER: 'https://issuer', AEROSTORE_JWT_AUDIENCE: 'aerostore' };
  const server = await startServer({ env });
  try {
    const claims = { ...good, iss: 'https://issuer', aud: 'aerostore' };
    expect((await ask(server, '/bucket', { token: hs256(claims) })).status).toBe(200);
    const list = hs256({ ...claims, aud: ['x', 'aerostore'] });
    expect((await ask(server, '/bucket', { token: list })).status).toBe(200);
    for (const wrong of [
      { iss: 'https://evil' },
      { iss: undefined },
      { aud: 'x' },
      { aud: undefined },
    ]) {
      expectInvalid(await ask(server, '/bucket', { token: hs256({ ...claims, ...wrong }) }));
    }
  } finally {
    await server.kill();
  }
});

describe('with a JWKS file', () => {
  let server: Server;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed = generateKeyPairSync('ed25519');
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = (key: KeyObject, kid: string, alg: string) => ({
    ...key.export({ format: 'jwk' }),
    kid,
    alg,
    use: 'sig',
  });
  const jwks = {
    keys: [
      jwk(rsa.publicKey, 'rsa-1', 'RS256'),
      jwk(ec.publicKey, 'ec-1', 'ES256'),
      jwk(ed.publicKey, 'ed-1', 'EdDSA'),
    ],
  };
  const file = path.join(temporaryFolder(), 'jwks.json');
  writeFileSync(file, JSON.stringify(jwks));

  beforeAll(async () => {
    server = await startServer({
      env: {
        AEROSTORE_JWT_SECRET: '',
        AEROSTORE_JWKS_FILE: file,
        AEROSTORE_LIMIT_AUTH_FAILURES: '1000000',
      },
    });
  });
  afterAll(() => server?.kill());

  test.each([
    ['RS256', 'rsa-1', rsa.privateKey],
    ['ES256', 'ec-1', ec.privateKey],
    ['EdDSA', 'ed-1', ed.privateKey],
  ])('%s is a login', async (alg, kid, key) => {
    const token = asymmetric(good, { alg, kid }, key);
    const reply = await ask(server, '/bucket', { token });
    expect(reply.status, reply.text()).toBe(200);
  });

  const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const confused: [string, string][] = [
    ['HS256 signed with the RSA public key in PEM', forged(pem)],
    ['HS256 with the PEM and no line at its end', forged(pem.trimEnd())],
    [
      'HS256 with the key in PKCS #1',
      forged(rsa.publicKey.export({ format: 'pem', type: 'pkcs1' })),
    ],
    ['HS256 with the key in DER', forged(rsa.publicKey.export({ format: 'der', type: 'spki' }))],
    ['HS256 with the JWK', forged(JSON.stringify(jwks.keys[0]))],
    ['HS256 with the modulus', forged(Buffer.from(String(jwks.keys[0]?.n), 'base64url'))],
    ['HS256 with the secret of another server', hs256(good, { key: secret })],
    ['unknown kid', asymmetric(good, { alg: 'RS256', kid: 'rsa-2' }, rsa.privateKey)],
    [
      'a stranger’s key under a known kid',
      asymmetric(good, { alg: 'RS256', kid: 'rsa-1' }, stranger.privateKey),
    ],
    ['another key’s kid', asymmetric(good, { alg: 'RS256', kid: 'ec-1' }, rsa.privateKey)],
    [
      'a key brought along',
      asymmetric(
        good,
        { alg: 'RS256', kid: 'rsa-1', jwk: stranger.publicKey.export({ format: 'jwk' }) },
        stranger.privateKey,
      ),
    ],
    [
      'a path as kid',
      asymmetric(good, { alg: 'RS256', kid: '../../dev/null' }, stranger.privateKey),
    ],
    ['alg none', `${signingInput({ alg: 'none', kid: 'rsa-1' }, good)}.`],
    [
      'expired',
      asymmetric(
        { ...good, exp: nowSeconds() - 120 },
        { alg: 'RS256', kid: 'rsa-1' },
        rsa.privateKey,
      ),
    ],
    ['without sub', asymmetric({ role: 'x' }, { alg: 'RS256', kid: 'rsa-1' }, rsa.privateKey)],
  ];
  test.each(confused)('%s is none', async (_, token) => {
    expectInvalid(await leavesNothingWithout(server, token));
  });

  /** There is no HS256 service token here; the service role signs with RSA. */
  async function leavesNothingWithout(target: Server, token: string): Promise<Reply> {
    const serviceToken = asymmetric(
      { role: 'service_role' },
      { alg: 'RS256', kid: 'rsa-1' },
      rsa.privateKey,
    );
    const position = async () => {
      const status = await ask(target, '/admin/status', { token: serviceToken });
      expect(status.status, status.text()).toBe(200);
      return JSON.stringify(status.json().positions);
    };
    const before = await position();
    const reply = await ask(target, '/bucket', { method: 'POST', token, json: { name: 'evil' } });
    expect(await position()).toBe(before);
    return reply;
  }

  function forged(key: string | Buffer): string {
    return hs256(good, { header: { kid: 'rsa-1' }, key });
  }
});

function flip(signature: string): string {
  return (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
}

function signingText(text: string): string {
  const [head = '', , signature = ''] = hs256(good).split('.');
  return `${head}.${Buffer.from(text).toString('base64url')}.${signature}`;
}

/**
 * From an Authorization header to a Caller.
 *
 * Promises: the algorithms follow from the configured keys, never from the token: a secret verifies
 * HS256 and nothing else, a key set verifies RS256, ES256 and EdDSA with the key that the token's kid
 * names. Verified tokens are remembered for at most a minute, so that a key taken out of a remote set
 * soon ceases to work, and their times are checked again at each use. The memory belongs to one
 * authenticator and so to one set of keys: a rotated secret comes with a new one.
 */
import { inspect } from 'node:util';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { anonymous, type Caller, isSubject, maxSubjectBytes } from '../domain/caller.ts';
import type { Observe } from '../domain/effects.ts';
import { type Rejection, rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import { minSecretBytes } from './key-set.ts';

export interface AuthenticatorOptions {
  /** HS256; at least 32 bytes. */
  readonly secret?: Uint8Array;
  /** A local set, or jose's resolver of a remote one. Its `oct` keys verify HS256 by their kid. */
  readonly jwks?: JSONWebKeySet | JWTVerifyGetKey;
  readonly issuer?: string;
  readonly audience?: string;
  /** Unix ms. */
  readonly now: () => number;
  readonly observe: Pick<Observe, 'warn' | 'info'>;
}

export type Authenticate = (authorization: string | undefined) => Promise<Result<Caller>>;

const asymmetric = ['RS256', 'ES256', 'EdDSA'];
const remembered = { max: 10_000, maxSize: 8 * 1024 * 1024, ttl: 60_000 };

interface Verified {
  readonly caller: Caller;
  readonly payload: JWTPayload;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const verify = createVerifier(options);
  const verified = new LRUCache<string, Verified>({
    ...remembered,
    sizeCalculation: (_value, token) => token.length,
  });
  return async (authorization) => {
    if (authorization === undefined) return ok(anonymous);
    const token = bearerToken(authorization);
    if (token === undefined) return refuse(malformedHeader);
    const known = verified.get(token);
    if (known && isCurrent(known.payload, options.now())) return ok(known.caller);
    verified.delete(token);
    const payload = await verify(token);
    if (!payload.ok) return payload;
    const caller = callerOf(payload.value);
    if (caller.ok) verified.set(token, { caller: caller.value, payload: payload.value });
    return caller;
  };
}

/** When the token of a header that was found valid ends, Unix ms; undefined where it does not. */
export function expiryOf(authorization: string | undefined): number | undefined {
  const token = authorization === undefined ? undefined : bearerToken(authorization);
  const exp = token === undefined ? undefined : decodeJwt(token).exp;
  return exp === undefined ? undefined : exp * 1000;
}

/** RFC 6750 §2.1. */
function bearerToken(authorization: string): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(authorization)?.[1];
}

/** RFC 7519 §4.1.4: on or after `exp` it is not accepted. */
function isCurrent({ exp, nbf }: JWTPayload, nowMs: number): boolean {
  const now = Math.floor(nowMs / 1000);
  return (exp === undefined || now < exp) && (nbf === undefined || now >= nbf);
}

type Verifier = (token: string) => Promise<Result<JWTPayload>>;

function createVerifier(options: AuthenticatorOptions): Verifier {
  const { jwks } = options;
  const secrets = collectSecrets(options);
  const publicKeys = jwks === undefined ? undefined : resolverOf(jwks, options.observe);
  return async (token) => {
    const header = headerOf(token);
    if (!header) return refuse(invalid('The token is not valid'));
    const { alg, kid } = header;
    try {
      const claims = {
        currentDate: new Date(options.now()),
        ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
        ...(options.audience === undefined ? {} : { audience: options.audience }),
      };
      // The token's alg chooses between families of keys; each family allows its own algorithms only.
      if (alg === 'HS256') {
        const secret = secrets.byKid.get(kid ?? '') ?? secrets.plain;
        if (!secret) return refuse(invalid('The token is not signed with a known key'));
        const { payload } = await jwtVerify(token, secret, { ...claims, algorithms: ['HS256'] });
        return ok(payload);
      }
      if (!publicKeys) return refuse(invalid('The algorithm of the token is not accepted'));
      const { payload } = await jwtVerify(token, publicKeys, { ...claims, algorithms: asymmetric });
      return ok(payload);
    } catch (error) {
      return refuse(refusalOf(error));
    }
  };
}

/** undefined where it has none that can be read: jose throws a TypeError then. */
function headerOf(token: string) {
  try {
    return decodeProtectedHeader(token);
  } catch {
    return undefined;
  }
}

interface Secrets {
  readonly plain: Uint8Array | undefined;
  readonly byKid: ReadonlyMap<string, Uint8Array>;
}

/** jose resolves public keys only; symmetric ones are looked up here. */
function collectSecrets({ secret, jwks }: AuthenticatorOptions): Secrets {
  const byKid = new Map<string, Uint8Array>();
  const keys = jwks !== undefined && 'keys' in jwks ? jwks.keys : [];
  for (const { kty, kid, k } of keys) {
    if (kty === 'oct' && typeof kid === 'string' && typeof k === 'string') {
      byKid.set(kid, Buffer.from(k, 'base64url'));
    }
  }
  for (const bytes of [...byKid.values(), ...(secret ? [secret] : [])]) {
    if (bytes.byteLength < minSecretBytes) {
      throw new Error(`A login secret needs at least ${minSecretBytes} bytes`);
    }
  }
  return { plain: secret, byKid };
}

/** The keys can't be had just now: no statement about the token. */
class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

function resolverOf(
  jwks: JSONWebKeySet | JWTVerifyGetKey,
  observe: AuthenticatorOptions['observe'],
): JWTVerifyGetKey {
  if (typeof jwks !== 'function') {
    return createLocalJWKSet({ keys: jwks.keys.filter(({ kty }) => kty !== 'oct') });
  }
  const outage = outageLog(observe);
  return async (header, token) => {
    try {
      const key = await jwks(header, token);
      outage.ended();
      return key;
    } catch (cause) {
      const isOfToken =
        cause instanceof errors.JWKSNoMatchingKey ||
        cause instanceof errors.JWKSMultipleMatchingKeys;
      if (isOfToken) {
        outage.ended();
        throw cause;
      }
      outage.met(cause);
      throw new KeysUnavailable('The key set could not be fetched', { cause });
    }
  };
}

/** One line when the keys can't be had, whoever asks meanwhile, and one when they are there again. */
function outageLog(observe: AuthenticatorOptions['observe']) {
  let isOut = false;
  return {
    met(cause: unknown) {
      if (!isOut) observe.warn('the key set can not be fetched', { fault: inspect(cause) });
      isOut = true;
    },
    ended() {
      if (isOut) observe.info('the key set is there again');
      isOut = false;
    },
  };
}

/** Throws what says nothing about the token: a key that can't be used, a fault of ours. */
function refusalOf(error: unknown): Rejection {
  if (error instanceof KeysUnavailable) {
    return rejection('NotReady', 'The keys that verify tokens are not available just now');
  }
  if (error instanceof errors.JWTExpired) return invalid('The token has expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    const isEarly = error.claim === 'nbf' && error.reason === 'check_failed';
    return invalid(
      isEarly ? 'The token is not valid yet' : `The claim "${error.claim}" is not valid`,
    );
  }
  if (error instanceof errors.JOSEError) return invalid('The token is not valid');
  throw error;
}

function callerOf(payload: JWTPayload): Result<Caller> {
  const { sub } = payload;
  const role: unknown = payload.role;
  if (role === 'anon') return ok(anonymous);
  if (sub !== undefined && !(typeof sub === 'string' && isSubject(sub))) {
    return refuse(
      invalid(`"sub" must be 1 to ${maxSubjectBytes} bytes of text without control characters`),
    );
  }
  if (role === 'service_role') return ok({ kind: 'service', id: sub ?? null });
  return sub === undefined
    ? refuse(invalid('The token has no "sub"'))
    : ok({ kind: 'user', id: sub });
}

const malformedHeader = rejection('InvalidJWT', 'The Authorization header is malformed', {
  hint: 'Send "Authorization: Bearer <token>".',
});

function invalid(message: string): Rejection {
  return rejection('InvalidJWT', message);
}

/** Login tokens made with node:crypto alone, good and bad ones alike. */
import { createHmac, type KeyObject, sign } from 'node:crypto';

export const secret = 'acceptance-secret-of-at-least-32-bytes';

export type Claims = Readonly<Record<string, unknown>>;

interface Signing {
  readonly header?: Claims;
  readonly key?: string | Buffer;
}

const aDaySeconds = 24 * 3600;

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** An HS256 token that outlives the longest torture run, unless the claims say otherwise. */
export function hs256(claims: Claims, { header = {}, key = secret }: Signing = {}): string {
  const input = signingInput({ alg: 'HS256', typ: 'JWT', ...header }, claims);
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}

export function asymmetric(claims: Claims, header: Claims & { alg: string }, key: KeyObject) {
  const input = signingInput({ typ: 'JWT', ...header }, claims);
  const data = Buffer.from(input);
  const signature =
    header.alg === 'EdDSA'
      ? sign(null, data, key)
      : sign('sha256', data, header.alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key);
  return `${input}.${signature.toString('base64url')}`;
}

/** Header and claims, encoded, without a signature. */
export function signingInput(header: Claims, claims: Claims): string {
  const body = { iat: nowSeconds(), exp: nowSeconds() + aDaySeconds, ...claims };
  return `${base64url(header)}.${base64url(body)}`;
}

function base64url(value: Claims): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

export function user(sub: string): string {
  return hs256({ sub, role: 'authenticated' });
}

export const service = hs256({ role: 'service_role' });
export const anonymousToken = hs256({ role: 'anon' });

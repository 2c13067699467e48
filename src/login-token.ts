/** Signs login tokens: what `aerostore token` and the first start hand out. docs/api.md, "Callers". */
import { SignJWT } from 'jose';

export interface LoginClaims {
  readonly role: 'authenticated' | 'service_role' | 'anon';
  readonly sub?: string | undefined;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  /** Unix ms. */
  readonly nowMs: number;
  readonly validMs: number;
}

/** HS256 (RFC 7518 §3.2) by `key`, which has at least 32 bytes. */
export async function signLoginToken(
  key: Uint8Array,
  claims: LoginClaims,
): Promise<{ readonly token: string; readonly expiresMs: number }> {
  const { role, sub, issuer, audience } = claims;
  const issuedAt = Math.floor(claims.nowMs / 1000);
  const expiresAt = issuedAt + Math.ceil(claims.validMs / 1000);
  const jwt = new SignJWT({ role })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt);
  if (sub !== undefined) jwt.setSubject(sub);
  if (issuer !== undefined) jwt.setIssuer(issuer);
  if (audience !== undefined) jwt.setAudience(audience);
  return { token: await jwt.sign(key), expiresMs: expiresAt * 1000 };
}

/**
 * Tokens as text: compact JWS (RFC 7515), HMAC-SHA256 by a signing key that the header's kid names.
 * What they claim is the domain's; here it is only whether a key of ours said so.
 */
import { createHmac } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { claimsIn, payloadOf, type TokenClaims } from '../../domain/signed-urls/token.ts';
import { invalid } from '../../domain/signed-urls/use.ts';
import type { SigningKey, SigningKeys } from '../../home/signing-keys.ts';

/** More than any token has: a path and an id at their longest, and JSON's escapes. */
const maxTokenLength = 12 * 1024;

export function signToken(key: SigningKey, claims: TokenClaims): string {
  return signPayload(key, payloadOf(claims));
}

/** At once: jose would have WebCrypto do it on another thread, which takes longer than the hash. */
export function signPayload({ kid, key }: SigningKey, payload: object): string {
  const signed = `${encoded({ alg: 'HS256', typ: 'JWT', kid })}.${encoded(payload)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The claims, or InvalidSignature whatever is wrong: who tampers learns nothing. */
export async function verifyToken(
  keys: Pick<SigningKeys, 'verifier'>,
  token: string,
): Promise<Result<TokenClaims>> {
  const claims = claimsIn(await verifyPayload(keys, token));
  return claims ? ok(claims) : forged;
}

/** What the token says, whatever it is for; undefined where no key of ours signed it. */
export async function verifyPayload(
  keys: Pick<SigningKeys, 'verifier'>,
  token: string,
): Promise<unknown> {
  const kid = kidOf(token);
  const found = kid === undefined ? undefined : await keys.verifier(kid);
  if (!found) return undefined;
  const payload = await compactVerify(token, found.key, { algorithms: ['HS256'] }).then(
    (verified) => verified.payload,
    () => undefined,
  );
  return payload && JSON.parse(Buffer.from(payload).toString('utf8'));
}

const forged = refuse(invalid('no key of this server signed it'));

/** undefined also where the text is not the one spelling of its bytes, which base64url decoders allow. */
function kidOf(token: string): string | undefined {
  if (token.length > maxTokenLength) return undefined;
  const signature = /^[\w-]+\.[\w-]+\.([\w-]{43})$/.exec(token)?.[1];
  if (signature === undefined) return undefined;
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) return undefined;
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}

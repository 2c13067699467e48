/**
 * Tokens as text: compact JWS (RFC 7515), HMAC-SHA256 by a signing key that the header's kid names.
 * What they claim is the domain's; here it is only whether a key of ours said so.
 */
import { CompactSign, compactVerify, decodeProtectedHeader } from 'jose';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { claimsIn, payloadOf, type TokenClaims } from '../../domain/signed-urls/token.ts';
import { invalid } from '../../domain/signed-urls/use.ts';
import type { SigningKey, SigningKeys } from '../../home/signing-keys.ts';

/** More than any token has: a path and an id at their longest, and JSON's escapes. */
const maxTokenLength = 12 * 1024;

export function signToken(key: SigningKey, claims: TokenClaims): Promise<string> {
  return signPayload(key, payloadOf(claims));
}

export function signPayload({ kid, key }: SigningKey, payload: object): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid })
    .sign(key);
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

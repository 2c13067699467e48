/**
 * Uses of signed URLs. Nobody is asked for credentials here: the token is all that counts, an
 * Authorization header is ignored, and `expires` in the URL is information.
 */
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { TokenClaims } from '../../domain/signed-urls/token.ts';
import type { HttpParts } from '../app.ts';
import { keyedCall } from '../idempotency.ts';
import { answerRead, refuseParameters } from '../objects/download.ts';
import { upload } from '../objects/upload.ts';
import type { Request } from '../route.ts';
import type { Answer } from '../wire/answer.ts';
import { objectKeyOf } from '../wire/raw-path.ts';
import { countForged } from './forged.ts';

export async function useDownload(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const { rest, query, exchange } = request;
  const key = objectKeyOf(rest);
  if (!key.ok) return key;
  const unavailable = refuseParameters(query);
  if (unavailable) return refuse(unavailable);
  const claims = await claimsOf(parts, request);
  if (!claims.ok) return claims;
  const presented = { claims: claims.value, key: key.value, requestId: exchange.requestId };
  const readable = await parts.service.signedUrls.read(presented);
  return readable.ok ? answerRead(parts, request, readable.value) : readable;
}

export async function useUpload(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const { rest, exchange } = request;
  const key = objectKeyOf(rest);
  if (!key.ok) return key;
  const claims = await claimsOf(parts, request);
  if (!claims.ok) return claims;
  const { requestId } = exchange;
  const caller = claims.value.issuer;
  const keyed = await keyedCall({ ...request, call: { caller, requestId } }, []);
  if (!keyed.ok) return keyed;
  const { idempotency } = keyed.value;
  const presented = { claims: claims.value, key: key.value, requestId, idempotency };
  const signed = await parts.service.signedUrls.upload(presented);
  if (!signed.ok) return signed;
  const { call, grant } = signed.value;
  const overwrite = grant.claims.upsert ? 'always' : 'never';
  return upload(parts, { ...request, call }, { overwrite, grant });
}

async function claimsOf(parts: HttpParts, request: Request): Promise<Result<TokenClaims>> {
  const { service, limits } = parts;
  const { query } = request;
  const [token, another] = query.getAll('token');
  if (token === undefined) {
    return refuse(rejection('InvalidSignature', 'The parameter "token" is missing'));
  }
  if (another !== undefined) {
    return refuse(rejection('InvalidRequest', 'The parameter "token" is given more than once'));
  }
  const claims = await service.signedUrls.verify(token);
  if (!claims.ok) return countForged(parts, request, claims);
  const used = await limits.signedUse(claims.value.jti);
  return used.ok ? ok(claims.value) : used;
}

/** Signing and revoking: bodies in, tokens and addresses out. */
import { type ObjectPath, parseBucketName, parseObjectPath } from '../../domain/names.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Revoking, Signed } from '../../service/signed-urls/signed-urls.ts';
import type { HttpParts } from '../app.ts';
import { keyedCall } from '../idempotency.ts';
import { allowanceHeaders } from '../limits/rate-limits.ts';
import { readOptional, readRequired } from '../objects/bodies.ts';
import { upsertHeader } from '../objects/upload-headers.ts';
import { positionHeader } from '../representations.ts';
import type { Request } from '../route.ts';
import { ofField, parseBody, parseQuery } from '../schemas.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { bucketNameOf, objectKeyOf } from '../wire/raw-path.ts';
import { absolute, downloadUrl, originOf, signedPath, uploadUrl } from './addresses.ts';
import { countForged } from './forged.ts';
import { revokeBody, signBody, signManyBody, signUploadBody, validityQuery } from './schemas.ts';

export async function signDownload(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const key = objectKeyOf(request.rest);
  if (!key.ok) return key;
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(signBody, json.value);
  if (!body.ok) return body;
  const validMs = validityOf(request, body.value.expiresIn);
  if (!validMs.ok) return validMs;
  const headers = await limited(parts, request, 1);
  if (!headers.ok) return headers;
  const { single_use: once, version = null } = body.value;
  const terms = { validMs: validMs.value, once, version };
  const signed = await parts.service.signedUrls.signDownload(request.call, key.value, terms);
  if (!signed.ok) return signed;
  const answer = {
    url: downloadUrl(originOf(parts.settings, request.exchange), key.value, signed.value),
    expires_at: expiryOf(signed.value),
    signedURL: signedPath(key.value, signed.value),
    token: signed.value.token,
  };
  return ok(jsonAnswer(answer, { headers: headers.value }));
}

export async function signDownloads(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const bucket = bucketNameOf(request.rest);
  if (!bucket.ok) return bucket;
  const json = await readRequired(parts, request);
  if (!json.ok) return json;
  const body = parseBody(signManyBody, json.value);
  if (!body.ok) return body;
  const validMs = validityOf(request, body.value.expiresIn);
  if (!validMs.ok) return validMs;
  const paths: ObjectPath[] = [];
  for (const [index, text] of body.value.paths.entries()) {
    const path = ofField(`paths.${index}`, parseObjectPath(text));
    if (!path.ok) return path;
    paths.push(path.value);
  }
  const headers = await limited(parts, request, paths.length);
  if (!headers.ok) return headers;
  const many = { bucket: bucket.value, paths, validMs: validMs.value };
  const signed = await parts.service.signedUrls.signDownloads(request.call, many);
  if (!signed.ok) return signed;
  const answer = signed.value.map(({ path, signed }) =>
    signed
      ? { path, signedURL: signedPath({ bucket: bucket.value, path }, signed), error: null }
      : { path, signedURL: null, error: unreadable },
  );
  return ok(jsonAnswer(answer, { headers: headers.value }));
}

const unreadable = 'Either the object does not exist or you do not have access to it';

export async function signUpload(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const key = objectKeyOf(request.rest);
  if (!key.ok) return key;
  const upsert = upsertHeader(request.exchange.incoming.headers, false);
  if (!upsert.ok) return upsert;
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(signUploadBody, json.value);
  if (!body.ok) return body;
  const validMs = validityOf(request, body.value.expiresIn);
  if (!validMs.ok) return validMs;
  const headers = await limited(parts, request, 1);
  if (!headers.ok) return headers;
  const { single_use: once, content_type: contentType, max_size: maxBytes } = body.value;
  const terms = { validMs: validMs.value, once, upsert: upsert.value, contentType, maxBytes };
  const signed = await parts.service.signedUrls.signUpload(request.call, key.value, terms);
  if (!signed.ok) return signed;
  const url = uploadUrl(key.value, signed.value);
  const answer = {
    url,
    signed_url: absolute(originOf(parts.settings, request.exchange), url),
    token: signed.value.token,
    expires_at: expiryOf(signed.value),
  };
  return ok(jsonAnswer(answer, { headers: headers.value }));
}

export async function revoke(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const json = await readRequired(parts, request);
  if (!json.ok) return json;
  const body = parseBody(revokeBody, json.value);
  if (!body.ok) return body;
  const revoking = revokingOf(body.value);
  if (!revoking.ok) return revoking;
  const call = await keyedCall(request, [body.value]);
  if (!call.ok) return call;
  const revoked = await parts.service.signedUrls.revoke(call.value, revoking.value);
  if (!revoked.ok) return countForged(parts, request, revoked);
  const headers = positionHeader(revoked.value.position);
  return ok(jsonAnswer({ message: 'Successfully revoked' }, { headers }));
}

function revokingOf(body: ReturnType<typeof revokeBody.parse>): Result<Revoking> {
  if (body.token !== undefined) return ok({ token: body.token });
  const bucket = ofField('bucket', parseBucketName(body.bucket ?? ''));
  if (!bucket.ok) return bucket;
  const issuedBefore = body.issued_before;
  if (body.path === undefined) return ok({ bucket: bucket.value, path: null, issuedBefore });
  const path = ofField('path', parseObjectPath(body.path));
  return path.ok ? ok({ bucket: bucket.value, path: path.value, issuedBefore }) : path;
}

/** Milliseconds, from the body or the query; undefined where neither says. */
function validityOf({ query }: Request, expiresIn: number | undefined): Result<number | undefined> {
  const parsed = parseQuery(validityQuery, query);
  if (!parsed.ok) return parsed;
  const { expires_in } = parsed.value;
  if (expiresIn !== undefined && expires_in !== undefined && expiresIn !== expires_in) {
    return refuse(
      rejection('InvalidRequest', 'The parameter "expires_in" must agree with "expiresIn"'),
    );
  }
  const seconds = expiresIn ?? expires_in;
  return ok(seconds === undefined ? undefined : seconds * 1000);
}

/** Counts what is about to be signed; the headers that tell what is left. */
async function limited({ limits }: HttpParts, { call }: Request, count: number) {
  const allowance = await limits.signing(call.caller, count);
  if (!allowance.ok) return allowance;
  return ok(allowance.value ? allowanceHeaders(allowance.value) : {});
}

function expiryOf({ claims }: Signed): string {
  return new Date(claims.expires_at).toISOString();
}

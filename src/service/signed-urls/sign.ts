/** Signing: who may use a path themselves may hand that on, for a while. */

import type { BucketRow } from '../../domain/bucket.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { DownloadClaims, UploadClaims } from '../../domain/signed-urls/token.ts';
import { issuerRequest } from '../../domain/signed-urls/use.ts';
import { stateOf } from '../objects.ts';
import type { Call, ObjectKey } from '../service.ts';
import type {
  DownloadTerms,
  IssuingParts,
  ManyDownloads,
  Signed,
  SignedPath,
  UploadTerms,
} from './signed-urls.ts';
import { signToken } from './tokens.ts';

const usualValidMs = 60 * 60 * 1000;

export async function signDownload(
  parts: IssuingParts,
  call: Call,
  { key, terms }: { readonly key: ObjectKey; readonly terms: DownloadTerms },
): Promise<Result<Signed>> {
  const valid = validityOf(parts, terms.validMs);
  if (!valid.ok) return valid;
  const found = admit(parts, call, { key, operation: 'download' });
  if (!found.ok) return found;
  const { bucket, object } = found.value;
  const { once, version } = terms;
  if (version !== null && object?.version !== version) return refuse(olderVersion);
  const claims = claimsOf(parts, call, { key, bucket, validMs: valid.value });
  return ok(await signed(parts, { ...claims, operation: 'download', once, version }));
}

export async function signDownloads(
  parts: IssuingParts,
  call: Call,
  { bucket, paths, validMs }: ManyDownloads,
): Promise<Result<readonly SignedPath[]>> {
  const valid = validityOf(parts, validMs);
  if (!valid.ok) return valid;
  const terms = { validMs: valid.value, once: false, version: null };
  const sharing = withOneKey(parts);
  const answers: (SignedPath & { readonly refusal: Rejection | undefined })[] = [];
  for (const path of paths) {
    const answer = await signDownload(sharing, call, { key: { bucket, path }, terms });
    answers.push({
      path,
      signed: answer.ok ? answer.value : undefined,
      refusal: answer.ok ? undefined : answer.rejection,
    });
  }
  // To somebody who reads nothing in a bucket that they do not see, there is no such bucket.
  const general = answers.map(({ refusal }) => refusal);
  if (general.every((refusal) => refusal && refusal.code !== 'NoSuchKey')) {
    const [refusal = rejection('NoSuchBucket')] = general;
    return refuse(refusal);
  }
  return ok(answers);
}

/** Signs with the key of the first signing, without looking for another each time. */
function withOneKey(parts: IssuingParts): IssuingParts {
  const { signingKeys } = parts;
  let signer: ReturnType<typeof signingKeys.signer> | undefined;
  const oneSigner = () => {
    signer ??= signingKeys.signer();
    return signer;
  };
  return {
    ...parts,
    signingKeys: { signer: oneSigner, verifier: (kid) => signingKeys.verifier(kid) },
  };
}

export async function signUpload(
  parts: IssuingParts,
  call: Call,
  { key, terms }: { readonly key: ObjectKey; readonly terms: UploadTerms },
): Promise<Result<Signed>> {
  const valid = validityOf(parts, terms.validMs);
  if (!valid.ok) return valid;
  const found = admit(parts, call, { key, operation: 'upload' });
  if (!found.ok) return found;
  const { once, upsert, contentType: content_type, maxBytes: max_size } = terms;
  const claims = claimsOf(parts, call, { key, bucket: found.value.bucket, validMs: valid.value });
  return ok(
    await signed(parts, { ...claims, operation: 'upload', once, upsert, content_type, max_size }),
  );
}

const olderVersion = rejection(
  'InvalidRequest',
  'The field "version": only the current version can be signed',
);

function validityOf({ signedUrlMaxTtlMs }: IssuingParts, validMs: number | undefined) {
  if (validMs === undefined) return ok(Math.min(usualValidMs, signedUrlMaxTtlMs));
  if (validMs <= signedUrlMaxTtlMs) return ok(validMs);
  const maxSeconds = Math.floor(signedUrlMaxTtlMs / 1000);
  return refuse(
    rejection('InvalidRequest', `"expiresIn" must be at most ${maxSeconds} seconds`, {
      hint: 'AEROSTORE_SIGNED_URL_MAX_TTL is the maximum.',
      facts: { max_seconds: maxSeconds },
    }),
  );
}

function admit(
  { views, access }: IssuingParts,
  call: Call,
  { key, operation }: { readonly key: ObjectKey; readonly operation: 'download' | 'upload' },
) {
  const state = stateOf(views, key);
  const request = issuerRequest({ operation, issuer: call.caller }, state);
  const refusal = access(call, { ...request, about: key.path });
  if (refusal) return refuse(refusal);
  const { bucket, object } = state;
  return bucket ? ok({ bucket, object }) : refuse(rejection('NoSuchBucket'));
}

interface Issuing {
  readonly key: ObjectKey;
  readonly bucket: BucketRow;
  readonly validMs: number;
}

function claimsOf(
  { ids, issueClock }: IssuingParts,
  { caller }: Call,
  { key, bucket, validMs }: Issuing,
) {
  const issued_at = issueClock.issued();
  return {
    jti: ids.uuid(),
    bucket: bucket.name,
    bucket_uid: bucket.uid,
    path: key.path,
    issuer: caller,
    issued_at,
    expires_at: issued_at + validMs,
  };
}

async function signed(
  { signingKeys }: IssuingParts,
  claims: DownloadClaims | UploadClaims,
): Promise<Signed> {
  return { token: signToken(await signingKeys.signer(), claims), claims };
}

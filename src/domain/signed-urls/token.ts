/**
 * What a signed URL's token claims, and how it stands in the token's payload. Who signs it and how is
 * the service's business; here it is data.
 */
import type { Caller } from '../caller.ts';
import type { BucketName, BucketUid, ObjectPath } from '../names.ts';

interface Claims {
  readonly jti: string;
  readonly bucket: BucketName;
  /** A bucket that was deleted and created again is another: nothing that was signed is for it. */
  readonly bucket_uid: BucketUid;
  readonly path: ObjectPath;
  /** Each use is decided as if they asked. */
  readonly issuer: Caller;
  /** Unix ms. */
  readonly issued_at: number;
  /** Unix ms; from then on it is not accepted. */
  readonly expires_at: number;
  /** One use, then no more. */
  readonly once: boolean;
}

export interface DownloadClaims extends Claims {
  readonly operation: 'download';
  /** The only version that it shows; null for whichever there is. */
  readonly version: string | null;
}

export interface UploadClaims extends Claims {
  readonly operation: 'upload';
  readonly upsert: boolean;
  /** A type, or a pattern such as `image/*`; null for any. */
  readonly content_type: string | null;
  /** Bytes; null for no limit of its own. */
  readonly max_size: number | null;
}

export type TokenClaims = DownloadClaims | UploadClaims;

/** As JSON. `exp` and `iat` are what JWT libraries look for, in whole seconds; ours are in ms. */
export function payloadOf(claims: TokenClaims): Readonly<Record<string, unknown>> {
  const { issuer, issued_at, expires_at, once, ...rest } = claims;
  return {
    ...rest,
    role: issuer.kind,
    ...(issuer.kind === 'anonymous' || issuer.id === null ? {} : { sub: issuer.id }),
    ...(once ? { once } : {}),
    iat: Math.floor(issued_at / 1000),
    iat_ms: issued_at,
    exp: Math.ceil(expires_at / 1000),
    exp_ms: expires_at,
  };
}

/** The claims of a payload that was signed by a key of ours; undefined where it claims something else. */
export function claimsIn(payload: unknown): TokenClaims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  const given = payload as Readonly<Record<string, unknown>>;
  const { jti, bucket, bucket_uid, path, iat_ms, exp_ms, operation, once = false } = given;
  const texts = [jti, bucket, bucket_uid, path].every((value) => typeof value === 'string');
  const issuer = issuerIn(given);
  if (!texts || !issuer || !isTime(iat_ms) || !isTime(exp_ms) || typeof once !== 'boolean') {
    return undefined;
  }
  const common = {
    jti: jti as string,
    bucket: bucket as BucketName,
    bucket_uid: bucket_uid as BucketUid,
    path: path as ObjectPath,
    issuer,
    issued_at: iat_ms,
    expires_at: exp_ms,
    once,
  };
  if (operation === 'download') return downloadIn(common, given);
  return operation === 'upload' ? uploadIn(common, given) : undefined;
}

function downloadIn(common: Claims, given: Readonly<Record<string, unknown>>) {
  const { version } = given;
  if (version !== null && typeof version !== 'string') return undefined;
  return { ...common, operation: 'download', version } as const;
}

function uploadIn(common: Claims, given: Readonly<Record<string, unknown>>) {
  const { upsert, content_type, max_size } = given;
  if (typeof upsert !== 'boolean') return undefined;
  if (content_type !== null && typeof content_type !== 'string') return undefined;
  if (max_size !== null && typeof max_size !== 'number') return undefined;
  return { ...common, operation: 'upload', upsert, content_type, max_size } as const;
}

function issuerIn({ role, sub = null }: Readonly<Record<string, unknown>>): Caller | undefined {
  if (role === 'user' && typeof sub === 'string') return { kind: 'user', id: sub };
  if (role !== 'service' || (sub !== null && typeof sub !== 'string')) return undefined;
  return { kind: 'service', id: sub };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

/**
 * Whether a signed URL may be used: the one function that says so, on the token's claims, the rows
 * of its path, and what was revoked and used up. Pure.
 *
 * A token never lets its holder do more than its issuer may do at that moment (A5): the policy
 * decides each use as if the issuer asked.
 */
import type { TokenRevoked } from '../events.ts';
import type { BucketName, ObjectPath } from '../names.ts';
import type { ObjectState } from '../object-decisions.ts';
import { type AccessRequest, authorize } from '../policy.ts';
import { type Rejection, rejection } from '../rejection.ts';
import { allowsMime, essenceOf } from '../values/mime.ts';
import type { TokenClaims, UploadClaims } from './token.ts';

export type Revocation = Pick<TokenRevoked, 'jti' | 'bucket_uid' | 'path' | 'issued_before'>;

/** What a token is held up for, and what is known at that moment. */
export interface TokenUse {
  readonly operation: TokenClaims['operation'];
  readonly bucket: BucketName;
  readonly path: ObjectPath;
  /** Unix ms. */
  readonly nowMs: number;
  /** The rows of that bucket and path. */
  readonly state: ObjectState;
  /** A record says that the token was used up. */
  readonly isUsed: boolean;
  /** Those that may concern the token. */
  readonly revocations: readonly Revocation[];
}

/** Why the token may not be used so, or undefined. Expiry comes last: "expired" means only expired. */
export function refuseUse(claims: TokenClaims, use: TokenUse): Rejection | undefined {
  const { bucket, object } = use.state;
  const refused =
    refuseScope(claims, use) ??
    refuseSpent(claims, use) ??
    refuseIssuer(claims, use.state) ??
    refuseVersion(claims, use.state);
  if (refused) return refused;
  if (use.nowMs >= claims.expires_at) {
    return rejection('SignatureExpired', 'The signed URL has expired');
  }
  // Allowed, but there is nothing: the object was deleted since.
  if (!bucket) return rejection('NoSuchBucket');
  return claims.operation === 'download' && !object ? rejection('NoSuchKey') : undefined;
}

function refuseScope(claims: TokenClaims, use: TokenUse): Rejection | undefined {
  if (claims.operation !== use.operation) return invalid(`it was signed for ${claims.operation}`);
  if (claims.bucket !== use.bucket || claims.path !== use.path) {
    return invalid('it was signed for another path');
  }
  return use.state.bucket?.uid === claims.bucket_uid
    ? undefined
    : invalid('the bucket that it was signed for is gone');
}

function refuseSpent(claims: TokenClaims, use: TokenUse): Rejection | undefined {
  if (use.revocations.some((revocation) => covers(revocation, claims))) {
    return invalid('it was revoked');
  }
  return claims.once && use.isUsed ? invalid('it was for one use, which was made') : undefined;
}

function refuseIssuer(claims: TokenClaims, state: ObjectState): Rejection | undefined {
  const { refusal } = authorize(issuerRequest(claims, state));
  // A missing object is told as such, once everything else is in order.
  const isMissing = refusal?.code === 'NoSuchKey' && !state.object;
  return refusal && !isMissing ? invalid('its issuer may not do this any more') : undefined;
}

/** What the issuer would have to be allowed. */
export function issuerRequest(
  { operation, issuer: caller }: Pick<TokenClaims, 'operation' | 'issuer'>,
  { bucket, object }: ObjectState,
): AccessRequest {
  if (operation === 'download') return { caller, action: 'object.sign_download', bucket, object };
  return { caller, action: object ? 'object.overwrite' : 'object.add', bucket, object };
}

/** Older bytes can't be read yet: once overwritten, what was pinned is out of its issuer's reach. */
function refuseVersion(claims: TokenClaims, { object }: ObjectState): Rejection | undefined {
  if (claims.operation === 'upload' || claims.version === null || !object) return undefined;
  return object.version === claims.version
    ? undefined
    : invalid('the version that it shows was overwritten');
}

/** True where `revocation` is of this token. */
export function covers(
  revocation: Revocation,
  token: Pick<TokenClaims, 'jti' | 'bucket_uid' | 'path' | 'issued_at'>,
): boolean {
  if (revocation.jti !== null) return revocation.jti === token.jti;
  if (revocation.bucket_uid !== token.bucket_uid) return false;
  if (revocation.path !== null && revocation.path !== token.path) return false;
  return revocation.issued_before === null || token.issued_at <= revocation.issued_before;
}

/** Why an upload's type or size is not what the token was signed for. */
export function refuseContent(
  claims: Pick<UploadClaims, 'content_type' | 'max_size'>,
  { contentType, sizeBytes }: { readonly contentType: string; readonly sizeBytes?: number },
): Rejection | undefined {
  const { content_type, max_size } = claims;
  if (content_type !== null && !allowsMime([content_type], contentType)) {
    return rejection('InvalidMimeType', `mime type ${essenceOf(contentType)} is not supported`, {
      facts: { signed_for: content_type },
    });
  }
  if (max_size === null || (sizeBytes ?? 0) <= max_size) return undefined;
  return rejection('EntityTooLarge', undefined, { facts: { max_bytes: max_size } });
}

/** `why`: a clause; nothing that only the issuer may know. */
export function invalid(why: string): Rejection {
  return rejection('InvalidSignature', `The signed URL is not valid: ${why}`, {
    hint: 'Ask its issuer for another one.',
  });
}

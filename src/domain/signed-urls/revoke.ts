/**
 * Taking signed URLs back: one by its token, or all of a bucket or of a path that were issued up to a
 * moment. Pure.
 */
import { type Caller, callerId } from '../caller.ts';
import type { TokenRevoked } from '../events.ts';
import type { ObjectPath } from '../names.ts';
import type { ObjectState } from '../object-decisions.ts';
import { type AccessRequest, authorize } from '../policy.ts';
import { rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';
import type { TokenClaims } from './token.ts';
import { covers, type Revocation } from './use.ts';

/** The longest time that a signed URL can be valid for, under any configuration: 3,650 days. */
export const longestValidMs = 3_650 * 24 * 60 * 60 * 1000;

export type RevocationScope =
  | { readonly kind: 'token'; readonly claims: TokenClaims }
  | {
      readonly kind: 'bucket';
      readonly path: ObjectPath | null;
      /** Unix ms, inclusive. */
      readonly issuedBefore: number;
    };

export interface RevokeTokens {
  readonly caller: Caller;
  readonly scope: RevocationScope;
  /** Unix ms. */
  readonly nowMs: number;
}

export interface RevokeState extends ObjectState {
  /** Those of the same scope. */
  readonly revocations: readonly Revocation[];
}

/** The event, or undefined where nothing that is valid is left to revoke. */
export function decideRevoke(
  state: RevokeState,
  { caller, scope, nowMs }: RevokeTokens,
): Result<TokenRevoked | undefined> {
  const { refusal } = authorize({ ...revokeRequest(state, scope), caller });
  if (refusal) return refuse(refusal);
  const { bucket, revocations } = state;
  if (!bucket) return refuse(rejection('NoSuchBucket'));
  if (scope.kind === 'token') {
    const { claims } = scope;
    const isDone = claims.expires_at <= nowMs || revocations.some((one) => covers(one, claims));
    const { jti, bucket_uid, path, expires_at } = claims;
    const event = { jti, bucket_uid, path, issued_before: null, expires_at };
    return ok(isDone ? undefined : { type: 'token.revoked', ...event });
  }
  const { path, issuedBefore: issued_at } = scope;
  const newest = { jti: '', bucket_uid: bucket.uid, issued_at };
  const isDone = revocations.some((one) => {
    // Only a revocation of the whole bucket has done what one of the bucket asks.
    if (path === null && one.path !== null) return false;
    return covers(one, { ...newest, path: path ?? ('' as ObjectPath) });
  });
  if (isDone) return ok(undefined);
  return ok({
    type: 'token.revoked',
    jti: null,
    bucket_uid: bucket.uid,
    path,
    issued_before: issued_at,
    expires_at: Math.max(issued_at, nowMs) + longestValidMs,
  });
}

/**
 * What the caller must be allowed. A path that holds nothing yet, and that an upload was signed for,
 * counts as its issuer's: they would be the object's owner.
 */
export function revokeRequest(
  { bucket, object }: ObjectState,
  scope: RevocationScope,
): Omit<AccessRequest, 'caller'> {
  if (scope.kind === 'bucket') {
    if (scope.path === null) return { action: 'bucket.revoke', bucket };
    return { action: 'object.revoke', bucket, object };
  }
  const { claims } = scope;
  // Another bucket stands under the name: nobody's rights in it say anything about the token.
  if (bucket?.uid !== claims.bucket_uid) return { action: 'object.revoke', bucket: undefined };
  const owner = claims.operation === 'upload' ? { owner_id: callerId(claims.issuer) } : undefined;
  return { action: 'object.revoke', bucket, object: object ?? owner };
}

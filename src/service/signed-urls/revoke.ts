/** Revoking: one small record, which every use that is decided after it sees. */
import type { TokenRevoked } from '../../domain/events.ts';
import type { BucketName, ObjectPath } from '../../domain/names.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import {
  decideRevoke,
  type RevocationScope,
  revokeRequest,
} from '../../domain/signed-urls/revoke.ts';
import { authorOf } from '../commit.ts';
import { bucketLock, keyLock, type LockRequest } from '../locks.ts';
import { stateOf } from '../objects.ts';
import type { Call, Changed } from '../service.ts';
import type { IssuingParts, Revoking } from './signed-urls.ts';
import { verifyToken } from './tokens.ts';

interface Place {
  readonly bucket: BucketName;
  readonly path: ObjectPath | null;
}

export async function revokeTokens(
  parts: IssuingParts,
  call: Call,
  revoking: Revoking,
): Promise<Result<Changed>> {
  const target = await targetOf(parts, revoking);
  if (!target.ok) return target;
  const { place, scopeAt } = target.value;
  const refusal = parts.access(call, {
    ...revokeRequest(stateAt(parts, place), scopeAt(0)),
    ...(place.path === null ? {} : { about: place.path }),
  });
  if (refusal) return refuse(refusal);
  const { caller } = call;
  const outcome = await parts.commit<TokenRevoked>({
    ...authorOf(call),
    locks: locksOf(place),
    decide: async () => {
      const scope = scopeAt(parts.issueClock.revoked());
      const state = stateAt(parts, place);
      const revocations = await revocationsOf(parts, { place, scope });
      const nowMs = parts.clock.now();
      const decided = decideRevoke({ ...state, revocations }, { caller, scope, nowMs });
      if (!decided.ok) return decided;
      return ok(decided.value ? [decided.value] : []);
    },
  });
  if (outcome.ok) return ok({ position: outcome.value.position });
  const { outcome: _outcome, ...refused } = outcome.rejection;
  return refuse(refused);
}

interface Target {
  readonly place: Place;
  /**
   * `nowMs`: up to when a revocation reaches that names no moment, and at most. What is signed later
   * may be another owner's, whom nobody revokes in advance.
   */
  readonly scopeAt: (nowMs: number) => RevocationScope;
}

async function targetOf(
  { signingKeys }: IssuingParts,
  revoking: Revoking,
): Promise<Result<Target>> {
  if ('token' in revoking) {
    const claims = await verifyToken(signingKeys, revoking.token);
    if (!claims.ok) return claims;
    return ok({ place: claims.value, scopeAt: () => ({ kind: 'token', claims: claims.value }) });
  }
  const { bucket, path, issuedBefore = Number.POSITIVE_INFINITY } = revoking;
  return ok({
    place: { bucket, path },
    scopeAt: (nowMs) => ({ kind: 'bucket', path, issuedBefore: Math.min(issuedBefore, nowMs) }),
  });
}

function stateAt({ views }: IssuingParts, { bucket, path }: Place) {
  if (path !== null) return stateOf(views, { bucket, path });
  return { bucket: views.bucket(bucket), object: undefined };
}

async function revocationsOf(
  { views }: IssuingParts,
  { place, scope }: { readonly place: Place; readonly scope: RevocationScope },
) {
  if (scope.kind === 'token') return views.revocations(scope.claims);
  const bucket = views.bucket(place.bucket);
  return bucket ? views.revocations({ bucket_uid: bucket.uid, path: place.path }) : [];
}

/** Those that a use of the path holds, too: the two are decided one after the other. */
function locksOf({ bucket, path }: Place): LockRequest[] {
  if (path === null) return [bucketLock(bucket, 'exclusive')];
  return [bucketLock(bucket, 'shared'), keyLock(bucket, path, 'exclusive')];
}

/** Uses of signed URLs: decided by the domain on what is known now, and used up by records. */

import type { TokenUsed } from '../../domain/events.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { DownloadClaims, TokenClaims } from '../../domain/signed-urls/token.ts';
import { invalid, issuerRequest, refuseUse } from '../../domain/signed-urls/use.ts';
import { actorOf } from '../commit.ts';
import { bucketLock, keyLock } from '../locks.ts';
import { stateOf } from '../objects.ts';
import { type Call, type ObjectKey, type ReadableObject, Refused } from '../service.ts';
import type { IssuingParts, Presented, SignedUpload } from './signed-urls.ts';

type Operation = TokenClaims['operation'];

/** Decides a use at a moment that stays the same while its bytes are on their way. */
interface Use {
  readonly claims: TokenClaims;
  readonly key: ObjectKey;
  readonly operation: Operation;
  /** Unix ms. */
  readonly nowMs: number;
  /** True where the request was done before, and is about to be answered as it was then. */
  readonly isRepeat: () => boolean;
}

export async function readSigned(
  parts: IssuingParts,
  presented: Presented,
): Promise<Result<ReadableObject>> {
  const begun = await begin(parts, presented, 'download');
  if (!begun.ok) return begun;
  const { use, call, state } = begun.value;
  const { bucket, object } = state;
  if (use.claims.operation !== 'download' || !bucket || !object) {
    return refuse(rejection('NoSuchKey'));
  }
  const { claims } = use;
  const open = async () => {
    const blob = await parts.open({ bucket, object });
    if (!claims.once) return blob;
    // The bytes are at hand before the use is spent on them.
    const spent = await spend(parts, call, { ...use, claims }).catch(async (fault: unknown) => {
      await blob.close();
      throw fault;
    });
    if (spent.ok) return blob;
    await blob.close();
    throw new Refused(spent.rejection);
  };
  return ok({ bucket, object, open });
}

export async function uploadSigned(
  parts: IssuingParts,
  presented: Presented,
): Promise<Result<SignedUpload>> {
  const begun = await begin(parts, presented, 'upload');
  if (!begun.ok) return begun;
  const { use, call } = begun.value;
  if (use.claims.operation !== 'upload') return refuse(invalid('it is for another operation'));
  const { claims } = use;
  // What is committed is no repeat.
  const committed = { ...use, isRepeat: () => false };
  return ok({ call, grant: { claims, refuse: () => refusalOf(parts, committed) } });
}

async function begin(parts: IssuingParts, presented: Presented, operation: Operation) {
  const { claims, key, requestId, idempotency } = presented;
  const call: Call = { caller: claims.issuer, requestId };
  const isRepeat = () => idempotency !== undefined && parts.once.isKnown({ ...call, idempotency });
  const use: Use = { claims, key, operation, nowMs: parts.clock.now(), isRepeat };
  const state = stateOf(parts.views, key);
  const refusal = await refusalOf(parts, use, state);
  if (refusal) {
    const { code, message } = refusal;
    const { bucket, path } = key;
    const facts = { request_id: requestId, jti: claims.jti, code, why: message, bucket, path };
    parts.observe.debug('signed url refused', facts);
    return refuse(refusal);
  }
  // Decided above; here it is logged, and counted where the issuer is the service role.
  parts.access(call, { ...issuerRequest(claims, state), about: key.path });
  return ok({ use, call, state });
}

/**
 * `state` is read before what was revoked: who sees a change of the path sees every revocation that
 * came before it. A use and the request that it was made by are seen in one moment.
 */
async function refusalOf(
  { views }: IssuingParts,
  { claims, key, operation, nowMs, isRepeat }: Use,
  state = stateOf(views, key),
): Promise<Rejection | undefined> {
  const revocations = await views.revocations(claims);
  const isUsed = claims.once && !isRepeat() && views.isTokenUsed(claims.jti);
  return refuseUse(claims, { ...key, operation, nowMs, state, isUsed, revocations });
}

/** The one use of a download: recorded, or refused because another came first. */
async function spend(
  parts: IssuingParts,
  call: Call,
  use: Use & { readonly claims: DownloadClaims },
): Promise<Result<undefined>> {
  const { bucket, path } = use.key;
  const { jti, bucket_uid, expires_at } = use.claims;
  const outcome = await parts.commit<TokenUsed>({
    actor: actorOf(call),
    locks: [bucketLock(bucket, 'shared'), keyLock(bucket, path, 'exclusive')],
    decide: async () => {
      const refusal = await refusalOf(parts, use);
      if (refusal) return refuse(refusal);
      return ok([{ type: 'token.used', jti, bucket_uid, path, expires_at }]);
    },
  });
  if (outcome.ok) return ok(undefined);
  const { outcome: _outcome, ...refusal } = outcome.rejection;
  return refuse(refusal);
}

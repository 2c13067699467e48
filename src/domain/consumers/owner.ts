/**
 * Whose a consumer or a webhook is: its maker's, and nobody else's. What is delivered to it is decided
 * as for its owner, so a user and a service of the same id are two owners: the one must not be given
 * what only the other may see.
 */
import type { Caller } from '../caller.ts';
import type { SubscriptionOwner } from '../events.ts';
import { type Rejection, rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';

/** The caller as an owner. Anonymous callers own nothing. */
export function ownerOf(caller: Caller): Result<SubscriptionOwner> {
  if (caller.kind === 'anonymous') return refuse(needsCredentials);
  return ok({ owner_role: caller.kind, owner_id: caller.id });
}

/** As whom the owner's events are decided. */
export function callerOf({ owner_role: role, owner_id: id }: SubscriptionOwner): Caller {
  if (role === 'service') return { kind: 'service', id };
  return id === null ? { kind: 'anonymous' } : { kind: 'user', id };
}

export function isOwnedBy(owned: SubscriptionOwner, caller: Caller): boolean {
  const owner = ownerOf(caller);
  return owner.ok && sameOwner(owner.value, owned);
}

export function sameOwner(left: SubscriptionOwner, right: SubscriptionOwner): boolean {
  return left.owner_role === right.owner_role && left.owner_id === right.owner_id;
}

/** An owner as one text, different for different owners. */
export function ownerName({ owner_role: role, owner_id: id }: SubscriptionOwner): string {
  return JSON.stringify([role, id]);
}

const needsCredentials: Rejection = rejection(
  'MissingAuthorization',
  'This needs an Authorization header',
  { hint: 'Send "Authorization: Bearer <token>".' },
);

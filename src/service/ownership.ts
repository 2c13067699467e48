/**
 * Whose a consumer or a webhook is, as the use cases ask it: its owner's, and by an explicit branch the
 * service role's (A4), logged and counted. To everyone else it does not exist.
 */
import { callerId } from '../domain/caller.ts';
import { isOwnedBy } from '../domain/consumers/owner.ts';
import type { Observe } from '../domain/effects.ts';
import type { SubscriptionOwner } from '../domain/events.ts';
import type { Call } from './service.ts';

export interface Ownership {
  /** True where the caller may see it and do anything to it. */
  holds(call: Call, owned: SubscriptionOwner, about: string): boolean;
  /** True where it is in the caller's list. */
  lists(call: Call, owned: SubscriptionOwner): boolean;
}

export function createOwnership(observe: Observe): Ownership {
  return {
    holds(call, owned, about) {
      const { caller, requestId } = call;
      if (isOwnedBy(owned, caller)) return true;
      const facts = { request_id: requestId, caller: caller.kind, sub: callerId(caller), about };
      if (caller.kind === 'service') {
        observe.count('service_bypass');
        observe.info('service bypass', facts);
        return true;
      }
      observe.count('policy_denial');
      observe.debug('policy denial', facts);
      return false;
    },
    lists(call, owned) {
      if (call.caller.kind === 'service') return this.holds(call, owned, 'list');
      return isOwnedBy(owned, call.caller);
    },
  };
}

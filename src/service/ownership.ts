/**
 * Whose a consumer or a webhook is, as the use cases ask it: its owner's, and by an explicit branch the
 * service role's (A4), logged and counted once a request. To everyone else it does not exist.
 */
import { callerId } from '../domain/caller.ts';
import { isOwnedBy } from '../domain/consumers/owner.ts';
import type { Observe } from '../domain/effects.ts';
import type { SubscriptionOwner } from '../domain/events.ts';
import type { Call } from './service.ts';

export interface Ownership {
  /** True where the caller may see it and do anything to it. */
  holds(call: Call, owned: SubscriptionOwner, about: string): boolean;
  /** Which of them are in the caller's list. */
  listed<T extends SubscriptionOwner>(call: Call, all: readonly T[], about: string): readonly T[];
}

export function createOwnership(observe: Observe): Ownership {
  const note = (call: Call, about: string, isAllowed: boolean) => {
    const { caller, requestId } = call;
    const facts = { request_id: requestId, caller: caller.kind, sub: callerId(caller), about };
    observe.count(isAllowed ? 'service_bypass' : 'policy_denial');
    if (isAllowed) observe.info('service bypass', facts);
    else observe.debug('policy denial', facts);
  };
  return {
    holds(call, owned, about) {
      if (isOwnedBy(owned, call.caller)) return true;
      const isService = call.caller.kind === 'service';
      note(call, about, isService);
      return isService;
    },
    listed(call, all, about) {
      const own = all.filter((owned) => isOwnedBy(owned, call.caller));
      if (call.caller.kind !== 'service') return own;
      if (own.length < all.length) note(call, about, true);
      return all;
    },
  };
}

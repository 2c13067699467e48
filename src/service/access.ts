/**
 * The policy as the use cases ask it: every decision passes here once per request, where denials and
 * service bypasses are logged and counted (A2, A4).
 */
import { callerId } from '../domain/caller.ts';
import type { Observe } from '../domain/effects.ts';
import { type AccessRequest, authorize } from '../domain/policy.ts';
import type { Rejection } from '../domain/rejection.ts';
import type { Call } from './service.ts';

export type Access = (
  call: Call,
  request: Omit<AccessRequest, 'caller'> & { readonly about?: string },
) => Rejection | undefined;

/** `about` names the object in the log line. */
export function createAccess(observe: Observe): Access {
  return (call, { about, ...request }) => {
    const { decision, refusal } = authorize({ ...request, caller: call.caller });
    const facts = () => ({
      request_id: call.requestId,
      caller: call.caller.kind,
      sub: callerId(call.caller),
      action: request.action,
      bucket: request.bucket?.name,
      path: about,
      rule: decision.rule,
    });
    if (decision.bypass && !refusal) {
      observe.count('service_bypass');
      observe.info('service bypass', facts());
    }
    if (!decision.allowed) {
      observe.count('policy_denial');
      observe.debug('policy denial', facts());
    }
    return refusal;
  };
}

/** One operation of the model, asked of a real store through its use cases. */
import { createHash } from 'node:crypto';
import type { Rejection } from '../../../../src/domain/rejection.ts';
import type { Call } from '../../../../src/service/service.ts';
import type { Signed } from '../../../../src/service/signed-urls/signed-urls.ts';
import type { Rig } from '../../../support/rig.ts';
import type { Names } from '../names.ts';
import { type Asked, requestOf } from '../operations.ts';
import type { AnsweredObject, Outcome } from '../order.ts';
import type { Told, Who } from '../world.ts';
import { askBucket, askObject } from './requests.ts';
import { askSigned } from './signed.ts';

/** A store, and what its clients know. */
export interface Clients {
  readonly rig: Rig;
  readonly names: Names;
}

export interface Answer {
  readonly told: Told;
  readonly position?: number | undefined;
  readonly object?: AnsweredObject | undefined;
  readonly signed?: Signed | undefined;
}

/** Refusals for the state of the machine; the model knows none of it. */
const indisposed = new Set(['NotReady', 'Overloaded', 'ReadOnly', 'InsufficientStorage']);

/** Never rejects: a fault leaves the outcome unknown. */
export async function perform(clients: Clients, asked: Asked): Promise<Outcome> {
  try {
    const answer = await ask(clients, asked);
    const { code } = answer.told;
    if (code === 'OutcomeUnknown') return { kind: 'unknown' };
    return indisposed.has(code) ? { kind: 'nothing' } : { kind: 'told', ...answer };
  } catch {
    return { kind: 'unknown' };
  }
}

function ask(clients: Clients, asked: Asked): Promise<Answer> {
  const { operation } = asked;
  switch (operation.kind) {
    case 'create':
    case 'update':
    case 'empty':
    case 'drop':
      return askBucket(clients, { ...asked, operation });
    case 'put':
    case 'remove':
    case 'removeMany':
    case 'copy':
    case 'move':
    case 'patch':
    case 'read':
    case 'list':
      return askObject(clients, { ...asked, operation });
    case 'sign':
    case 'look':
    case 'spend':
    case 'peek':
    case 'putSigned':
    case 'revokeToken':
    case 'revokeAll':
      return askSigned(clients, { ...asked, operation });
    default:
      return operation satisfies never;
  }
}

export function callOf(who: Who, asked: Omit<Asked, 'operation'>): Call {
  const { id: requestId, key } = asked;
  if (who === 'nobody') return { caller: { kind: 'anonymous' }, requestId };
  const caller =
    who === 'service'
      ? ({ kind: 'service', id: null } as const)
      : ({ kind: 'user', id: who } as const);
  return { caller, requestId, ...(key === null ? {} : { idempotency: { key, request_hash: '' } }) };
}

/** The call of an operation; its key stands for what the door would have made of the request. */
export function callFor(who: Who, asked: Asked, operation: object = asked.operation): Call {
  const call = callOf(who, asked);
  if (!call.idempotency) return call;
  const request = requestOf(operation as Asked['operation']);
  const request_hash = createHash('sha256').update(request).digest('hex');
  return { ...call, idempotency: { ...call.idempotency, request_hash } };
}

export function refused({ code }: Pick<Rejection, 'code'>): Answer {
  return { told: { code } };
}

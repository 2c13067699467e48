/**
 * The way into the use cases: closed while the views are built anew. A request under which they turn
 * out damaged is refused like those that come after it, and so is one that finds the process without
 * a file handle left.
 */
import { hasCode } from '#files';
import type { Observe } from '../../domain/effects.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { type Result, refuse } from '../../domain/result.ts';
import { ApplierClosed } from '../../views/applier.ts';
import { ViewsDamaged } from '../../views/views.ts';
import type { HealthMonitor } from '../health.ts';
import { type ReadableObject, Refused, type Service } from '../service.ts';

export interface GateParts {
  readonly health: Pick<HealthMonitor, 'closedTo'>;
  readonly observe: Observe;
}

export function guardService(service: Service, parts: GateParts): Service {
  const { buckets, objects, signedUrls, queries, subscriptions, admin, health } = service;
  const { consumers, webhooks } = service;
  return {
    buckets: guarded({ ...buckets }, parts),
    objects: guarded({ ...objects, read: readGuarded(objects.read, parts) }, parts),
    signedUrls: guarded({ ...signedUrls, read: readGuarded(signedUrls.read, parts) }, parts),
    queries: guarded({ ...queries }, parts),
    subscriptions: {
      ...guarded(
        {
          open: subscriptions.open,
          issueToken: subscriptions.issueToken,
          redeemToken: subscriptions.redeemToken,
        },
        parts,
      ),
      get count() {
        return subscriptions.count;
      },
    },
    consumers: guarded({ ...consumers }, parts),
    webhooks: guarded({ ...webhooks }, parts),
    // Jobs can be asked for whatever state the views are in: one of them mends them.
    admin: { ...admin, ...guarded({ status: admin.status, digest: admin.digest }, parts) },
    health,
  };
}

type Methods<M> = { readonly [Name in keyof M]: (...values: never[]) => Promise<Result<unknown>> };

function guarded<M extends Methods<M>>(methods: M, parts: GateParts): M {
  const entries = Object.entries(methods as Methods<object>).map(([name, method]) => [
    name,
    (...values: never[]) => pass(parts, () => method(...values)),
  ]);
  // The same methods, each with the same arguments and the same kind of answer.
  return Object.fromEntries(entries) as M;
}

async function pass<T>(parts: GateParts, act: () => Promise<Result<T>>): Promise<Result<T>> {
  const closed = parts.health.closedTo('read');
  if (closed) return refuse(closed);
  try {
    return await act();
  } catch (fault) {
    const refusal = refusalOf(parts, fault);
    if (!refusal) throw fault;
    return refuse(refusal);
  }
}

/** What is opened later passes the gate again. */
function readGuarded<Values extends unknown[]>(
  read: (...values: Values) => Promise<Result<ReadableObject>>,
  parts: GateParts,
) {
  return async (...values: Values): Promise<Result<ReadableObject>> => {
    const found = await read(...values);
    if (!found.ok) return found;
    const { open } = found.value;
    const openGuarded = () =>
      open().catch((fault: unknown) => {
        const refusal = refusalOf(parts, fault);
        throw refusal ? new Refused(refusal, { cause: fault }) : fault;
      });
    return { ok: true, value: { ...found.value, open: openGuarded } };
  };
}

/** undefined for a fault that is none of the store's condition: it is a fault whatever that is. */
function refusalOf({ health, observe }: GateParts, fault: unknown): Rejection | undefined {
  if (hasCode(fault, 'EMFILE', 'ENFILE')) {
    observe.warn('the process has too many open files', { fault: String(fault) });
    return rejection('Overloaded', 'The server has too many open files');
  }
  const closed = isOfClosing(fault) ? health.closedTo('read') : undefined;
  if (closed) observe.debug('a request met the closing of the views', { fault: String(fault) });
  return closed;
}

/** What breaks off under way when the views are closed. */
const notOpen = ['LEVEL_DATABASE_NOT_OPEN', 'LEVEL_ITERATOR_NOT_OPEN', 'LEVEL_SNAPSHOT_NOT_OPEN'];

function isOfClosing(fault: unknown): boolean {
  for (let cause = fault; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ViewsDamaged || cause instanceof ApplierClosed) return true;
    if (hasCode(cause, ...notOpen)) return true;
  }
  return false;
}

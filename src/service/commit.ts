/**
 * The commit: lock, read the state, decide, append, wait until applied, unlock. The only caller of
 * `journal.append`.
 *
 * What it promises: a decision is made on the state that its record is committed upon (nothing that
 * the locks cover changes in between), and when it resolves the caller reads its own write.
 */
import type { Caller } from '../domain/caller.ts';
import { callerId } from '../domain/caller.ts';
import type { Actor, Idempotency, NewRecord, StoreEvent } from '../domain/events.ts';
import type { Position } from '../domain/names.ts';
import { type Rejection, rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import type { Journal } from '../journal/journal.ts';
import type { LockRequest, Locks } from './locks.ts';
import type { Call } from './service.ts';

export interface CommitRequest<E extends StoreEvent> {
  readonly actor: Actor;
  /** Of the request; the last record carries it. */
  readonly idempotency?: Idempotency;
  readonly locks: readonly LockRequest[];
  /** Reads the state and decides, under the locks. No events: nothing is appended. */
  readonly decide: () => Result<readonly E[]> | Promise<Result<readonly E[]>>;
}

export interface CommitOutcome<E extends StoreEvent> {
  readonly events: readonly E[];
  /** Of the first and the last record; where nothing was appended, what is applied by now. */
  readonly first: Position;
  readonly position: Position;
  /** The commit time, Unix ms. */
  readonly timeMs: number;
}

/** `unknown`: the record may be in the log or not; recovery will tell. */
export type CommitRefusal = Rejection & { readonly outcome: 'nothing' | 'unknown' };

export type Commit = <E extends StoreEvent>(
  request: CommitRequest<E>,
) => Promise<Result<CommitOutcome<E>, CommitRefusal>>;

export interface CommitParts {
  readonly locks: Locks;
  readonly journal: Pick<Journal, 'append'>;
  readonly applier: {
    readonly applied: Position;
    /** Rejects when an apply failed. */
    waitFor(position: Position): Promise<void>;
  };
  /** Why nothing may be written now, such as while closing. */
  readonly closedTo: () => Rejection | undefined;
}

export function createCommit({ locks, journal, applier, closedTo }: CommitParts): Commit {
  return async (request) => {
    const closed = closedTo();
    if (closed) return refuse({ ...closed, outcome: 'nothing' });
    const release = await locks.acquire(request.locks);
    try {
      const decided = await request.decide();
      if (!decided.ok) return refuse({ ...decided.rejection, outcome: 'nothing' });
      const events = decided.value;
      if (events.length === 0) {
        const { applied } = applier;
        return ok({ events, first: applied, position: applied, timeMs: 0 });
      }
      const appended = await journal.append(recordsOf(request, events));
      if (!appended.ok) {
        const unknown = appended.rejection.code === 'OutcomeUnknown';
        return refuse({ ...appended.rejection, outcome: unknown ? 'unknown' : 'nothing' });
      }
      const { first, last, timeMs } = appended.value;
      await applier.waitFor(last).catch((cause: unknown) => {
        throw new AppliedUnknown('the record is durable but could not be applied', { cause });
      });
      return ok({ events, first, position: last, timeMs });
    } catch (fault) {
      if (!(fault instanceof AppliedUnknown)) throw fault;
      return refuse({ ...rejection('OutcomeUnknown'), outcome: 'unknown' });
    } finally {
      release();
    }
  };
}

function recordsOf(
  { actor, idempotency }: Pick<CommitRequest<StoreEvent>, 'actor' | 'idempotency'>,
  events: readonly StoreEvent[],
): NewRecord[] {
  const last = events.length - 1;
  return events.map((event, index) =>
    idempotency && index === last ? { event, actor, idempotency } : { event, actor },
  );
}

/** The applier failed after the record was durable: the process is about to end (main watches it). */
class AppliedUnknown extends Error {
  override readonly name = 'AppliedUnknown';
}

export function actorOf({ caller, requestId }: Call): Actor {
  return { sub: callerId(caller), role: roleOf(caller), request_id: requestId };
}

/** What the records of the call say of it. */
export function authorOf(call: Call): Pick<CommitRequest<never>, 'actor' | 'idempotency'> {
  const { idempotency } = call;
  return { actor: actorOf(call), ...(idempotency ? { idempotency } : {}) };
}

/** The store itself: draining, retention, recovery. */
export const systemActor: Actor = { sub: null, role: 'system', request_id: null };

function roleOf(caller: Caller): Actor['role'] {
  return caller.kind;
}

/** How the store is: kept as a set of named troubles, so that each can come and go by itself. */
import { type Rejection, rejection } from '../domain/rejection.ts';
import type { Health } from './service.ts';

/** What is asked of the store: to read, to record something, or to take bytes in as well. */
export type Use = 'read' | 'write' | 'upload';

/** What a trouble keeps from being done: each also what stands before it. */
export type Closed = 'uploads' | 'writes' | 'everything';

export interface HealthMonitor {
  now(): Health;
  /** The store works, but an operator should look: `reason` is shown until `mend(trouble)`. */
  degrade(trouble: string, reason: string): void;
  /** Refuses what `closes` says until `mend(trouble)`. */
  restrict(
    trouble: string,
    restriction: { readonly reason: string; readonly closes: Closed },
  ): void;
  mend(trouble: string): void;
  recovered(): void;
  /** No more writes from now on. */
  closing(): void;
  /** Why the store may not be used so now. */
  closedTo(use: Use): Rejection | undefined;
}

/** Troubles that are told apart, at most; beyond, the reasons stand but no more are added. */
const maxTroubles = 10_000;

interface Trouble {
  readonly reason: string;
  readonly closes?: Closed;
}

const refusals: Readonly<Record<Closed, Rejection>> = {
  uploads: rejection('InsufficientStorage', 'The disk is almost full: nothing can be uploaded', {
    hint: 'Deleting works. Try again once there is more space.',
  }),
  writes: rejection('ReadOnly', 'The disk is full: nothing can be changed', {
    hint: 'Reading works. Try again once there is more space.',
  }),
  everything: rejection('NotReady', 'The store is checking itself and answers again soon'),
};

const closedUses: Readonly<Record<Use, readonly Closed[]>> = {
  upload: ['everything', 'writes', 'uploads'],
  write: ['everything', 'writes'],
  read: ['everything'],
};

export function createHealth(): HealthMonitor {
  const troubles = new Map<string, Trouble>();
  /** Few: the only ones that every request looks at. */
  const restrictions = new Map<string, Closed>();
  let stage: 'recovering' | 'open' | 'closing' = 'recovering';
  const add = (name: string, trouble: Trouble) => {
    if (troubles.size < maxTroubles || troubles.has(name)) troubles.set(name, trouble);
  };
  const isClosed = (closed: Closed) => [...restrictions.values()].includes(closed);
  return {
    now() {
      if (stage === 'recovering') return { status: 'not_ready', reasons: ['recovering'] };
      if (stage === 'closing') return { status: 'not_ready', reasons: ['shutting down'] };
      const reasons = [...new Set([...troubles.values()].map(({ reason }) => reason))];
      // Ready means that it can be written to, too.
      if (isClosed('everything') || isClosed('writes')) return { status: 'not_ready', reasons };
      return { status: reasons.length > 0 ? 'degraded' : 'ready', reasons };
    },
    degrade: (trouble, reason) => add(trouble, { reason }),
    restrict(trouble, { reason, closes }) {
      restrictions.set(trouble, closes);
      add(trouble, { reason, closes });
    },
    mend(trouble) {
      troubles.delete(trouble);
      restrictions.delete(trouble);
    },
    recovered() {
      stage = 'open';
    },
    closing() {
      stage = 'closing';
    },
    closedTo(use) {
      if (stage === 'recovering' || (stage === 'closing' && use !== 'read')) {
        const closing = stage === 'closing' ? 'The store is shutting down' : undefined;
        return rejection('NotReady', closing);
      }
      if (restrictions.size === 0) return undefined;
      const closed = closedUses[use].find(isClosed);
      return closed && refusals[closed];
    },
  };
}

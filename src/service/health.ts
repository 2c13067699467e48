/** How the store is: kept as a set of named troubles, so that each can come and go by itself. */
import { type Rejection, rejection } from '../domain/rejection.ts';
import type { Health } from './service.ts';

export interface HealthMonitor {
  now(): Health;
  /** The store works, but an operator should look: `reason` is shown until `mend(trouble)`. */
  degrade(trouble: string, reason: string): void;
  mend(trouble: string): void;
  recovered(): void;
  /** No more writes from now on. */
  closing(): void;
  /** Why nothing may be written now. */
  closedTo(): Rejection | undefined;
}

/** Troubles that are told apart, at most; beyond, the reasons stand but no more are added. */
const maxTroubles = 10_000;

export function createHealth(): HealthMonitor {
  const troubles = new Map<string, string>();
  let stage: 'recovering' | 'open' | 'closing' = 'recovering';
  return {
    now() {
      if (stage === 'recovering') return { status: 'not_ready', reasons: ['recovering'] };
      if (stage === 'closing') return { status: 'not_ready', reasons: ['shutting down'] };
      const reasons = [...new Set(troubles.values())];
      return { status: reasons.length > 0 ? 'degraded' : 'ready', reasons };
    },
    degrade(trouble, reason) {
      if (troubles.size < maxTroubles) troubles.set(trouble, reason);
    },
    mend(trouble) {
      troubles.delete(trouble);
    },
    recovered() {
      stage = 'open';
    },
    closing() {
      stage = 'closing';
    },
    closedTo() {
      if (stage === 'open') return undefined;
      return rejection('NotReady', stage === 'closing' ? 'The store is shutting down' : undefined);
    },
  };
}

/**
 * How many may do something at once, together and of one owner; who waits is served in order, past
 * those whose owner has no room, so that one owner's slow receivers leave the others theirs.
 */
export interface Slots {
  /** Runs `act` once there is room; rejects with the signal's reason where it aborts before that. */
  run<T>(owner: string, signal: AbortSignal, act: () => Promise<T>): Promise<T>;
  readonly taken: number;
}

interface Waiter {
  readonly owner: string;
  readonly proceed: () => void;
}

export function createSlots({ total, perOwner }: { total: number; perOwner: number }): Slots {
  const taken = new Map<string, number>();
  const waiting: Waiter[] = [];
  let all = 0;

  const hasRoom = (owner: string) => all < total && (taken.get(owner) ?? 0) < perOwner;
  const take = (owner: string) => {
    all += 1;
    taken.set(owner, (taken.get(owner) ?? 0) + 1);
  };
  const give = (owner: string) => {
    all -= 1;
    const left = (taken.get(owner) ?? 0) - 1;
    if (left > 0) taken.set(owner, left);
    else taken.delete(owner);
    const next = waiting.findIndex((waiter) => hasRoom(waiter.owner));
    const [waiter] = next < 0 ? [] : waiting.splice(next, 1);
    if (!waiter) return;
    take(waiter.owner);
    waiter.proceed();
  };

  const enter = (owner: string, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (hasRoom(owner)) {
      take(owner);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.splice(waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        owner,
        proceed: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      waiting.push(waiter);
      signal.addEventListener('abort', leave, { once: true });
    });
  };

  return {
    get taken() {
      return all;
    },
    async run(owner, signal, act) {
      await enter(owner, signal);
      try {
        return await act();
      } finally {
        give(owner);
      }
    },
  };
}

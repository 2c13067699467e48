/** Timers that end with the process that a test plays. */

export interface MortalTimers {
  /** The process is gone, and its timers with it. */
  end(): void;
  restore(): void;
}

/** Timers of the store under test end with its process; otherwise each dead store would live on. */
export function mortalTimers(): MortalTimers {
  const real = globalThis.setTimeout;
  const alive = new Set<NodeJS.Timeout>();
  const wrapped = ((act: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) => {
    const timer = real(() => {
      alive.delete(timer);
      act(...values);
    }, ms);
    alive.add(timer);
    return timer;
  }) as typeof setTimeout;
  globalThis.setTimeout = Object.assign(wrapped, real);
  const end = () => {
    for (const timer of alive) clearTimeout(timer);
    alive.clear();
  };
  return {
    end,
    restore() {
      end();
      globalThis.setTimeout = real;
    },
  };
}

/** How many things happen at once: one at a time in order of arrival, or a few at a time. */

/** Runs each task after the one before it has ended, well or not. */
export type Turns = <T>(task: () => Promise<T>) => Promise<T>;

export function takingTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const mine = last.then(task);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/**
 * Calls `task` for every item, at most `limit` at once. After a failure no further item is begun;
 * it rejects with the first failure, once all that was begun has ended.
 */
export async function eachLimited<T>(
  items: Iterable<T>,
  limit: number,
  task: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  let failure: { readonly cause: unknown } | undefined;
  async function work(): Promise<void> {
    for (let next = left.next(); !next.done && !failure; next = left.next()) {
      await task(next.value).catch((cause: unknown) => {
        failure ??= { cause };
      });
    }
  }
  await Promise.all(Array.from({ length: limit }, work));
  if (failure) throw failure.cause;
}

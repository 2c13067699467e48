/** Those who wait until the views have reached a position. */
import type { Position } from '../../domain/names.ts';

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

export class Waiters {
  #waiting: Waiter[] = [];
  #ended: { readonly cause: unknown } | undefined;

  until(position: Position): Promise<void> {
    const ended = this.#ended;
    if (ended) return Promise.reject(ended.cause);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ position, resolve, reject });
    });
  }

  /** In position order; in the order of their calls where two wait for the same one. */
  resolveUpTo(applied: Position): void {
    const due = this.#waiting.filter(({ position }) => position <= applied);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ position }) => position > applied);
    due.sort((left, right) => left.position - right.position);
    for (const { resolve } of due) resolve();
  }

  /** Those who come later are rejected too. */
  rejectAll(cause: unknown): void {
    this.#ended ??= { cause };
    for (const { reject } of this.#waiting.splice(0)) reject(cause);
  }
}

/**
 * The one reader that a consumer has now: a subscription that remembers what it gave out, so that an
 * acknowledgement can be held against it, and that says why it ends when another takes its place.
 */
import type { Position } from '../../domain/names.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { type Result, refuse } from '../../domain/result.ts';
import type { Batch, Place, Subscription } from '../subscriptions/subscriptions.ts';

export class Reading implements Subscription {
  readonly #inner: Subscription;
  readonly #onClose: () => void;
  #ended: Rejection | undefined;
  #isClosed = false;
  /** The last event that was given out; 0 for none. */
  #given = 0 as Position;
  /** How far the log was looked through when it was. */
  #through: Place;

  constructor(inner: Subscription, onClose: () => void) {
    this.#inner = inner;
    this.#onClose = onClose;
    this.#through = inner.at;
  }

  get at(): Place {
    return this.#inner.at;
  }

  /** All that its client can know of. */
  get known(): Position {
    return Math.max(this.#given, this.#through.position, this.at.position) as Position;
  }

  /** How far a consumer has come that has acknowledged all up to `acked`. */
  settled(acked: Place): Place {
    if (acked.position < this.#given) return acked;
    const through = this.#through.position > this.at.position ? this.#through : this.at;
    return through.position > acked.position ? through : acked;
  }

  async next(): Promise<Result<Batch> | undefined> {
    const next = await this.#inner.next();
    if (this.#ended) return refuse(this.#ended);
    if (!next?.ok) return next;
    const { events, through } = next.value;
    this.#given = events.at(-1)?.place.position ?? this.#given;
    this.#through = through;
    return next;
  }

  lag() {
    return this.#inner.lag();
  }

  /** Its client is told why. */
  end(reason: Rejection): void {
    this.#ended = reason;
    this.close();
  }

  close(): void {
    this.#inner.close();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose();
  }
}

/**
 * Open streams, however they are written: what comes next is asked for once the client has taken what
 * came before, so a slow client holds nothing but its place.
 *
 * One clock ticks for all of them: it moves on clients to whom nothing was said, keeps connections
 * alive, closes those that take nothing, and ends those whose token expired. A stream that the server
 * ends says why.
 */
import type { Rejection } from '../../domain/rejection.ts';
import type { Batch, Place, Subscription } from '../../service/subscriptions/subscriptions.ts';

/** A client on the other end of a connection. */
export interface Outlet {
  /** False where the client is slow: nothing more is to be sent until `drained` resolves. */
  send(batch: Batch): boolean;
  /** Resolves once the client has taken what was sent, or is gone. */
  drained(): Promise<void>;
  /** The client has heard of all that concerns it up to here. Answers as `send`. */
  place(place: Place): boolean;
  /** Keeps the connection from looking dead. Answers as `send`. */
  beat(): boolean;
  /** Says why, and ends it. */
  end(reason: Pick<Rejection, 'code' | 'message'>): void;
  /** Lets go of the connection at once. */
  destroy(): void;
  readonly isGone: boolean;
}

export interface StreamTimes {
  readonly tickMs: number;
  /** Between two signs of life. */
  readonly beatMs: number;
  /** Between two places that nothing was to be said of. */
  readonly placeMs: number;
  /** How long a client may take nothing of what it was sent. */
  readonly stallMs: number;
}

export const usualTimes: StreamTimes = {
  tickMs: 1_000,
  beatMs: 15_000,
  placeMs: 1_000,
  stallMs: 30_000,
};

export interface StreamOptions {
  /** Unix ms; from then on the caller's token is void. */
  readonly expiresAtMs: number | undefined;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
}

export interface Streams {
  /** Resolves once the stream is over; the subscription is closed then. */
  run(subscription: Subscription, outlet: Outlet, options: StreamOptions): Promise<void>;
}

export function createStreams(times: StreamTimes, now: () => number): Streams {
  const open = new Set<Stream>();
  let ticking: NodeJS.Timeout | undefined;
  const tick = () => {
    for (const stream of open) stream.tick(now());
  };
  return {
    async run(subscription, outlet, options) {
      const stream = new Stream(subscription, outlet, { ...options, times, now });
      open.add(stream);
      ticking ??= setInterval(tick, times.tickMs);
      try {
        await stream.run();
      } finally {
        open.delete(stream);
        if (open.size === 0) {
          clearInterval(ticking);
          ticking = undefined;
        }
      }
    },
  };
}

const closing = { code: 'NotReady', message: 'The server is shutting down' } as const;
const expired = { code: 'InvalidJWT', message: 'The token has expired' } as const;

class Stream {
  readonly #subscription: Subscription;
  readonly #outlet: Outlet;
  readonly #options: StreamOptions & { readonly times: StreamTimes; readonly now: () => number };
  /** What the client was last told of. */
  #told: number;
  #lastSentMs: number;
  /** Since when the client has not taken what it was sent. */
  #slowSinceMs: number | undefined;
  #isEnding = false;

  constructor(
    subscription: Subscription,
    outlet: Outlet,
    options: StreamOptions & { readonly times: StreamTimes; readonly now: () => number },
  ) {
    this.#subscription = subscription;
    this.#outlet = outlet;
    this.#options = options;
    this.#told = subscription.at.position;
    this.#lastSentMs = options.now();
  }

  async run(): Promise<void> {
    const { closing: signal } = this.#options;
    const close = () => this.#end(closing);
    signal.addEventListener('abort', close);
    try {
      if (signal.aborted) close();
      await this.#pump();
    } catch (fault) {
      // The client comes back to where it was, and is told then what is wrong.
      this.#outlet.destroy();
      throw fault;
    } finally {
      signal.removeEventListener('abort', close);
      this.#subscription.close();
    }
    // Only a client that takes nothing keeps it from ending, and the clock sees to that.
    await this.#outlet.drained();
  }

  tick(nowMs: number): void {
    const { times, expiresAtMs } = this.#options;
    if (this.#slowSinceMs !== undefined && nowMs - this.#slowSinceMs >= times.stallMs) {
      this.#outlet.destroy();
      this.#subscription.close();
      return;
    }
    if (expiresAtMs !== undefined && nowMs >= expiresAtMs) this.#end(expired);
    if (this.#isEnding || this.#slowSinceMs !== undefined) return;
    const { at } = this.#subscription;
    const quietMs = nowMs - this.#lastSentMs;
    if (at.position > this.#told && quietMs >= times.placeMs) {
      void this.#untilTaken(this.#outlet.place(at));
      this.#sent(at);
    } else if (quietMs >= times.beatMs) {
      void this.#untilTaken(this.#outlet.beat());
      this.#lastSentMs = nowMs;
    }
  }

  async #pump(): Promise<void> {
    while (!this.#isEnding && !this.#outlet.isGone) {
      const next = await this.#subscription.next();
      if (!next || this.#isEnding || this.#outlet.isGone) return;
      if (!next.ok) return this.#end(next.rejection);
      const isTaken = this.#outlet.send(next.value);
      this.#sent(lastOf(next.value));
      await this.#untilTaken(isTaken);
    }
  }

  async #untilTaken(isTaken: boolean): Promise<void> {
    if (isTaken) return;
    this.#slowSinceMs ??= this.#options.now();
    await this.#outlet.drained();
    if (!this.#isEnding) this.#slowSinceMs = undefined;
  }

  #sent({ position }: Place): void {
    this.#told = position;
    this.#lastSentMs = this.#options.now();
  }

  #end(reason: Pick<Rejection, 'code' | 'message'>): void {
    if (this.#isEnding || this.#outlet.isGone) return;
    this.#isEnding = true;
    this.#slowSinceMs ??= this.#options.now();
    this.#outlet.end(reason);
    this.#subscription.close();
  }
}

/** What the client knows of after the batch: the place of its last event, or of having caught up. */
function lastOf({ events, through, caughtUp }: Batch): Place {
  return caughtUp ? through : (events.at(-1)?.place ?? through);
}

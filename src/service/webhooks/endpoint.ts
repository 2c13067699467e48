/**
 * One webhook at work: a reader of the log that hands each event to its receiver, in order, and goes
 * on when that was answered with a 2xx. What fails is tried again by the schedule and then parked.
 *
 * Promises: at least once, in order but for what was parked; each try is decided anew, for whoever
 * made the webhook, so what was closed meanwhile is not sent; nothing is held in memory but the event
 * at hand, and no reader of the log while it waits for its next try.
 */
import { callerOf, ownerName } from '../../domain/consumers/owner.ts';
import type { Clock, Observe } from '../../domain/effects.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { retryAfterMs, waitAfter } from '../../domain/webhooks/retry.ts';
import { signingSecrets, type WebhookRow } from '../../domain/webhooks/webhook.ts';
import type { Cursors } from '../../home/cursors.ts';
import type { WebhookSecrets } from '../../home/webhook-secrets.ts';
import type { Views } from '../../views/views.ts';
import type { Call } from '../service.ts';
import type {
  Delivery,
  Place,
  Subscription,
  Subscriptions,
} from '../subscriptions/subscriptions.ts';
import type { Pause } from '../upkeep/rate.ts';
import type { Outcome, Send } from './outward/send.ts';
import { signedHeaders } from './outward/signature.ts';
import {
  type Attempt,
  documentOf,
  fromOf,
  maxParked,
  type Parked,
  type Progress,
  progressFrom,
  progressIn,
} from './progress.ts';
import type { Slots } from './slots.ts';

export interface EndpointParts {
  readonly views: Pick<Views, 'webhook'>;
  readonly subscriptions: Pick<Subscriptions, 'open'>;
  readonly cursors: Pick<Cursors, 'read' | 'keep' | 'flush'>;
  readonly secrets: Pick<WebhookSecrets, 'read'>;
  readonly send: Send;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly pause: Pause;
  /** From 0 up to 1, not included. */
  readonly chance: () => number;
  readonly observe: Observe;
  /** Records that the store itself sends no more to the webhook. */
  readonly disable: (id: string, reason: string) => Promise<void>;
}

/** What was decided longer ago is decided again. */
const staleMs = 5_000;
const faultPauseMs = 5_000;
const refusedPauseMs = 1_000;

export const cursorOf = (id: string) => `webhook-${id}`;

export class Endpoint {
  readonly #parts: EndpointParts;
  readonly #id: string;
  readonly #stopping = new AbortController();
  #waking = new AbortController();
  #loading: Promise<void> | undefined;
  /** As it was made until it is loaded. */
  #progress: Progress;
  /** Counts what changed the progress from outside: what was under way then counts no more. */
  #changes = 0;
  #subscription: Subscription | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: EndpointParts, { id, from }: Pick<WebhookRow, 'id' | 'from'>) {
    this.#parts = parts;
    this.#id = id;
    this.#progress = progressFrom(from);
  }

  async progress(): Promise<Progress> {
    await this.#load();
    return this.#progress;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Looks again at what there is to do: the webhook was changed. */
  wake(): void {
    this.#waking.abort();
    this.#subscription?.close();
  }

  /** Durable when it resolves. */
  async change(change: (progress: Progress) => Progress): Promise<Progress> {
    await this.#load();
    this.#changes += 1;
    this.#keep(change(this.#progress));
    await this.#parts.cursors.flush(cursorOf(this.#id));
    this.wake();
    return this.#progress;
  }

  /** A delivery under way is given up, and is made again some day. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the webhook stops'));
    this.wake();
    await this.#running;
  }

  /** Sends one message now; it is not tried again and no progress. */
  async attempt(webhook: WebhookRow, message: { id: string; body: string }): Promise<Outcome> {
    const { clock, secrets, send, slots } = this.#parts;
    const { signal } = this.#stopping;
    const ids = signingSecrets(webhook, clock.now()).map(({ id }) => id);
    const signing = (await secrets.read(ids)).map(({ text }) => text);
    if (signing.length === 0) {
      return { kind: 'failed', error: 'its secret is missing: rotate it' };
    }
    return slots.run(ownerName(webhook), signal, () => {
      const headers = signedHeaders({ ...message, nowMs: clock.now(), secrets: signing });
      return send({ url: webhook.url, headers, body: message.body }, signal);
    });
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#waking = new AbortController();
      try {
        await this.#load();
        await this.#round();
      } catch (fault) {
        if (this.#isStopped) return;
        this.#parts.observe.error('a webhook met a fault and goes on in a while', {
          webhook: this.#id,
          fault: String(fault),
        });
        await this.#rest(faultPauseMs);
      }
    }
  }

  /** What fails is tried again by whoever asks next. */
  #load(): Promise<void> {
    this.#loading ??= this.#parts.cursors.read(cursorOf(this.#id)).then(
      (document) => {
        this.#progress = progressIn(document) ?? this.#progress;
      },
      (fault: unknown) => {
        this.#loading = undefined;
        throw fault;
      },
    );
    return this.#loading;
  }

  async #round(): Promise<void> {
    const webhook = this.#parts.views.webhook(this.#id);
    if (webhook?.state !== 'active') return this.#untilWoken();
    const due = this.#progress.parked.find((one) => one.due);
    if (due) return this.#again(webhook, due);
    const { trying } = this.#progress;
    const waitMs = trying ? trying.nextMs - this.#parts.clock.now() : 0;
    if (waitMs > 0) return this.#rest(waitMs);
    return this.#follow(webhook);
  }

  async #follow(webhook: WebhookRow): Promise<void> {
    const changes = this.#changes;
    const found = await this.#reading(webhook, this.#progress.at, async (subscription) => {
      const batch = await subscription.next();
      if (!batch?.ok) return batch ? batch.rejection : 'ended';
      const { events, through } = batch.value;
      const givenMs = this.#parts.clock.now();
      for (const event of events) {
        const isDone = await this.#deliver(webhook, event);
        const isStale = this.#parts.clock.now() - givenMs > staleMs;
        if (!isDone || isStale || this.#waking.signal.aborted) return 'ended';
      }
      if (changes === this.#changes) this.#keep({ ...this.#progress, at: through });
      return 'more';
    });
    const { at } = found ?? this.#progress;
    // What was looked through while nothing came need not be looked through again.
    if (changes === this.#changes && at.position > this.#progress.at.position) {
      this.#keep({ ...this.#progress, at });
    }
  }

  /** Opens a reader after `place`, and calls `read` until it is done; answers how far it came. */
  async #reading(
    webhook: WebhookRow,
    place: Place,
    read: (subscription: Subscription) => Promise<'more' | 'ended' | Rejection>,
  ): Promise<{ readonly at: Place } | undefined> {
    const opened = await this.#parts.subscriptions.open(callOf(webhook), {
      filters: [webhook.filter],
      from: fromOf(place),
      isStanding: true,
      isInternal: true,
    });
    if (!opened.ok) {
      await this.#refused(opened.rejection);
      return undefined;
    }
    const subscription = opened.value;
    this.#subscription = subscription;
    try {
      let said: 'more' | 'ended' | Rejection = 'more';
      while (said === 'more' && !this.#waking.signal.aborted) said = await read(subscription);
      if (typeof said === 'object') await this.#refused(said);
      return { at: subscription.at };
    } finally {
      this.#subscription = undefined;
      subscription.close();
    }
  }

  /** True where the next event may follow: this one was taken, or is parked. */
  async #deliver(webhook: WebhookRow, event: Delivery): Promise<boolean> {
    const changes = this.#changes;
    const { clock, chance, observe } = this.#parts;
    const { at, trying, parked } = this.#progress;
    const { place } = event;
    const before = trying?.place.position === place.position ? trying.tries : 0;
    const { attempt, retryAfter } = await this.#try(webhook, event);
    if (changes !== this.#changes) return false;
    if (attempt.delivered) {
      this.#keep({ ...this.#progress, at: place, trying: null, last: attempt });
      return true;
    }
    const tries = before + 1;
    const nowMs = clock.now();
    const askedMs = retryAfterMs(retryAfter, { nowMs, parseDate: Date.parse });
    const waitMs = waitAfter({ tries, askedMs, random: chance() });
    observe.debug('a webhook was not delivered', { webhook: this.#id, tries, ...attempt });
    if (waitMs !== undefined) {
      const next = { place, tries, nextMs: nowMs + waitMs };
      this.#keep({ ...this.#progress, trying: next, last: attempt });
    } else {
      const one: Parked = { place, after: at, tries, last: attempt, due: false };
      this.#keep({ at: place, trying: null, parked: [...parked, one], last: attempt });
      observe.warn('a webhook’s event is parked', { webhook: this.#id, position: place.position });
    }
    if (attempt.status === 410) await this.#disable('the receiver says that it is gone (410)');
    else if (this.#progress.parked.length >= maxParked) await this.#disable(tooManyParked);
    return waitMs === undefined;
  }

  /** One more try of what was parked; where it fails, the others are not tried either. */
  async #again(webhook: WebhookRow, parked: Parked): Promise<void> {
    const changes = this.#changes;
    const { position } = parked.place;
    let event: Delivery | undefined;
    const read = await this.#reading(webhook, parked.after, async (subscription) => {
      const batch = await subscription.next();
      if (!batch?.ok) return batch ? batch.rejection : 'ended';
      const { events, through } = batch.value;
      event = events.find(({ place }) => place.position === position);
      return event || through.position >= position ? 'ended' : 'more';
    });
    if (!read || this.#waking.signal.aborted) return;
    const others = () => this.#progress.parked.filter((one) => one.place.position !== position);
    // What may not be seen any more is none of this webhook's now.
    const attempt = event ? (await this.#try(webhook, event)).attempt : undefined;
    if (changes !== this.#changes) return;
    if (!attempt || attempt.delivered) {
      this.#keep({ ...this.#progress, parked: others(), last: attempt ?? this.#progress.last });
      return;
    }
    const failed: Parked = { ...parked, tries: parked.tries + 1, last: attempt };
    const all = this.#progress.parked.map((one) => ({
      ...(one.place.position === position ? failed : one),
      due: false,
    }));
    this.#keep({ ...this.#progress, parked: all, last: attempt });
    if (attempt.status === 410) await this.#disable('the receiver says that it is gone (410)');
  }

  async #try(webhook: WebhookRow, { place, json }: Delivery) {
    const message = { id: `evt_${place.epoch}_${place.position}`, body: json };
    // Its secrets may have been rotated since the reader was opened.
    const current = this.#parts.views.webhook(this.#id) ?? webhook;
    const outcome = await this.attempt(current, message);
    const retryAfter = outcome.kind === 'answered' ? outcome.retryAfter : undefined;
    return { attempt: attemptOf(outcome, this.#parts.clock.now()), retryAfter };
  }

  async #refused({ code, message = code }: Rejection): Promise<void> {
    if (code === 'PositionGone') await this.#disable(`${message}: replay from another position`);
    else await this.#rest(refusedPauseMs);
  }

  async #disable(reason: string): Promise<void> {
    this.#parts.observe.warn('a webhook is disabled', { webhook: this.#id, reason });
    await this.#parts.disable(this.#id, reason);
    // A record that can't be written now is tried again in a while.
    if (this.#parts.views.webhook(this.#id)?.state === 'active') await this.#rest(faultPauseMs);
    this.#waking.abort();
  }

  #keep(progress: Progress): void {
    this.#progress = progress;
    this.#parts.cursors.keep(cursorOf(this.#id), documentOf(progress));
  }

  async #rest(ms: number): Promise<void> {
    await this.#parts.pause(ms, this.#waking.signal).catch(() => undefined);
  }

  #untilWoken(): Promise<void> {
    const { signal } = this.#waking;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }
}

const tooManyParked = `${maxParked} events are parked: replay them`;

export function attemptOf(outcome: Outcome, atMs: number): Attempt {
  if (outcome.kind === 'failed') {
    return { atMs, delivered: false, status: null, error: outcome.error };
  }
  const { status } = outcome;
  return { atMs, delivered: status >= 200 && status < 300, status, error: null };
}

function callOf(webhook: WebhookRow): Call {
  return { caller: callerOf(webhook), requestId: `webhook-${webhook.id}` };
}

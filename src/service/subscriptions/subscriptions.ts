/**
 * Events as they happen, and from any place of the log on (E2, E4): the one core under server-sent
 * events, WebSockets, consumers and webhooks.
 *
 * Promises: every event that the caller may hear of and asked for is given out once, in the order of
 * the log, each when it is durable and applied; each is decided anew when it is given out; a
 * subscription costs the same memory however far it is behind.
 */
import { callerId } from '../../domain/caller.ts';
import type { Observe } from '../../domain/effects.ts';
import type { EventFilter } from '../../domain/events.ts';
import type { BucketName, Position } from '../../domain/names.ts';
import { seesBucket } from '../../domain/policy.ts';
import type { PublicType } from '../../domain/public-events/announcement.ts';
import type { PublicEvent } from '../../domain/public-events/public-event.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { type Journal, LogTruncated } from '../../journal/index.ts';
import type { Applier } from '../../views/applier.ts';
import type { Views } from '../../views/views.ts';
import type { Access } from '../access.ts';
import type { HealthMonitor } from '../health.ts';
import type { Call } from '../service.ts';
import { Readers } from './readers.ts';
import {
  createStreamTokens,
  type Redeemed,
  type StreamToken,
  type StreamTokenParts,
} from './stream-tokens.ts';
import { Cursor } from './subscription.ts';
import { Tap } from './tap.ts';
import { createTodaysBuckets } from './todays-buckets.ts';

/** A record's place in this history of the store, which a restored backup does not share. */
export interface Place {
  readonly epoch: number;
  readonly position: Position;
}

/** Where to begin: with what comes after. */
export type From =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'now' }
  | { readonly kind: 'after'; readonly position: Position; readonly epoch?: number };

export interface SubscriptionRequest {
  /** What fits each of them is given out. */
  readonly filters: readonly EventFilter[];
  readonly from: From;
  /** It stands by a definition of its own: a bucket that it names may be gone or not there yet. */
  readonly isStanding?: boolean;
  /** It is none of a client's connections and does not count among them. */
  readonly isInternal?: boolean;
}

export interface Delivery {
  readonly place: Place;
  readonly type: PublicType;
  /** When it was committed, Unix ms. */
  readonly timeMs: number;
  /** The event as JSON, on one line. */
  readonly json: string;
  event(): PublicEvent;
}

export interface Batch {
  /** In order; none where it only says that the subscriber has caught up. */
  readonly events: readonly Delivery[];
  /** How far the log was looked through for it. */
  readonly through: Place;
  /** True once: all that the log held when the subscription was opened has been given out. */
  readonly caughtUp: boolean;
}

export interface Subscription {
  /** All before it was given out, or is none of this subscription's, once `next` was called again. */
  readonly at: Place;
  /**
   * What comes next, as soon as there is something; to be called again once that is done with.
   * undefined after `close`; a refusal ends it too: PositionGone, NotReady.
   */
  next(): Promise<Result<Batch> | undefined>;
  /** How many records lie ahead, and how long ago the first of them was committed, about. */
  lag(): { readonly events: number; readonly ms: number };
  /** To be called in every case; ends a `next` that waits. */
  close(): void;
}

export interface Subscriptions {
  /** Refused with NoSuchBucket, PositionGone, Overloaded, or MissingAuthorization. */
  open(call: Call, request: SubscriptionRequest): Promise<Result<Subscription>>;
  /**
   * A token that opens one connection as the caller, to what fits the filter and no more. `untilMs` is
   * when the caller's own token ends, Unix ms: what it opened ends with it.
   */
  issueToken(
    call: Call,
    filter: EventFilter,
    untilMs: number | undefined,
  ): Promise<Result<StreamToken>>;
  /** Uses a token up. Refused with InvalidJWT. */
  redeemToken(token: string): Promise<Result<Redeemed>>;
  /** The connections of clients. */
  readonly count: number;
}

type SubscribedJournal =
  | 'head'
  | 'epoch'
  | 'oldest'
  | 'beginning'
  | 'epochAt'
  | 'read'
  | 'follow'
  | 'distance';

export interface SubscriptionParts extends Omit<StreamTokenParts, 'epoch'> {
  readonly journal: Pick<Journal, SubscribedJournal>;
  readonly applier: Pick<Applier, 'applied' | 'waitFor'>;
  readonly views: Pick<Views, 'applied' | 'bucket' | 'ownsAny'>;
  readonly access: Access;
  readonly observe: Observe;
  readonly health: Pick<HealthMonitor, 'closedTo'>;
  readonly streams?: StreamLimits;
}

export interface StreamLimits {
  /** Connections of clients; 10,000 where left out. */
  readonly maxSubscribers?: number;
  /** What the frames that came last may take in memory; 16 MiB where left out. */
  readonly recentBytes?: number;
}

const usualSubscribers = 10_000;
const usualRecentBytes = 16 * 1024 * 1024;

export function createSubscriptions(parts: SubscriptionParts): Subscriptions {
  const { journal, applier, views, clock, observe, health } = parts;
  const { maxSubscribers = usualSubscribers, recentBytes = usualRecentBytes } = parts.streams ?? {};
  const tap = new Tap({ ...parts, recentBytes });
  const readers = new Readers(journal);
  const today = createTodaysBuckets(views);
  const tokens = createStreamTokens({ ...parts, epoch: () => journal.epoch });
  let count = 0;

  function subscribe(call: Call, request: SubscriptionRequest, start: Place): Result<Subscription> {
    const { filters, isInternal = false } = request;
    if (!isInternal && count >= maxSubscribers) return refuse(tooMany);
    if (!isInternal) count += 1;
    tap.join();
    return ok(
      new Cursor({
        caller: call.caller,
        filters,
        start,
        level: applier.applied,
        tap,
        readers,
        today,
        applied: () => applier.applied,
        distance: (from, to) => journal.distance(from, to),
        now: () => clock.now(),
        onBypass: () => observe.count('service_bypass'),
        refusalOf: (fault) =>
          fault instanceof LogTruncated ? positionGone(parts) : health.closedTo('read'),
        onClose: () => {
          if (!isInternal) count -= 1;
          tap.leave();
        },
      }),
    );
  }

  return {
    get count() {
      return count;
    },
    async open(call, request) {
      const refusal = await refuseFilters(parts, call, request);
      if (refusal) return refuse(refusal);
      const start = startOf(parts, request.from);
      return start.ok ? subscribe(call, request, start.value) : start;
    },
    async issueToken(call, filter, untilMs) {
      const refusal = await refuseFilters(parts, call, { filters: [filter] });
      if (refusal) return refuse(refusal);
      return ok(await tokens.issue(call.caller, filter, untilMs));
    },
    redeemToken: (token) => tokens.redeem(token),
  };
}

const tooMany = rejection('Overloaded', 'There are too many subscribers', {
  hint: 'Try again later.',
});

/** Who may listen at all: what a list of the bucket, or of buckets, asks too. */
async function refuseFilters(
  { views, access }: SubscriptionParts,
  call: Call,
  { filters, isStanding = false }: Pick<SubscriptionRequest, 'filters' | 'isStanding'>,
): Promise<Rejection | undefined> {
  const { caller } = call;
  const named = filters.flatMap(({ bucket }) => (bucket === null ? [] : [bucket as BucketName]));
  if (caller.kind === 'anonymous' || named.length === 0 || isStanding) {
    return access(call, { action: 'bucket.list' });
  }
  for (const name of named) {
    const bucket = views.bucket(name);
    const id = callerId(caller);
    // Someone to whom the bucket does not exist still hears of what they own in it.
    const isHidden = bucket !== undefined && !seesBucket(caller, bucket);
    const ownsObjects = isHidden && id !== null && (await views.ownsAny(bucket.keyspace, id));
    const refusal = access(call, { action: 'object.list', bucket, ownsObjects });
    if (refusal) return refusal;
  }
  return undefined;
}

function startOf(parts: SubscriptionParts, from: From): Result<Place> {
  const { journal, applier } = parts;
  // Nothing is given out with this place: it only says what comes after it.
  if (from.kind === 'beginning') return ok({ epoch: 0, position: journal.beginning });
  const position = from.kind === 'now' ? applier.applied : from.position;
  const epoch = journal.epochAt(position);
  if (from.kind === 'now') return ok({ epoch: epoch ?? 0, position });
  if (from.epoch !== undefined && from.epoch !== epoch) return refuse(positionGone(parts));
  const isHeld = position >= journal.beginning && position <= journal.head;
  return isHeld ? ok({ epoch: epoch ?? 0, position }) : refuse(positionGone(parts));
}

function positionGone({ journal }: SubscriptionParts): Rejection {
  return rejection('PositionGone', 'The log does not hold what comes after that position', {
    hint: 'Begin with from=beginning or from=now.',
    facts: { oldest: journal.oldest, newest: journal.head },
  });
}

/**
 * Durable consumers: a name under which the store remembers how far its owner has read. One reader at
 * a time, the last that came; what was not acknowledged is given out again.
 */
import {
  type ConsumerRow,
  consumerAfter,
  decideDefine,
  decideRemoveConsumer,
  noSuchConsumer,
} from '../../domain/consumers/consumer.ts';
import { callerOf, ownerName, ownerOf } from '../../domain/consumers/owner.ts';
import type { Clock, Ids, Observe } from '../../domain/effects.ts';
import type { ConsumerDefined, ConsumerRemoved, EventFilter } from '../../domain/events.ts';
import type { Position } from '../../domain/names.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Cursors } from '../../home/cursors.ts';
import type { Journal } from '../../journal/index.ts';
import type { Views } from '../../views/views.ts';
import { authorOf, type Commit } from '../commit.ts';
import type { Once } from '../idempotency.ts';
import { consumersLock } from '../locks.ts';
import type { Ownership } from '../ownership.ts';
import type { Call, Changed } from '../service.ts';
import type { From, Place, Subscription, Subscriptions } from '../subscriptions/subscriptions.ts';
import { fromOf } from '../webhooks/progress.ts';
import { ConsumerProgress } from './progress.ts';

export interface ConsumerStatus {
  readonly consumer: ConsumerRow;
  /** All up to here is acknowledged, or none of the consumer's. */
  readonly at: Place;
  /** Records of the log that lie ahead, and how long ago the first of them was committed. */
  readonly lag: { readonly events: number; readonly ms: number };
  readonly isConnected: boolean;
}

export interface AskedConsumer {
  readonly name: string;
  readonly filter: EventFilter;
  /** Of a new one; an existing one stays where it is. */
  readonly from: From;
}

export interface Consumers {
  /** Makes one, or gives it another filter. */
  define(
    call: Call,
    asked: AskedConsumer,
  ): Promise<Result<Changed & { readonly consumer: ConsumerRow }>>;
  get(call: Call, name: string): Promise<Result<ConsumerStatus>>;
  /** The caller's own; everybody's for the service role. */
  list(call: Call): Promise<Result<readonly ConsumerStatus[]>>;
  remove(call: Call, name: string): Promise<Result<Changed>>;
  /** From what was acknowledged last on. Who read until now is told and ended. */
  open(call: Call, name: string): Promise<Result<Subscription>>;
  /** All up to `place`, itself included. How far the consumer has come is answered. */
  acknowledge(call: Call, name: string, place: Place): Promise<Result<Place>>;
}

export interface ConsumerParts {
  readonly views: Pick<Views, 'applied' | 'consumer' | 'consumers'>;
  readonly commit: Commit;
  readonly once: Once;
  readonly ownership: Ownership;
  readonly subscriptions: Pick<Subscriptions, 'open'>;
  readonly cursors: Pick<Cursors, 'read' | 'keep' | 'remove'>;
  readonly journal: Pick<Journal, 'epoch' | 'head' | 'oldest' | 'epochAt' | 'distance' | 'read'>;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly observe: Observe;
}

type Parts = ConsumerParts & { readonly progress: ConsumerProgress };

export function createConsumers(given: ConsumerParts): Consumers {
  const parts: Parts = { ...given, progress: new ConsumerProgress(given.cursors) };
  const { once, views, ownership } = parts;
  return {
    define: (call, asked) => once.run(call, () => define(parts, call, asked)),
    async get(call, name) {
      const found = find(parts, call, name);
      return found.ok ? ok(await statusOf(parts, found.value)) : found;
    },
    async list(call) {
      const owner = ownerOf(call.caller);
      if (!owner.ok) return owner;
      const isService = call.caller.kind === 'service';
      const rows = await views.consumers(isService ? undefined : owner.value);
      const shown = ownership.listed(call, rows, 'consumers');
      const statuses: ConsumerStatus[] = [];
      // One after the other: each opens a file of the log.
      for (const consumer of shown) statuses.push(await statusOf(parts, consumer));
      return ok(statuses);
    },
    remove: (call, name) => once.run(call, () => remove(parts, call, name)),
    open: (call, name) => open(parts, call, name),
    acknowledge: (call, name, place) => acknowledge(parts, call, { name, place }),
  };
}

/** A name is looked for among the caller's own: another owner's is another consumer. */
function find({ views }: Parts, { caller }: Call, name: string): Result<ConsumerRow> {
  const owner = ownerOf(caller);
  if (!owner.ok) return owner;
  const consumer = views.consumer(owner.value, name);
  return consumer ? ok(consumer) : refuse(noSuchConsumer);
}

async function define(
  parts: Parts,
  call: Call,
  { name, filter, from: asked }: AskedConsumer,
): ReturnType<Consumers['define']> {
  const { views, subscriptions, ids, commit } = parts;
  const owner = ownerOf(call.caller);
  if (!owner.ok) return owner;
  const from: From = views.consumer(owner.value, name) ? { kind: 'now' } : asked;
  const opened = await subscriptions.open(call, { filters: [filter], from, isInternal: true });
  if (!opened.ok) return opened;
  const begins = from.kind === 'now' ? null : opened.value.at.position;
  opened.value.close();
  const command = { owner: owner.value, name, filter, from: begins, id: ids.uuid() };
  const committed = await commit<ConsumerDefined>({
    ...authorOf(call),
    locks: [consumersLock(ownerName(owner.value))],
    decide: async () => {
      const { length: count } = await views.consumers(owner.value);
      const state = { consumer: views.consumer(owner.value, name), count };
      const decided = decideDefine(state, command);
      return decided.ok ? ok(decided.value ? [decided.value] : []) : decided;
    },
  });
  if (!committed.ok) return committed;
  const [event] = committed.value.events;
  const consumer = event
    ? consumerAfter(event, committed.value)
    : views.consumer(owner.value, name);
  if (!consumer) return refuse(noSuchConsumer);
  if (event) await parts.progress.end(consumer.id, changed);
  return ok({ consumer, position: committed.value.position });
}

const changed = rejection('NotReady', 'The consumer was changed: connect again');
const removed = rejection('NoSuchRoute', 'The consumer was deleted');
const takenOver = rejection('TakenOver', 'Another reader of this consumer has connected');

async function remove(parts: Parts, call: Call, name: string): Promise<Result<Changed>> {
  const found = find(parts, call, name);
  if (!found.ok) return found;
  const { id } = found.value;
  const committed = await parts.commit<ConsumerRemoved>({
    ...authorOf(call),
    locks: [consumersLock(ownerName(found.value))],
    decide: () => {
      const decided = decideRemoveConsumer(parts.views.consumer(found.value, name));
      return decided.ok ? ok([decided.value]) : decided;
    },
  });
  if (!committed.ok) return committed;
  await parts.progress.forget(id, removed).catch((fault: unknown) => {
    // The next start removes it.
    parts.observe.warn('a cursor could not be removed', { consumer: id, fault: String(fault) });
  });
  return ok({ position: committed.value.position });
}

async function open(parts: Parts, call: Call, name: string): Promise<Result<Subscription>> {
  const { progress, subscriptions } = parts;
  const found = find(parts, call, name);
  if (!found.ok) return found;
  const consumer = found.value;
  const opened = await subscriptions.open(
    { ...call, caller: callerOf(consumer) },
    { filters: [consumer.filter], from: fromOf(await progress.at(consumer)), isStanding: true },
  );
  if (!opened.ok) return opened;
  return ok(await progress.read(consumer, opened.value, takenOver));
}

async function acknowledge(
  parts: Parts,
  call: Call,
  { name, place }: { readonly name: string; readonly place: Place },
): Promise<Result<Place>> {
  const { journal, views, progress } = parts;
  const found = find(parts, call, name);
  if (!found.ok) return found;
  const { position, epoch } = place;
  const isAhead = position > views.applied;
  if (isAhead || journal.epochAt(position) !== epoch) {
    return refuse(
      rejection('PositionGone', 'The log has no record of that id', {
        hint: 'Acknowledge the id of an event as it was delivered.',
        facts: { oldest: journal.oldest, newest: journal.head },
      }),
    );
  }
  // What was written before this process began may have been given out before it, too.
  const isOfNow = epoch === journal.epoch;
  const { position: acked } = await progress.at(found.value);
  if (isOfNow && position > Math.max(acked, await progress.told(found.value))) {
    return refuse(rejection('InvalidRequest', 'The field "id": that was not delivered yet'));
  }
  return ok(await progress.acknowledge(found.value, place));
}

async function statusOf(parts: Parts, consumer: ConsumerRow): Promise<ConsumerStatus> {
  const { progress, journal, views, clock } = parts;
  const at = await progress.at(consumer);
  const events = journal.distance(at.position, views.applied);
  const firstMs = events > 0 ? await timeAfter(journal, at.position) : undefined;
  const ms = firstMs === undefined ? 0 : Math.max(0, clock.now() - firstMs);
  const isConnected = await progress.isConnected(consumer);
  return { consumer, at, lag: { events, ms }, isConnected };
}

/** When the first record after `position` was committed, Unix ms. */
async function timeAfter(
  journal: Pick<Journal, 'read'>,
  position: Position,
): Promise<number | undefined> {
  for await (const { timeMs } of journal.read(position)) return timeMs;
  return undefined;
}

/** Durable consumers: a name, what it wants to hear of, and where it began. Its cursor is elsewhere. */
import type {
  ConsumerDefined,
  ConsumerRemoved,
  EventFilter,
  SubscriptionOwner,
} from '../events.ts';
import type { Position } from '../names.ts';
import { type Rejection, rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';

/** What the views hold of a consumer. Times are Unix ms. */
export interface ConsumerRow extends Omit<ConsumerDefined, 'type' | 'created_at' | 'from'> {
  readonly from: Position;
  readonly created_at: number;
  readonly updated_at: number;
}

export const maxConsumersPerOwner = 100;

export const noSuchConsumer: Rejection = rejection('NoSuchRoute', 'There is no such consumer');

export function parseConsumerName(text: string): Result<string> {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text)) return ok(text);
  return refuse(
    rejection('InvalidRequest', 'The name of the consumer is not valid', {
      hint: 'Use 1 to 100 letters, digits, ".", "_" or "-", beginning with a letter or a digit.',
    }),
  );
}

export function consumerAfter(
  { type: _type, created_at, from, ...definition }: ConsumerDefined,
  { position, timeMs }: { readonly position: Position; readonly timeMs: number },
): ConsumerRow {
  return {
    ...definition,
    from: from ?? position,
    created_at: created_at ?? timeMs,
    updated_at: timeMs,
  };
}

export interface ConsumerState {
  /** The one of that name, where there is one. */
  readonly consumer: ConsumerRow | undefined;
  /** How many its owner has. */
  readonly count: number;
}

export interface DefineConsumer {
  readonly owner: SubscriptionOwner;
  readonly name: string;
  readonly filter: EventFilter;
  /** Counts for a new one only: what was acknowledged stays acknowledged. null: from its making on. */
  readonly from: Position | null;
  /** Of a new one. */
  readonly id: string;
}

/** The event, or undefined where the consumer is what was asked for already. */
export function decideDefine(
  { consumer, count }: ConsumerState,
  { owner, name, filter, from, id }: DefineConsumer,
): Result<ConsumerDefined | undefined> {
  if (consumer) {
    if (sameFilter(consumer.filter, filter)) return ok(undefined);
    const { updated_at: _updated, ...kept } = consumer;
    return ok({ type: 'consumer.defined', ...kept, filter });
  }
  if (count >= maxConsumersPerOwner) {
    return refuse(
      rejection('InvalidRequest', `An owner has at most ${maxConsumersPerOwner} consumers`, {
        hint: 'Delete those that nothing reads any more.',
      }),
    );
  }
  return ok({ type: 'consumer.defined', ...owner, id, name, filter, from, created_at: null });
}

export function decideRemoveConsumer(consumer: ConsumerRow | undefined): Result<ConsumerRemoved> {
  if (!consumer) return refuse(noSuchConsumer);
  const { owner_role, owner_id, name } = consumer;
  return ok({ type: 'consumer.removed', owner_role, owner_id, name });
}

function sameFilter(left: EventFilter, right: EventFilter): boolean {
  const types = ({ types: some }: EventFilter) => some && [...some].sort().join();
  return (
    left.bucket === right.bucket && left.prefix === right.prefix && types(left) === types(right)
  );
}

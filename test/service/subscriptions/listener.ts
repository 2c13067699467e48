/** A subscriber of a test: takes batches until it has caught up, or has as many events as it waits for. */
import type { EventFilter } from '../../../src/domain/events.ts';
import type { PublicEvent } from '../../../src/domain/public-events/public-event.ts';
import type { Call } from '../../../src/service/service.ts';
import type {
  From,
  Subscription,
  SubscriptionRequest,
} from '../../../src/service/subscriptions/subscriptions.ts';
import type { Rig } from '../../support/rig.ts';

export const everything: EventFilter = { bucket: null, prefix: null, types: null };

export interface Listening extends Partial<Omit<SubscriptionRequest, 'filters'>> {
  readonly filter?: Partial<EventFilter>;
}

export async function listen(
  { store }: Rig,
  call: Call,
  { filter, from = { kind: 'beginning' }, ...rest }: Listening = {},
) {
  const filters = [{ ...everything, ...filter }];
  return store.service.subscriptions.open(call, { filters, from, ...rest });
}

/** As `listen`; a refusal throws. */
export async function listening(
  rig: Rig,
  call: Call,
  options: Listening = {},
): Promise<Subscription> {
  const opened = await listen(rig, call, options);
  if (!opened.ok) throw new Error(opened.rejection.code);
  return opened.value;
}

/** What comes until `enough`. */
export async function take(
  subscription: Subscription,
  enough: (events: readonly PublicEvent[], caughtUp: boolean) => boolean,
): Promise<PublicEvent[]> {
  const events: PublicEvent[] = [];
  let caughtUp = false;
  while (!enough(events, caughtUp)) {
    const batch = await subscription.next();
    if (!batch) throw new Error('the subscription was closed');
    if (!batch.ok) throw new Error(batch.rejection.code);
    for (const { json, event } of batch.value.events) {
      const parsed = JSON.parse(json) as PublicEvent;
      if (JSON.stringify(event()) !== json) throw new Error('the event is not its JSON');
      events.push(parsed);
    }
    caughtUp ||= batch.value.caughtUp;
  }
  return events;
}

/** All that the caller hears of from `from` until now. */
export async function heard(rig: Rig, call: Call, options: Listening = {}): Promise<PublicEvent[]> {
  const subscription = await listening(rig, call, options);
  try {
    return await take(subscription, (_, caughtUp) => caughtUp);
  } finally {
    subscription.close();
  }
}

export function behind(position: number, epoch?: number): From {
  return {
    kind: 'after',
    position: position as Extract<From, { kind: 'after' }>['position'],
    ...(epoch === undefined ? {} : { epoch }),
  };
}

/** `type bucket/path`, the shortest that tells events apart. */
export function brief({ type, bucket, path, previous }: PublicEvent): string {
  const was = previous?.path === undefined ? '' : ` from ${previous.bucket}/${previous.path}`;
  return `${type.slice('storage.'.length)} ${bucket}${path === null ? '' : `/${path}`}${was}`;
}

/** Consumers as JSON. */
import type { ConsumerRow } from '../../domain/consumers/consumer.ts';
import { instantText } from '../../domain/values/instants.ts';
import type { ConsumerStatus } from '../../service/consumers/consumers.ts';

export function definitionJson({ name, filter, owner_id, created_at, updated_at }: ConsumerRow) {
  return {
    name,
    ...filter,
    owner_id,
    created_at: instantText(created_at),
    updated_at: instantText(updated_at),
  };
}

export function consumerJson({ consumer, at, lag, isConnected }: ConsumerStatus) {
  return {
    ...definitionJson(consumer),
    position: at.position,
    lag: { events: lag.events, seconds: Math.round(lag.ms) / 1000 },
    connected: isConnected,
  };
}

/** Consumers as JSON. */
import { instantText } from '../../domain/values/instants.ts';
import type { ConsumerStatus } from '../../service/consumers/consumers.ts';

export function consumerJson({ consumer, at, lag, isConnected }: ConsumerStatus) {
  const { name, filter, owner_id, created_at, updated_at } = consumer;
  return {
    name,
    ...filter,
    owner_id,
    created_at: instantText(created_at),
    updated_at: instantText(updated_at),
    position: at.position,
    lag: { events: lag.events, seconds: Math.round(lag.ms) / 1000 },
    connected: isConnected,
  };
}

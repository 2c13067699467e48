/**
 * The webhooks at work, one endpoint each: begun with the store, changed with their definitions. Where
 * a store is opened for a command, nothing is sent; what is asked of progress is answered all the same.
 */
import type { WebhookRow } from '../../domain/webhooks/webhook.ts';
import type { Cursors } from '../../home/cursors.ts';
import type { Views } from '../../views/views.ts';
import { cursorOf, Endpoint, type EndpointParts } from './endpoint.ts';
import { createSlots } from './slots.ts';

export interface DeliveryParts extends Omit<EndpointParts, 'slots' | 'cursors'> {
  readonly views: Pick<Views, 'webhook' | 'webhooks'>;
  readonly cursors: Pick<Cursors, 'read' | 'keep' | 'flush' | 'remove'>;
}

export interface Deliveries {
  /** Begins to send. */
  start(): Promise<void>;
  /** To be called after a webhook was made or changed. */
  changed(webhook: WebhookRow): void;
  /** To be called after one was removed. */
  removed(id: string): Promise<void>;
  endpoint(webhook: WebhookRow): Endpoint;
  stop(): Promise<void>;
}

/** Deliveries at once, of all and of one owner. */
const atOnce = { total: 64, perOwner: 8 };

export function createDeliveries(parts: DeliveryParts): Deliveries {
  const slots = createSlots(atOnce);
  const endpoints = new Map<string, Endpoint>();
  let isSending = false;

  const endpoint = (webhook: WebhookRow): Endpoint => {
    const known = endpoints.get(webhook.id);
    if (known) return known;
    const made = new Endpoint({ ...parts, slots }, webhook);
    endpoints.set(webhook.id, made);
    return made;
  };
  const changed = (webhook: WebhookRow): void => {
    const one = endpoint(webhook);
    if (!isSending) return;
    one.start();
    one.wake();
  };

  return {
    async start() {
      isSending = true;
      for (const webhook of await parts.views.webhooks()) changed(webhook);
    },
    changed,
    async removed(id) {
      const one = endpoints.get(id);
      endpoints.delete(id);
      await one?.stop();
      await parts.cursors.remove(cursorOf(id));
    },
    endpoint,
    async stop() {
      isSending = false;
      await Promise.all([...endpoints.values()].map((one) => one.stop()));
    },
  };
}

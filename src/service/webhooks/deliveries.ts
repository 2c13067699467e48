/**
 * The webhooks at work, one endpoint each: begun with the store, changed with their definitions. Where
 * a store is opened for a command, nothing is sent; what is asked of progress is answered all the same.
 */
import type { WebhookRow } from '../../domain/webhooks/webhook.ts';
import type { Cursors } from '../../home/cursors.ts';
import type { Views } from '../../views/views.ts';
import { cursorOf, Endpoint, type EndpointParts } from './endpoint.ts';
import { type Progress, progressFrom, progressIn } from './progress.ts';
import { createSlots } from './slots.ts';

export interface DeliveryParts extends Omit<EndpointParts, 'slots' | 'cursors'> {
  readonly views: Pick<Views, 'webhook' | 'webhooks'>;
  readonly cursors: Pick<Cursors, 'read' | 'keep' | 'flush' | 'remove'>;
}

export interface Deliveries {
  /** Begins to send. */
  start(): Promise<void>;
  /** To be called after a webhook was made, changed or removed. */
  changed(id: string): Promise<void>;
  /** undefined for one that was removed meanwhile. */
  endpoint(id: string): Promise<Endpoint | undefined>;
  progress(webhook: WebhookRow): Promise<Progress>;
  stop(): Promise<void>;
}

/** Deliveries at once, of all and of one owner. */
const atOnce = { total: 64, perOwner: 8 };

export function createDeliveries(parts: DeliveryParts): Deliveries {
  const slots = createSlots(atOnce);
  const endpoints = new Map<string, Promise<Endpoint>>();
  let isSending = false;

  const make = async (webhook: WebhookRow): Promise<Endpoint> => {
    const { id, from } = webhook;
    const found = progressIn(await parts.cursors.read(cursorOf(id)));
    return new Endpoint({ ...parts, slots }, id, found ?? progressFrom(from));
  };
  const endpointOf = (webhook: WebhookRow): Promise<Endpoint> => {
    const known = endpoints.get(webhook.id);
    if (known) return known;
    const made = make(webhook);
    endpoints.set(webhook.id, made);
    // Who asks next tries again.
    made.catch(() => endpoints.delete(webhook.id));
    return made;
  };
  const begin = async (webhook: WebhookRow): Promise<void> => {
    const endpoint = await endpointOf(webhook);
    if (!isSending) return;
    endpoint.start();
    endpoint.wake();
  };

  return {
    async start() {
      isSending = true;
      for (const webhook of await parts.views.webhooks()) await begin(webhook);
    },
    async changed(id) {
      const webhook = parts.views.webhook(id);
      if (webhook) return begin(webhook);
      const endpoint = await endpoints.get(id);
      endpoints.delete(id);
      await endpoint?.stop();
      await parts.cursors.remove(cursorOf(id));
    },
    async endpoint(id) {
      const webhook = parts.views.webhook(id);
      return webhook && endpointOf(webhook);
    },
    progress: async (webhook) => (await endpointOf(webhook)).progress,
    async stop() {
      isSending = false;
      const all = await Promise.allSettled(endpoints.values());
      await Promise.all(all.map((one) => one.status === 'fulfilled' && one.value.stop()));
    },
  };
}

/**
 * Who follows the log by a name of its own and is remembered: consumers and webhooks, over one folder of
 * cursors. Begun after the store has recovered, stopped before its log is closed.
 */
import type { Files } from '#files';
import type { Clock, Ids, Observe } from '../domain/effects.ts';
import { type Cursors, openCursors } from '../home/cursors.ts';
import type { Layout } from '../home/layout.ts';
import { openWebhookSecrets, type WebhookSecrets } from '../home/webhook-secrets.ts';
import type { Journal } from '../journal/index.ts';
import type { Views } from '../views/views.ts';
import type { Commit } from './commit.ts';
import { type Consumers, createConsumers } from './consumers/consumers.ts';
import { cursorOf as cursorOfConsumer } from './consumers/progress.ts';
import type { Once } from './idempotency.ts';
import { createOwnership } from './ownership.ts';
import type { Subscriptions } from './subscriptions/subscriptions.ts';
import { type Pause, timerPause } from './upkeep/rate.ts';
import { disable } from './webhooks/changes.ts';
import { createDeliveries, type Deliveries } from './webhooks/deliveries.ts';
import { cursorOf as cursorOfWebhook } from './webhooks/endpoint.ts';
import { allowListOf } from './webhooks/outward/addresses.ts';
import { createResolve } from './webhooks/outward/resolve.ts';
import { createSend, type Send } from './webhooks/outward/send.ts';
import type { Resolve } from './webhooks/outward/target.ts';
import { createWebhooks, type Webhooks } from './webhooks/webhooks.ts';

export interface FollowerSettings {
  /** Webhooks are sent to; not where a store is opened for a command. */
  readonly delivers?: boolean;
  /** Hosts and CIDRs that webhooks may reach although they are not public. */
  readonly webhookAllow?: readonly string[];
  /** Webhooks may go without TLS. */
  readonly httpAllowed?: boolean;
  /** The world's unless told. */
  readonly send?: Send;
  readonly resolve?: Resolve;
  readonly secrets?: WebhookSecrets;
}

export interface FollowerParts {
  readonly files: Files;
  readonly layout: Layout;
  readonly random: (count: number) => Uint8Array;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly observe: Observe;
  readonly pause?: Pause;
  readonly views: Views;
  readonly journal: Journal;
  readonly commit: Commit;
  readonly once: Once;
  readonly subscriptions: Pick<Subscriptions, 'open'>;
  readonly followers?: FollowerSettings;
}

export interface Followers {
  readonly consumers: Consumers;
  readonly webhooks: Webhooks;
  start(): Promise<void>;
  /** What is under way is given up; how far each came is written down. */
  stop(): Promise<void>;
}

export function createFollowers(parts: FollowerParts): Followers {
  const { files, layout, random, clock, observe, pause = timerPause } = parts;
  const { followers: settings = {} } = parts;
  const secrets = settings.secrets ?? openWebhookSecrets({ files, layout, random });
  const cursors = openCursors({
    files,
    layout,
    now: () => clock.now(),
    pause,
    onFault: (name, fault) => {
      observe.warn('a cursor was lost, or could not be written', { name, fault: String(fault) });
    },
  });
  const target = {
    allow: allowListOf(settings.webhookAllow ?? []),
    httpAllowed: settings.httpAllowed ?? false,
    resolve: settings.resolve ?? createResolve(),
  };
  const shared = { ...parts, pause, cursors, secrets, ownership: createOwnership(observe) };
  const deliveries: Deliveries = createDeliveries({
    ...shared,
    send: settings.send ?? createSend(target),
    chance: () => Buffer.from(random(4)).readUInt32BE(0) / 2 ** 32,
    disable: (id, reason) => disable({ ...shared, deliveries }, id, reason),
  });
  return {
    consumers: createConsumers(shared),
    webhooks: createWebhooks({ ...shared, deliveries, target }),
    async start() {
      if (!settings.delivers) return;
      await forgetLost(parts, { cursors, secrets });
      await deliveries.start();
    },
    async stop() {
      await deliveries.stop();
      await cursors.close().catch((fault: unknown) => {
        observe.warn('cursors could not be written: some events are delivered again', {
          fault: String(fault),
        });
      });
    },
  };
}

/** What a crash left of those that are gone, or never came about. */
async function forgetLost(
  { views, observe }: Pick<FollowerParts, 'views' | 'observe'>,
  { cursors, secrets }: { readonly cursors: Cursors; readonly secrets: WebhookSecrets },
): Promise<void> {
  const [webhooks, consumers] = await Promise.all([views.webhooks(), views.consumers()]);
  const names = [
    ...webhooks.map(({ id }) => cursorOfWebhook(id)),
    ...consumers.map(({ id }) => cursorOfConsumer(id)),
  ];
  await cursors.keepOnly(new Set(names));
  const kept = webhooks.flatMap((webhook) => webhook.secrets.map(({ id }) => id));
  await secrets.keepOnly(new Set(kept)).catch((fault: unknown) => {
    observe.error('the secrets of webhooks can not be used', { fault: String(fault) });
  });
}

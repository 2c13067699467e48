/**
 * Webhooks (E3): made, shown, tested, rotated, paused and replayed by who made them, and by the service
 * role. Definitions are records; a secret is durable before the record that names it, so a rotation
 * that a crash cuts off has either happened or not.
 */
import { ownerOf } from '../../domain/consumers/owner.ts';
import type { Clock, Ids, Observe } from '../../domain/effects.ts';
import type { EventFilter, WebhookState } from '../../domain/events.ts';
import type { Position } from '../../domain/names.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { WebhookRow } from '../../domain/webhooks/webhook.ts';
import type { WebhookSecrets } from '../../home/webhook-secrets.ts';
import type { Views } from '../../views/views.ts';
import type { Commit } from '../commit.ts';
import type { Once } from '../idempotency.ts';
import type { Ownership } from '../ownership.ts';
import type { Call, Changed } from '../service.ts';
import type { From, Subscriptions } from '../subscriptions/subscriptions.ts';
import { create, find, playAgain, remove, rotate, setState, test } from './changes.ts';
import type { Deliveries } from './deliveries.ts';
import type { TargetRules } from './outward/target.ts';
import type { Attempt, Progress } from './progress.ts';

export interface WebhookStatus {
  readonly webhook: WebhookRow;
  readonly progress: Progress;
}

export type SecretShown = Changed & { readonly webhook: WebhookRow; readonly secret: string };
/** Left out where an earlier request made it. */
export type MadeSecret = ChangedWebhook & { readonly secret?: string };
export type ChangedWebhook = Changed & { readonly webhook: WebhookRow };

export interface AskedWebhook {
  readonly url: string;
  readonly filter: EventFilter;
}

export interface Tested extends Attempt {
  readonly tookMs: number;
}

/** What is sent once more: what comes after a place, or what is parked, all of it where none is named. */
export interface Replay {
  readonly from?: From;
  readonly positions?: readonly Position[];
}

/** How many parked events are tried again. */
export type Replayed = Changed & { readonly replayed: number };

export interface Webhooks {
  create(call: Call, asked: AskedWebhook): Promise<Result<SecretShown>>;
  /** The caller's own; everybody's for the service role. */
  list(call: Call): Promise<Result<readonly WebhookStatus[]>>;
  get(call: Call, id: string): Promise<Result<WebhookStatus>>;
  remove(call: Call, id: string): Promise<Result<Changed>>;
  rotate(call: Call, id: string): Promise<Result<SecretShown>>;
  setState(
    call: Call,
    id: string,
    state: Exclude<WebhookState, 'disabled'>,
  ): Promise<Result<ChangedWebhook>>;
  /** Sends a message that is no event, once. */
  test(call: Call, id: string): Promise<Result<Tested>>;
  replay(call: Call, id: string, replay: Replay): Promise<Result<Replayed>>;
}

export interface WebhookParts {
  readonly views: Pick<Views, 'applied' | 'webhook' | 'webhooks'>;
  readonly commit: Commit;
  readonly once: Once;
  readonly ownership: Ownership;
  readonly subscriptions: Pick<Subscriptions, 'open'>;
  readonly deliveries: Deliveries;
  readonly secrets: WebhookSecrets;
  readonly target: TargetRules;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly observe: Observe;
}

export function createWebhooks(parts: WebhookParts): Webhooks {
  const { views, once, deliveries } = parts;
  return {
    async create(call, asked) {
      return shown(parts, await once.run(call, () => create(parts, call, asked)));
    },

    async list(call) {
      const owner = ownerOf(call.caller);
      if (!owner.ok) return owner;
      const visible = parts.ownership.listed(call, await views.webhooks(), 'webhooks');
      return ok(await Promise.all(visible.map((webhook) => statusOf(deliveries, webhook))));
    },

    async get(call, id) {
      const found = find(parts, call, id);
      return found.ok ? ok(await statusOf(deliveries, found.value)) : found;
    },

    remove: (call, id) => once.run(call, () => remove(parts, call, id)),
    rotate: async (call, id) => shown(parts, await once.run(call, () => rotate(parts, call, id))),
    setState: (call, id, state) => once.run(call, () => setState(parts, call, { id, state })),
    test: (call, id) => test(parts, call, id),
    replay: (call, id, replay) => once.run(call, () => playAgain(parts, call, { id, replay })),
  };
}

async function statusOf(deliveries: Deliveries, webhook: WebhookRow): Promise<WebhookStatus> {
  return { webhook, progress: await deliveries.endpoint(webhook).progress() };
}

/** A repeat under an idempotency key is shown the secret of the first, as long as that signs. */
async function shown(
  { secrets }: WebhookParts,
  changed: Result<MadeSecret>,
): Promise<Result<SecretShown>> {
  if (!changed.ok) return changed;
  const { webhook, position } = changed.value;
  const [newest] = webhook.secrets;
  // What was made just now is not read again: a fault would hide what was done.
  const secret = changed.value.secret ?? (await secrets.read(newest ? [newest.id] : []))[0]?.text;
  if (secret !== undefined) return ok({ webhook, position, secret });
  return refuse(
    rejection('IdempotencyConflict', 'The secret of that request is not kept any more', {
      hint: 'Rotate it to get another one.',
    }),
  );
}

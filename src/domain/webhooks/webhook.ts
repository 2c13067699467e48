/**
 * Webhooks: where events are sent and what may become of that. The secrets that sign are named here
 * by id and kept elsewhere; a change of state is a record, progress is not.
 */
import type {
  EventFilter,
  SubscriptionOwner,
  WebhookDefined,
  WebhookRemoved,
  WebhookState,
} from '../events.ts';
import type { Position } from '../names.ts';
import { type Rejection, rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';

/** What the views hold of a webhook. Times are Unix ms. */
export interface WebhookRow extends Omit<WebhookDefined, 'type' | 'created_at' | 'from'> {
  readonly from: Position;
  readonly created_at: number;
  readonly updated_at: number;
}

export const maxWebhooksPerOwner = 20;
/** Each costs the server a reader of its own. */
export const maxWebhooks = 1_000;
/** For how long a secret goes on signing beside the one that replaced it. */
export const rotationMs = 24 * 60 * 60 * 1000;
/** Rotated more often, the oldest ends at once: a signature header stays short. */
const maxSecrets = 3;

export const noSuchWebhook: Rejection = rejection('NoSuchRoute', 'There is no such webhook');

export function webhookAfter(
  { type: _type, created_at, from, ...definition }: WebhookDefined,
  { position, timeMs }: { readonly position: Position; readonly timeMs: number },
): WebhookRow {
  return {
    ...definition,
    from: from ?? position,
    created_at: created_at ?? timeMs,
    updated_at: timeMs,
  };
}

export interface CreateWebhook {
  readonly owner: SubscriptionOwner;
  readonly id: string;
  readonly url: string;
  readonly filter: EventFilter;
  readonly secretId: string;
}

/** `counts`: how many there are, the owner's and everybody's. */
export function decideCreateWebhook(
  counts: { readonly ofOwner: number; readonly all: number },
  { owner, id, url, filter, secretId }: CreateWebhook,
): Result<WebhookDefined> {
  if (counts.ofOwner >= maxWebhooksPerOwner) {
    return refuse(
      rejection('InvalidRequest', `An owner has at most ${maxWebhooksPerOwner} webhooks`, {
        hint: 'Delete those that nothing listens to any more.',
      }),
    );
  }
  if (counts.all >= maxWebhooks) {
    return refuse(rejection('Overloaded', `The store has ${maxWebhooks} webhooks, and no more`));
  }
  return ok({
    type: 'webhook.defined',
    ...owner,
    id,
    url,
    filter,
    state: 'active',
    reason: null,
    secrets: [{ id: secretId, until: null }],
    from: null,
    created_at: null,
  });
}

/** The event, or undefined where the webhook is in that state already. */
export function decideWebhookState(
  webhook: WebhookRow | undefined,
  { state, reason = null }: { readonly state: WebhookState; readonly reason?: string | null },
): Result<WebhookDefined | undefined> {
  if (!webhook) return refuse(noSuchWebhook);
  if (webhook.state === state) return ok(undefined);
  return ok({ ...definitionOf(webhook), state, reason });
}

/** The secret of today goes on signing beside the new one for `rotationMs`. */
export function decideRotate(
  webhook: WebhookRow | undefined,
  { secretId, nowMs }: { readonly secretId: string; readonly nowMs: number },
): Result<WebhookDefined> {
  if (!webhook) return refuse(noSuchWebhook);
  const older = signingSecrets(webhook, nowMs).map(({ id, until }) => ({
    id,
    until: until ?? nowMs + rotationMs,
  }));
  const secrets = [{ id: secretId, until: null }, ...older].slice(0, maxSecrets);
  return ok({ ...definitionOf(webhook), secrets });
}

export function decideRemoveWebhook(webhook: WebhookRow | undefined): Result<WebhookRemoved> {
  if (!webhook) return refuse(noSuchWebhook);
  return ok({ type: 'webhook.removed', id: webhook.id, owner_id: webhook.owner_id });
}

/** The secrets that sign now, the newest first. */
export function signingSecrets(
  { secrets }: Pick<WebhookRow, 'secrets'>,
  nowMs: number,
): WebhookRow['secrets'] {
  return secrets.filter(({ until }) => until === null || until > nowMs);
}

function definitionOf({ updated_at: _updated, ...row }: WebhookRow): WebhookDefined {
  return { type: 'webhook.defined', ...row };
}

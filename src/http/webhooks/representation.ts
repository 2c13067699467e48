/** Webhooks as JSON. */

import { instantText } from '../../domain/values/instants.ts';
import type { WebhookRow } from '../../domain/webhooks/webhook.ts';
import type { Attempt } from '../../service/webhooks/progress.ts';
import type { WebhookStatus } from '../../service/webhooks/webhooks.ts';

const maxParkedShown = 100;

export function definitionJson(webhook: WebhookRow) {
  const { id, url, filter, state, reason, owner_id, created_at, updated_at } = webhook;
  return {
    id,
    url,
    ...filter,
    state,
    reason,
    owner_id,
    created_at: instantText(created_at),
    updated_at: instantText(updated_at),
  };
}

export function webhookJson({ webhook, progress }: WebhookStatus) {
  const { at, trying, last, parked } = progress;
  return {
    ...definitionJson(webhook),
    position: at.position,
    tries: trying?.tries ?? 0,
    next_try_at: trying ? instantText(trying.nextMs) : null,
    last: last && attemptJson(last),
    parked_count: parked.length,
  };
}

export function webhookWithParkedJson(status: WebhookStatus) {
  const parked = status.progress.parked.slice(0, maxParkedShown);
  return {
    ...webhookJson(status),
    parked: parked.map(({ place, tries, last }) => ({
      id: `evt_${place.epoch}_${place.position}`,
      tries,
      ...attemptJson(last),
    })),
  };
}

export function attemptJson({ atMs, delivered, status, error }: Attempt) {
  return { at: instantText(atMs), delivered, status, error };
}

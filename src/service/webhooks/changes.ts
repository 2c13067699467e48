/** What is done to a webhook: each a record, but a test, which is nothing, and a replay, which is progress. */
import { ownerOf, sameOwner } from '../../domain/consumers/owner.ts';
import type { WebhookDefined, WebhookRemoved, WebhookState } from '../../domain/events.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import {
  decideCreateWebhook,
  decideRemoveWebhook,
  decideRotate,
  decideWebhookState,
  noSuchWebhook,
  type WebhookRow,
  webhookAfter,
} from '../../domain/webhooks/webhook.ts';
import { authorOf, type CommitOutcome, systemActor } from '../commit.ts';
import { webhooksLock } from '../locks.ts';
import type { Call, Changed } from '../service.ts';
import type { From, Place } from '../subscriptions/subscriptions.ts';
import { attemptOf } from './endpoint.ts';
import { checkHost, forbiddenHost, parseTargetUrl } from './outward/target.ts';
import { movedTo, withDue } from './progress.ts';
import type {
  AskedWebhook,
  ChangedWebhook,
  MadeSecret,
  Replay,
  Replayed,
  Tested,
  WebhookParts,
} from './webhooks.ts';

/** How long the making of a webhook waits for a name server; each delivery asks again. */
const lookTimeoutMs = 3_000;

/** The one that the caller may do anything to. */
export function find(
  { views, ownership }: Pick<WebhookParts, 'views' | 'ownership'>,
  call: Call,
  id: string,
): Result<WebhookRow> {
  const webhook = views.webhook(id);
  const isTheirs = webhook && ownership.holds(call, webhook, `webhook ${id}`);
  return isTheirs ? ok(webhook) : refuse(noSuchWebhook);
}

export async function create(
  parts: WebhookParts,
  call: Call,
  { url: text, filter }: AskedWebhook,
): Promise<Result<MadeSecret>> {
  const owner = ownerOf(call.caller);
  if (!owner.ok) return owner;
  const url = parseTargetUrl(text, parts.target);
  if (!url.ok) return url;
  const refusal = await refuseTarget(parts, url.value);
  if (refusal) return refuse(refusal);
  const start = await placeOf(parts, call, { filters: [filter], from: { kind: 'now' } });
  if (!start.ok) return start;
  const id = parts.ids.uuid();
  return withNewSecret(parts, (secretId) =>
    define(parts, { ...authorOf(call), id }, async () => {
      const all = await parts.views.webhooks();
      const ofOwner = all.filter((webhook) => sameOwner(webhook, owner.value)).length;
      const command = { owner: owner.value, id, url: url.value.href, filter, secretId };
      return decideCreateWebhook({ ofOwner, all: all.length }, command);
    }),
  );
}

async function refuseTarget({ target }: WebhookParts, url: URL): Promise<Rejection | undefined> {
  const checked = await checkHost(url, target, AbortSignal.timeout(lookTimeoutMs));
  return checked.kind === 'forbidden' ? forbiddenHost : undefined;
}

/** Where a subscription of the caller would begin, or why they may have none. */
async function placeOf(
  { subscriptions }: WebhookParts,
  call: Call,
  request: { readonly filters: readonly WebhookRow['filter'][]; readonly from: From },
): Promise<Result<Place>> {
  const opened = await subscriptions.open(call, { ...request, isInternal: true });
  if (!opened.ok) return opened;
  const { at } = opened.value;
  opened.value.close();
  return ok(at);
}

export async function rotate(
  parts: WebhookParts,
  call: Call,
  id: string,
): Promise<Result<MadeSecret>> {
  const found = find(parts, call, id);
  if (!found.ok) return found;
  const rotated = await withNewSecret(parts, (secretId) => {
    const nowMs = parts.clock.now();
    const command = { secretId, nowMs };
    return define(parts, { ...authorOf(call), id }, () =>
      decideRotate(parts.views.webhook(id), command),
    );
  });
  if (!rotated.ok) return rotated;
  const kept = new Set(rotated.value.webhook.secrets.map((secret) => secret.id));
  await forget(
    parts,
    found.value.secrets.filter((secret) => !kept.has(secret.id)),
  );
  return rotated;
}

/** What no record came to name is forgotten again; a crash in between leaves that to the next start. */
async function withNewSecret(
  parts: WebhookParts,
  use: (secretId: string) => Promise<Result<ChangedWebhook>>,
): Promise<Result<MadeSecret>> {
  const { id, text: secret } = await parts.secrets.make();
  const used = await use(id);
  if (used.ok) return ok({ ...used.value, secret });
  if (used.rejection.code !== 'OutcomeUnknown') await forget(parts, [{ id }]);
  return used;
}

/** It is done already: what is left over goes with the next start. */
async function forget(
  { secrets, observe }: Pick<WebhookParts, 'secrets' | 'observe'>,
  gone: readonly { readonly id: string }[],
): Promise<void> {
  if (gone.length === 0) return;
  await secrets.forget(gone.map(({ id }) => id)).catch((fault: unknown) => {
    observe.warn('old secrets of webhooks could not be removed', { fault: String(fault) });
  });
}

export async function setState(
  parts: WebhookParts,
  call: Call,
  { id, state }: { readonly id: string; readonly state: Exclude<WebhookState, 'disabled'> },
): Promise<Result<ChangedWebhook>> {
  const found = find(parts, call, id);
  if (!found.ok) return found;
  return define(parts, { ...authorOf(call), id }, () =>
    decideWebhookState(parts.views.webhook(id), { state }),
  );
}

/** The store itself sends no more. A webhook that is paused or gone meanwhile is left as it is. */
export async function disable(
  parts: Pick<WebhookParts, 'views' | 'commit' | 'deliveries'>,
  id: string,
  reason: string,
): Promise<void> {
  await define(parts, { actor: systemActor, id }, () => {
    const webhook = parts.views.webhook(id);
    if (webhook?.state !== 'active') return ok(undefined);
    return decideWebhookState(webhook, { state: 'disabled', reason });
  });
}

type Decided = Result<WebhookDefined | undefined>;

/** Commits what is decided, where it is anything, and has the webhook act by it. */
async function define(
  { commit, views, deliveries }: Pick<WebhookParts, 'views' | 'commit' | 'deliveries'>,
  { id, ...author }: ReturnType<typeof authorOf> & { readonly id: string },
  decide: () => Decided | Promise<Decided>,
): Promise<Result<ChangedWebhook>> {
  const committed = await commit<WebhookDefined>({
    ...author,
    locks: [webhooksLock],
    decide: async () => {
      const decided = await decide();
      return decided.ok ? ok(decided.value ? [decided.value] : []) : decided;
    },
  });
  if (!committed.ok) return committed;
  const { events, position } = committed.value;
  const webhook = rowAfter(events, committed.value) ?? views.webhook(id);
  if (!webhook) return refuse(noSuchWebhook);
  deliveries.changed(webhook);
  return ok({ webhook, position });
}

function rowAfter(
  [event]: readonly WebhookDefined[],
  at: Pick<CommitOutcome<WebhookDefined>, 'position' | 'timeMs'>,
): WebhookRow | undefined {
  return event && webhookAfter(event, at);
}

export async function remove(
  parts: WebhookParts,
  call: Call,
  id: string,
): Promise<Result<Changed>> {
  const found = find(parts, call, id);
  if (!found.ok) return found;
  const removed = await parts.commit<WebhookRemoved>({
    ...authorOf(call),
    locks: [webhooksLock],
    decide: () => {
      const decided = decideRemoveWebhook(parts.views.webhook(id));
      return decided.ok ? ok([decided.value]) : decided;
    },
  });
  if (!removed.ok) return removed;
  await parts.deliveries.removed(id).catch((fault: unknown) => {
    parts.observe.warn('a cursor could not be removed', { webhook: id, fault: String(fault) });
  });
  await forget(parts, found.value.secrets);
  return ok({ position: removed.value.position });
}

export async function test(parts: WebhookParts, call: Call, id: string): Promise<Result<Tested>> {
  const { clock, ids, deliveries } = parts;
  const found = find(parts, call, id);
  if (!found.ok) return found;
  const endpoint = deliveries.endpoint(found.value);
  const startedMs = clock.now();
  const messageId = `test_${ids.uuid()}`;
  const timestamp = new Date(startedMs).toISOString();
  const body = { id: messageId, type: 'webhook.test', timestamp, webhook_id: id };
  const message = { id: messageId, body: JSON.stringify(body) };
  const outcome = await endpoint.attempt(found.value, message);
  const nowMs = clock.now();
  return ok({ ...attemptOf(outcome, nowMs), tookMs: nowMs - startedMs });
}

export async function playAgain(
  parts: WebhookParts,
  call: Call,
  { id, replay: { from, positions } }: { readonly id: string; readonly replay: Replay },
): Promise<Result<Replayed>> {
  const { views, deliveries, observe } = parts;
  const found = find(parts, call, id);
  if (!found.ok) return found;
  const start = from ? await placeOf(parts, call, { filters: [], from }) : undefined;
  if (start && !start.ok) return start;
  const endpoint = deliveries.endpoint(found.value);
  const chosen = positions && new Set(positions);
  const progress = await endpoint.change((before) =>
    start ? movedTo(before, start.value) : withDue(before, chosen),
  );
  observe.info('a webhook is replayed', { webhook: id, request_id: call.requestId });
  const replayed = progress.parked.filter(({ due }) => due).length;
  return ok({ replayed, position: views.applied });
}

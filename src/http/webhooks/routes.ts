/** The webhook routes: bodies in, use cases called, JSON out. A secret is shown where it was made, only. */
import { ok, type Result } from '../../domain/result.ts';
import type { Call } from '../../service/service.ts';
import type { ChangedWebhook } from '../../service/webhooks/webhooks.ts';
import type { HttpParts } from '../app.ts';
import { filterOf } from '../events/asking.ts';
import { keyedCall } from '../idempotency.ts';
import { readNothing, readOptional, readRequired } from '../objects/bodies.ts';
import { positionHeader } from '../representations.ts';
import type { Endpoint, Request, Route } from '../route.ts';
import { parseBody } from '../schemas.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { replayOf } from './replay.ts';
import {
  attemptJson,
  definitionJson,
  webhookJson,
  webhookWithParkedJson,
} from './representation.ts';
import { replayBody, webhookBody } from './schemas.ts';

type Handle = (parts: HttpParts, request: Request) => Promise<Result<Answer>>;

const prefix = '/storage/v1/webhooks';

export function webhookRoutes(parts: HttpParts): Route[] {
  const to = (handle: Handle): Endpoint => ({
    access: 'signed in',
    handle: (request) => handle(parts, request),
  });
  const post = (word: string, handle: Handle): Route => ({
    prefix,
    tail: `id/${word}`,
    methods: { POST: to(handle) },
  });
  return [
    { prefix, tail: 'nothing', methods: { GET: to(list), POST: to(create) } },
    { prefix, tail: 'id', methods: { GET: to(get), DELETE: to(remove) } },
    post('test', test),
    post('rotate', rotate),
    post('pause', setState('paused')),
    post('resume', setState('active')),
    post('replay', replay),
  ];
}

async function list({ service }: HttpParts, { call }: Request): Promise<Result<Answer>> {
  const all = await service.webhooks.list(call);
  return all.ok ? ok(jsonAnswer(all.value.map(webhookJson))) : all;
}

async function create(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const json = await readRequired(parts, request);
  if (!json.ok) return json;
  const body = parseBody(webhookBody, json.value);
  if (!body.ok) return body;
  const { url, ...given } = body.value;
  const filter = filterOf(given);
  if (!filter.ok) return filter;
  const call = await keyedCall(request, [body.value]);
  if (!call.ok) return call;
  const made = await parts.service.webhooks.create(call.value, { url, filter: filter.value });
  return made.ok ? ok(secretAnswer(made.value)) : made;
}

function secretAnswer({ webhook, secret, position }: ChangedWebhook & { readonly secret: string }) {
  return jsonAnswer({ id: webhook.id, secret }, { headers: positionHeader(position) });
}

async function get({ service }: HttpParts, { call, rest }: Request): Promise<Result<Answer>> {
  const found = await service.webhooks.get(call, rest);
  return found.ok ? ok(jsonAnswer(webhookWithParkedJson(found.value))) : found;
}

async function remove(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const call = await plainCall(parts, request);
  if (!call.ok) return call;
  const removed = await parts.service.webhooks.remove(call.value, idOf(request));
  if (!removed.ok) return removed;
  const headers = positionHeader(removed.value.position);
  return ok(jsonAnswer({ message: 'Successfully deleted' }, { headers }));
}

async function rotate(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const call = await plainCall(parts, request);
  if (!call.ok) return call;
  const rotated = await parts.service.webhooks.rotate(call.value, idOf(request));
  return rotated.ok ? ok(secretAnswer(rotated.value)) : rotated;
}

function setState(state: 'active' | 'paused'): Handle {
  return async (parts, request) => {
    const call = await plainCall(parts, request);
    if (!call.ok) return call;
    const { webhooks } = parts.service;
    const changed = await webhooks.setState(call.value, idOf(request), state);
    if (!changed.ok) return changed;
    const { webhook, position } = changed.value;
    return ok(jsonAnswer(definitionJson(webhook), { headers: positionHeader(position) }));
  };
}

async function test(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const body = await readNothing(parts, request);
  if (!body.ok) return body;
  const tested = await parts.service.webhooks.test(request.call, idOf(request));
  if (!tested.ok) return tested;
  const { tookMs, ...attempt } = tested.value;
  return ok(jsonAnswer({ ...attemptJson(attempt), took_ms: tookMs }));
}

async function replay(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(replayBody, json.value);
  if (!body.ok) return body;
  const asked = replayOf(body.value);
  if (!asked.ok) return asked;
  const call = await keyedCall(request, [body.value]);
  if (!call.ok) return call;
  const done = await parts.service.webhooks.replay(call.value, idOf(request), asked.value);
  if (!done.ok) return done;
  const { replayed, position } = done.value;
  return ok(jsonAnswer({ replayed }, { headers: positionHeader(position) }));
}

/** A request without a body of its own. */
async function plainCall(parts: HttpParts, request: Request): Promise<Result<Call>> {
  const body = await readNothing(parts, request);
  return body.ok ? keyedCall(request, []) : body;
}

function idOf({ rest }: Request): string {
  return rest.split('/', 1)[0] ?? '';
}

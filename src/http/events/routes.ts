/** GET /events, as a stream or a WebSocket, and the tokens that let a browser open one. */
import type { EventFilter } from '../../domain/events.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Call } from '../../service/service.ts';
import type { Subscription } from '../../service/subscriptions/subscriptions.ts';
import type { HttpParts } from '../app.ts';
import { expiryOf } from '../authenticate.ts';
import { allowanceHeaders } from '../limits/rate-limits.ts';
import { readOptional } from '../objects/bodies.ts';
import type { Request, Route } from '../route.ts';
import { parseBody } from '../schemas.ts';
import { type Answer, jsonAnswer, type LiveBody } from '../wire/answer.ts';
import type { Upgrade } from '../wire/exchange.ts';
import { askedOf, filterOf } from './asking.ts';
import { eventsTokenBody } from './schemas.ts';
import { sseHeaders, sseOutlet } from './sse.ts';
import { createStreams, type Streams, usualTimes } from './streams.ts';
import { checkHandshake, createWebSockets, socketOutlet, type WebSockets } from './websocket.ts';

const prefix = '/storage/v1/events';

interface EventParts extends HttpParts {
  readonly streams: Streams;
  readonly webSockets: WebSockets;
}

export function eventRoutes(given: HttpParts): Route[] {
  const times = { ...usualTimes, ...given.streamTimes };
  const parts: EventParts = {
    ...given,
    streams: createStreams(times, () => Date.now()),
    webSockets: createWebSockets(),
  };
  return [
    {
      prefix,
      tail: 'nothing',
      methods: {
        GET: { access: 'signed in or by token', handle: (request) => subscribe(parts, request) },
      },
    },
    {
      prefix: `${prefix}/token`,
      tail: 'nothing',
      methods: { POST: { access: 'signed in', handle: (request) => makeToken(parts, request) } },
    },
  ];
}

async function subscribe(parts: EventParts, request: Request): Promise<Result<Answer>> {
  const { exchange } = request;
  const { upgrade } = exchange;
  if (upgrade) {
    const handshake = checkHandshake(exchange);
    if (!handshake.ok) return handshake;
  }
  const asked = askedOf(request);
  if (!asked.ok) return asked;
  const entry = await enter(parts, request);
  if (!entry.ok) return entry;
  const { call, filters, expiresAtMs } = entry.value;
  const { filter, from } = asked.value;
  const wanted = { filters: [...filters, filter], from };
  const opened = await parts.service.subscriptions.open(call, wanted).catch((fault: unknown) => {
    entry.value.giveBack();
    throw fault;
  });
  if (!opened.ok) {
    entry.value.giveBack();
    return opened;
  }
  const streaming = { request, subscription: opened.value, expiresAtMs };
  return ok(upgrade ? webSocket(parts, streaming, upgrade) : eventStream(parts, streaming));
}

/** Who comes in, by a login or by a token for one connection. */
interface Entry {
  readonly call: Call;
  /** What the token is for. */
  readonly filters: readonly EventFilter[];
  /** Unix ms. */
  readonly expiresAtMs: number | undefined;
  /** The connection did not come about: the token can be used again. */
  readonly giveBack: () => void;
}

async function enter(
  parts: EventParts,
  { exchange, call, query }: Request,
): Promise<Result<Entry>> {
  const token = query.get('token');
  if (token === null) {
    const expiresAtMs = expiryOf(exchange.incoming.headers.authorization);
    return ok({ call, filters: [], expiresAtMs, giveBack: () => {} });
  }
  const redeemed = await parts.service.subscriptions.redeemToken(token);
  if (!redeemed.ok) return countFailure(parts, exchange, redeemed.rejection);
  const { caller, filter, untilMs, giveBack } = redeemed.value;
  exchange.caller = caller;
  return ok({ call: { ...call, caller }, filters: [filter], expiresAtMs: untilMs, giveBack });
}

/** As a login token that fails. */
async function countFailure(
  { limits, observe }: EventParts,
  { address }: { readonly address: string },
  rejection: Rejection,
): Promise<Result<never>> {
  observe.count('auth_failure');
  const counted = await limits.authFailure(address);
  return refuse(counted.ok ? rejection : counted.rejection);
}

interface Streaming {
  readonly request: Request;
  readonly subscription: Subscription;
  readonly expiresAtMs: number | undefined;
}

function eventStream(parts: EventParts, streaming: Streaming): Answer {
  const { exchange } = streaming.request;
  const { subscription } = streaming;
  const body: LiveBody = {
    takesOver: false,
    run: () => {
      const outlet = sseOutlet(exchange, () => subscription.close());
      return parts.streams.run(subscription, outlet, optionsOf(streaming));
    },
    close: async () => subscription.close(),
  };
  return { status: 200, headers: sseHeaders, body };
}

function webSocket(parts: EventParts, streaming: Streaming, upgrade: Upgrade): Answer {
  const { exchange } = streaming.request;
  const { subscription } = streaming;
  const body: LiveBody = {
    takesOver: true,
    run: async () => {
      const socket = await parts.webSockets.accept(exchange, upgrade);
      if (!socket) return;
      const outlet = socketOutlet(exchange, socket, () => subscription.close());
      await parts.streams.run(subscription, outlet, optionsOf(streaming));
    },
    close: async () => subscription.close(),
  };
  return { status: 101, headers: {}, body };
}

function optionsOf({ request: { exchange }, expiresAtMs }: Streaming) {
  return { expiresAtMs, closing: exchange.closing };
}

async function makeToken(parts: EventParts, request: Request): Promise<Result<Answer>> {
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(eventsTokenBody, json.value);
  if (!body.ok) return body;
  const filter = filterOf(body.value);
  if (!filter.ok) return filter;
  const { call, exchange } = request;
  const allowance = await parts.limits.signing(call.caller, 1);
  if (!allowance.ok) return allowance;
  const untilMs = expiryOf(exchange.incoming.headers.authorization);
  const issued = await parts.service.subscriptions.issueToken(call, filter.value, untilMs);
  if (!issued.ok) return issued;
  const { token, expiresAtMs } = issued.value;
  const answer = { token, expires_at: new Date(expiresAtMs).toISOString() };
  const headers = allowance.value ? allowanceHeaders(allowance.value) : {};
  return ok(jsonAnswer(answer, { headers }));
}

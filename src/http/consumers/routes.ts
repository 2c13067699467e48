/** The consumer routes: definitions, the stream that goes on from the cursor, acknowledgements. */
import { parseConsumerName } from '../../domain/consumers/consumer.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { HttpParts } from '../app.ts';
import { expiryOf } from '../authenticate.ts';
import { filterOf, fromOf } from '../events/asking.ts';
import { sseHeaders, sseOutlet } from '../events/sse.ts';
import { createStreams, type Streams, usualTimes } from '../events/streams.ts';
import { keyedCall } from '../idempotency.ts';
import { readNothing, readOptional, readRequired } from '../objects/bodies.ts';
import { positionHeader } from '../representations.ts';
import type { Endpoint, Request, Route } from '../route.ts';
import { parseBody } from '../schemas.ts';
import { type Answer, jsonAnswer, type LiveBody } from '../wire/answer.ts';
import { decodePercent } from '../wire/raw-path.ts';
import { placeOfId } from './ids.ts';
import { consumerJson, definitionJson } from './representation.ts';
import { ackBody, consumerBody } from './schemas.ts';

type Parts = HttpParts & { readonly streams: Streams };
type Handle = (parts: Parts, request: Request) => Promise<Result<Answer>>;

const prefix = '/storage/v1/consumers';

export function consumerRoutes(given: HttpParts): Route[] {
  const streams = createStreams({ ...usualTimes, ...given.streamTimes }, () => Date.now());
  const parts: Parts = { ...given, streams };
  const to = (handle: Handle): Endpoint => ({
    access: 'signed in',
    handle: (request) => handle(parts, request),
  });
  return [
    { prefix, tail: 'nothing', methods: { GET: to(list) } },
    { prefix, tail: 'name', methods: { GET: to(get), PUT: to(define), DELETE: to(remove) } },
    { prefix, tail: 'name/events', methods: { GET: to(read) } },
    { prefix, tail: 'name/ack', methods: { POST: to(acknowledge) } },
  ];
}

async function list({ service }: Parts, { call }: Request): Promise<Result<Answer>> {
  const all = await service.consumers.list(call);
  return all.ok ? ok(jsonAnswer(all.value.map(consumerJson))) : all;
}

async function get({ service }: Parts, request: Request): Promise<Result<Answer>> {
  const name = nameOf(request);
  if (!name.ok) return name;
  const found = await service.consumers.get(request.call, name.value);
  return found.ok ? ok(jsonAnswer(consumerJson(found.value))) : found;
}

async function define(parts: Parts, request: Request): Promise<Result<Answer>> {
  const name = nameOf(request);
  if (!name.ok) return name;
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(consumerBody, json.value);
  if (!body.ok) return body;
  const filter = filterOf(body.value);
  if (!filter.ok) return filter;
  const from = fromOf(body.value.from, 'field "from"');
  if (!from.ok) return from;
  const call = await keyedCall(request, [body.value]);
  if (!call.ok) return call;
  const { consumers } = parts.service;
  const asked = { name: name.value, filter: filter.value, from: from.value };
  const defined = await consumers.define(call.value, asked);
  if (!defined.ok) return defined;
  const { consumer, position } = defined.value;
  return ok(jsonAnswer(definitionJson(consumer), { headers: positionHeader(position) }));
}

async function remove(parts: Parts, request: Request): Promise<Result<Answer>> {
  const name = nameOf(request);
  if (!name.ok) return name;
  const body = await readNothing(parts, request);
  if (!body.ok) return body;
  const call = await keyedCall(request, []);
  if (!call.ok) return call;
  const removed = await parts.service.consumers.remove(call.value, name.value);
  if (!removed.ok) return removed;
  const headers = positionHeader(removed.value.position);
  return ok(jsonAnswer({ message: 'Successfully deleted' }, { headers }));
}

/** What was acknowledged counts, not what an EventSource says that it heard last. */
async function read(parts: Parts, request: Request): Promise<Result<Answer>> {
  const name = nameOf(request);
  if (!name.ok) return name;
  const { call, exchange } = request;
  if (exchange.incoming.method === 'HEAD') {
    // RFC 9110 §9.2.1: a HEAD is safe, and takes over from nobody.
    const found = await parts.service.consumers.get(call, name.value);
    return found.ok ? ok({ status: 200, headers: sseHeaders }) : found;
  }
  const opened = await parts.service.consumers.open(call, name.value);
  if (!opened.ok) return opened;
  const subscription = opened.value;
  const body: LiveBody = {
    takesOver: false,
    run: () => {
      const outlet = sseOutlet(exchange, () => subscription.close());
      const expiresAtMs = expiryOf(exchange.incoming.headers.authorization);
      const { closing } = exchange;
      return parts.streams.run(subscription, outlet, { expiresAtMs, closing });
    },
    close: async () => subscription.close(),
  };
  return ok({ status: 200, headers: sseHeaders, body });
}

async function acknowledge(parts: Parts, request: Request): Promise<Result<Answer>> {
  const name = nameOf(request);
  if (!name.ok) return name;
  const json = await readRequired(parts, request);
  if (!json.ok) return json;
  const body = parseBody(ackBody, json.value);
  if (!body.ok) return body;
  const place = placeOfId(body.value.id);
  if (!place) return refuse(notAnId);
  const { consumers } = parts.service;
  const acknowledged = await consumers.acknowledge(request.call, name.value, place);
  if (!acknowledged.ok) return acknowledged;
  return ok(jsonAnswer({ position: acknowledged.value.position }));
}

const notAnId = rejection('InvalidRequest', 'The field "id" is not the id of an event', {
  hint: 'Send it as it was delivered, such as "1767225600000-42".',
});

function nameOf({ rest }: Request): Result<string> {
  const raw = rest.split('/', 1)[0] ?? '';
  return parseConsumerName(decodePercent(raw) ?? raw);
}

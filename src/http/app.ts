/**
 * The routes, and what happens around each: authenticate, handle, answer.
 *
 * Promises: routes are matched on the raw path, so that nothing is reached by a detour; a known path
 * with a wrong method is 405 with Allow; a route that needs credentials refuses anonymous callers
 * before it looks at names or bodies; a fault leaves as InternalError and is logged with its cause.
 */
import { inspect } from 'node:util';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { anonymous } from '../domain/caller.ts';
import type { Observe } from '../domain/effects.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import { type Call, Refused, type Service } from '../service/service.ts';
import type { Authenticate } from './authenticate.ts';
import { bucketRoutes } from './buckets.ts';
import { consumerRoutes } from './consumers/routes.ts';
import { eventRoutes } from './events/routes.ts';
import type { StreamTimes } from './events/streams.ts';
import { jobRoutes } from './jobs.ts';
import type { RateLimits } from './limits/rate-limits.ts';
import type { Accel } from './objects/accel.ts';
import { objectRoutes } from './objects/routes.ts';
import { openApiRoutes, type Site } from './openapi/routes.ts';
import { operationRoutes } from './operations.ts';
import { faultAnswer, problemAnswer } from './problems.ts';
import { queryRoutes } from './query/routes.ts';
import { type Endpoint, isMethod, patternOf, type Route } from './route.ts';
import { signedUrlRoutes } from './signed-urls/routes.ts';
import { webhookRoutes } from './webhooks/routes.ts';
import { type Answer, send } from './wire/answer.ts';
import type { Exchange } from './wire/exchange.ts';

export interface HttpParts {
  readonly service: Service;
  readonly authenticate: Authenticate;
  readonly observe: Observe;
  readonly limits: RateLimits;
  readonly site: Site;
  readonly settings: HttpSettings;
  /** Other times than the usual for streams of events. */
  readonly streamTimes?: Partial<StreamTimes>;
}

export interface HttpSettings {
  /** The server's own limit on one object. */
  readonly maxFileSizeBytes: number;
  /** The limit on a JSON body. */
  readonly jsonBodyBytes: number;
  /** The base of absolute URLs, without a slash at its end; the request's own on loopback. */
  readonly publicUrl?: string | undefined;
  /** How a server in front is told to send a blob's file; left out where there is none. */
  readonly accel?: Accel | undefined;
}

interface Env {
  readonly Bindings: HttpBindings & { readonly exchange: Exchange };
}

export type App = Hono<Env>;

export function createHttp(parts: HttpParts): { readonly app: App } {
  const app: App = new Hono<Env>({
    getPath: (_request, options) => options?.env?.exchange.target.path ?? '/',
  });
  for (const route of routesOf(parts)) mount(app, parts, route);
  app.notFound(async ({ env: { exchange } }) => {
    await send(exchange, problemAnswer({ code: 'NoSuchRoute', message: 'There is no such route' }));
    return RESPONSE_ALREADY_SENT;
  });
  app.onError(async (error, { env: { exchange } }) => {
    await answerFault(parts.observe, exchange, error);
    return RESPONSE_ALREADY_SENT;
  });
  return { app };
}

/** Where two match, the first one answers. */
export function routesOf(parts: HttpParts): readonly Route[] {
  const routes = [
    ...operationRoutes(parts),
    ...jobRoutes(parts),
    ...bucketRoutes(parts),
    ...queryRoutes(parts),
    ...eventRoutes(parts),
    ...consumerRoutes(parts),
    ...webhookRoutes(parts),
    ...signedUrlRoutes(parts),
    ...objectRoutes(parts),
  ];
  return [...openApiRoutes(parts.site, routes), ...routes];
}

function mount(app: App, parts: HttpParts, route: Route): void {
  const pattern = patternOf(route);
  app.all(pattern, async ({ env: { exchange } }) => {
    const method = exchange.incoming.method === 'HEAD' ? 'GET' : exchange.incoming.method;
    const endpoint = isMethod(method) ? route.methods[method] : undefined;
    exchange.route = pattern;
    if (endpoint) await run(parts, exchange, { route, endpoint });
    else await send(exchange, wrongMethod(exchange, route));
    return RESPONSE_ALREADY_SENT;
  });
}

interface Target {
  readonly route: Route;
  readonly endpoint: Endpoint;
}

async function run(parts: HttpParts, exchange: Exchange, target: Target): Promise<void> {
  try {
    const handled = await handle(parts, exchange, target);
    await send(exchange, handled.ok ? handled.value : problemAnswer(handled.rejection));
  } catch (error) {
    if (error instanceof Refused) await send(exchange, problemAnswer(error.rejection));
    else await answerFault(parts.observe, exchange, error);
  }
}

async function handle(
  parts: HttpParts,
  exchange: Exchange,
  { route, endpoint }: Target,
): Promise<Result<Answer>> {
  const call = await admit(parts, exchange, endpoint);
  if (!call.ok) return call;
  const rest = exchange.target.path.slice(route.prefix.length + 1);
  return endpoint.handle({ exchange, call: call.value, rest, query: exchange.target.query });
}

async function admit(
  { authenticate, observe, limits }: HttpParts,
  exchange: Exchange,
  endpoint: Endpoint,
): Promise<Result<Call>> {
  const { requestId } = exchange;
  const isByToken =
    endpoint.access === 'signed in or by token' && exchange.target.query.has('token');
  if (endpoint.access === 'unasked' || isByToken) return ok({ caller: anonymous, requestId });
  const caller = hasLoginToken(exchange.target.query)
    ? refuse(tokenInUrl)
    : await authenticate(exchange.incoming.headers.authorization);
  if (!caller.ok) {
    if (caller.rejection.code !== 'InvalidJWT') return caller;
    observe.count('auth_failure');
    const counted = await limits.authFailure(exchange.address);
    return counted.ok ? caller : counted;
  }
  exchange.caller = caller.value;
  if (endpoint.access.startsWith('signed in') && caller.value.kind === anonymous.kind) {
    return refuse(missingAuthorization);
  }
  return ok({ caller: caller.value, requestId });
}

/** A URL ends up in logs and histories: no place for a login token, whatever it is called there. */
function hasLoginToken(query: URLSearchParams): boolean {
  for (const [name, value] of query) {
    if (name === 'token' || name === 'access_token' || signedToken.test(value)) return true;
  }
  return false;
}

/** RFC 7515 §7.1: a header and a payload that are JSON objects (`{"`), and a signature. */
const signedToken = /^(?:[Bb]earer\s+)?eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/;

const tokenInUrl = rejection('InvalidJWT', 'A login token does not belong into a URL', {
  hint: 'Send it as "Authorization: Bearer <token>".',
});

const missingAuthorization = rejection(
  'MissingAuthorization',
  'This needs an Authorization header',
  { hint: 'Send "Authorization: Bearer <token>".' },
);

function wrongMethod({ incoming }: Exchange, { methods }: Route): Answer {
  const allow = Object.keys(methods)
    .flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    .join(', ');
  if (incoming.method === 'OPTIONS') return { status: 204, headers: { allow } };
  return problemAnswer(
    { code: 'MethodNotAllowed', message: 'This route does not have the method', hint: allow },
    { allow },
  );
}

/** Says what went wrong, and answers it as far as there is somebody to answer. */
export async function answerFault(
  observe: Observe,
  exchange: Exchange,
  error: unknown,
): Promise<void> {
  const { outgoing, requestId, route } = exchange;
  const isGone = outgoing.destroyed;
  const level = isGone && isOfLeaving(error) ? 'debug' : 'error';
  observe[level]('a request failed', { request_id: requestId, route, fault: inspect(error) });
  if (isGone) return;
  // Once the head is out, only a broken connection tells the client that the body is not whole.
  if (outgoing.headersSent) outgoing.destroy();
  else await send(exchange, faultAnswer());
}

const leaving = [
  'ABORT_ERR',
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
];

/** A client that left takes its streams with it: nothing else is wrong then. */
function isOfLeaving(error: unknown): boolean {
  return error instanceof Error && 'code' in error && leaving.includes(String(error.code));
}

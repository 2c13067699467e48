/**
 * One request and its answer, from the first header to the last byte: what every handler is given and
 * what the access log tells of. The log has the path but never the query, and never a token.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { anonymous, type Caller, callerId } from '../../domain/caller.ts';
import type { Observe } from '../../domain/effects.ts';
import { parseTarget, type Target } from './raw-path.ts';
import { RequestBody } from './request-body.ts';

export interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly requestId: string;
  /** The client's, as far as trusted proxies tell. */
  readonly address: string;
  readonly target: Target;
  readonly body: RequestBody;
  readonly corsHeaders: Readonly<Record<string, string>>;
  /** True where the connection is to end with this answer. */
  readonly isLast: () => boolean;
  /** Aborted when the server closes: what never ends by itself is to end. */
  readonly closing: AbortSignal;
  /** Where the client asks for a WebSocket: what it takes to become one. */
  readonly upgrade: Upgrade | undefined;
  /** For the access log, set as they become known. */
  route: string;
  caller: Caller;
  status: number;
  bytesOut: number;
}

export interface Upgrade {
  readonly socket: Duplex;
  /** What came behind the request already. */
  readonly head: Buffer;
}

export interface ExchangeOptions {
  readonly observe: Observe;
  readonly newRequestId: () => string;
  readonly expectsContinue: boolean;
  readonly bodyIdleTimeoutMs: number;
  readonly corsHeaders: Readonly<Record<string, string>>;
  readonly isLast: () => boolean;
  readonly closing: AbortSignal;
  readonly upgrade?: Upgrade | undefined;
  readonly clientAddress: (incoming: IncomingMessage) => string;
}

/** Begins an exchange; its line in the log is written when the connection is done with it. */
export function beginExchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  options: ExchangeOptions,
): Exchange {
  const startedMs = performance.now();
  const address = options.clientAddress(incoming);
  const exchange: Exchange = {
    incoming,
    outgoing,
    requestId: requestIdOf(incoming.headers['x-request-id']) ?? options.newRequestId(),
    address,
    target: parseTarget(incoming.url ?? '/'),
    body: new RequestBody(incoming, outgoing, {
      idleTimeoutMs: options.bodyIdleTimeoutMs,
      expectsContinue: options.expectsContinue,
    }),
    corsHeaders: options.corsHeaders,
    isLast: options.isLast,
    closing: options.closing,
    upgrade: options.upgrade,
    route: 'none',
    caller: anonymous,
    status: 0,
    bytesOut: 0,
  };
  outgoing.once('close', () => {
    exchange.body.release();
    options.observe.info('request', {
      request_id: exchange.requestId,
      caller: exchange.caller.kind,
      caller_id: callerId(exchange.caller),
      address,
      method: incoming.method,
      route: exchange.route,
      path: exchange.target.path,
      status: exchange.status,
      complete: outgoing.writableFinished,
      bytes_in: exchange.body.bytesRead,
      bytes_out: exchange.bytesOut,
      ms: Math.round((performance.now() - startedMs) * 10) / 10,
    });
  });
  return exchange;
}

/** The client's own where it is harmless in a log and a header. */
function requestIdOf(header: string | string[] | undefined): string | undefined {
  const sane = typeof header === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(header);
  return sane ? header : undefined;
}

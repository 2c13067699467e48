/**
 * The listening server: from sockets to exchanges, and back to silence.
 *
 * Promises: every answer, also to what is not HTTP, is the usual JSON with a request id; until `open`
 * is called, and once `close` is, everything but /health/live is answered 503; a body is awaited
 * without a limit on the whole but with one on its pauses.
 */
import { setMaxListeners } from 'node:events';
import {
  createServer as createNodeServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { inspect } from 'node:util';
import { getRequestListener, RequestError } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Observe } from '../domain/effects.ts';
import { type App, answerFault } from './app.ts';
import { type CorsOrigins, corsHeaders, isPreflight, preflightAnswer } from './cors.ts';
import { type Problem, problemAnswer } from './problems.ts';
import { faultOfRequest } from './wire/ambiguous.ts';
import { type Answer, jsonAnswer, send } from './wire/answer.ts';
import { clientAddressOf } from './wire/client-address.ts';
import { beginExchange, type Exchange, type Upgrade } from './wire/exchange.ts';
import { answerMalformed } from './wire/malformed.ts';
import { answerTo, asksForWebSocket, type Upgrading, withoutUpgrade } from './wire/upgrade.ts';

export interface ServerSettings {
  readonly corsOrigins: CorsOrigins;
  /** Addresses and CIDRs whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly bodyIdleTimeoutMs: number;
  readonly maxConnections: number;
  /** From the first byte of a request to the end of its headers; 15 s where left out. */
  readonly headersTimeoutMs?: number;
}

export interface HttpServer {
  readonly server: Server;
  listen(port: number, host: string): Promise<AddressInfo>;
  /** From now on `app` answers. */
  open(app: App): void;
  /** Stops accepting, lets what runs end for at most `timeoutMs`, then cuts it off. */
  close(timeoutMs: number): Promise<void>;
}

const maxHeaderBytes = 16 * 1024;
const keepAliveTimeoutMs = 65_000;
/** Connections beyond the limit that are still told so, before more are dropped unheard. */
const overflowConnections = 256;

export interface ServerParts {
  readonly observe: Observe;
  readonly settings: ServerSettings;
  /** For requests that bring none of their own. */
  readonly newRequestId: () => string;
}

export function createServer(parts: ServerParts): HttpServer {
  const { observe, settings } = parts;
  const door = new Door(parts);
  const server = createNodeServer({
    requestTimeout: 0,
    headersTimeout: settings.headersTimeoutMs ?? 15_000,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: keepAliveTimeoutMs,
    maxHeaderSize: maxHeaderBytes,
    // Node would answer a missing Host without the usual JSON.
    requireHostHeader: false,
  });
  // Node drops headers past its count without a word; the block's size is the limit here.
  server.maxHeadersCount = 0;
  // A client that has said all may close its half (RFC 9293 §3.6) and still wait for the answer. Node
  // has the switch, but its types do not.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxConnections = settings.maxConnections + overflowConnections;
  server.on('connection', (socket) => door.connected(socket));
  server.on('request', (incoming, outgoing) => door.receive(incoming, outgoing));
  server.on('checkContinue', (incoming, outgoing) => {
    door.receive(incoming, outgoing, { expectsContinue: true });
  });
  // RFC 9110 §10.1.1: an expectation that is not understood may be left unmet silently.
  server.on('checkExpectation', (incoming, outgoing) => door.receive(incoming, outgoing));
  server.on('upgrade', (incoming, socket, head) => {
    door.upgrade(server, { incoming, socket: socket as Socket, head });
  });
  // Node would end it without a word.
  server.on('connect', (incoming, socket, head) => {
    door.receive(incoming, answerTo({ incoming, socket: socket as Socket, head }));
  });
  server.on('clientError', (error, socket) => {
    answerMalformed(error, socket as Socket, {
      running: door.runningOn(socket as Socket),
      observe,
    });
  });
  return {
    server,
    listen: (port, host) => listen(server, { port, host }),
    open: (app) => door.open(app),
    close: (timeoutMs) => door.close(server, timeoutMs),
  };
}

function listen(server: Server, at: { port: number; host: string }): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

interface Receiving {
  readonly expectsContinue?: boolean;
  readonly upgrade?: Upgrade;
}

/** Who may come in: open, closing, full or not yet ready. */
class Door {
  readonly #observe: Observe;
  readonly #settings: ServerSettings;
  readonly #newRequestId: () => string;
  readonly #clientAddress: ReturnType<typeof clientAddressOf>;
  readonly #sockets = new Map<Socket, Set<Exchange>>();
  readonly #surplus = new WeakSet<Socket>();
  readonly #exchanges = new WeakMap<IncomingMessage, Exchange>();
  #listener: Listener | undefined;
  readonly #closing = new AbortController();

  constructor({ observe, settings, newRequestId }: ServerParts) {
    this.#observe = observe;
    this.#newRequestId = newRequestId;
    this.#settings = settings;
    this.#clientAddress = clientAddressOf(settings.trustedProxies);
    setMaxListeners(0, this.#closing.signal);
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  open(app: App): void {
    this.#listener = getRequestListener(
      (request, env) => {
        const exchange = this.#exchanges.get(env.incoming as IncomingMessage);
        if (!exchange) throw new Error('A request without an exchange');
        return this.#answered(exchange, () => app.fetch(request, { ...env, exchange }));
      },
      {
        // Global Request and Response stay what they are; bodies are ours to read, or not.
        overrideGlobalObjects: false,
        autoCleanupIncoming: false,
        errorHandler: (fault) => {
          if (!(fault instanceof RequestError)) throw fault;
        },
      },
    );
  }

  /** A fault of the app itself is answered here: node-server would only print it. */
  async #answered(exchange: Exchange, fetch: () => ReturnType<App['fetch']>): Promise<Response> {
    try {
      return await fetch();
    } catch (fault) {
      await answerFault(this.#observe, exchange, fault);
      return RESPONSE_ALREADY_SENT;
    }
  }

  connected(socket: Socket): void {
    // One that was given back after an offer to upgrade it.
    if (this.#sockets.has(socket)) return;
    this.#sockets.set(socket, new Set());
    if (this.#sockets.size > this.#settings.maxConnections) this.#surplus.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  runningOn(socket: Socket): readonly Exchange[] {
    return [...(this.#sockets.get(socket) ?? [])];
  }

  upgrade(server: Server, upgrading: Upgrading): void {
    const { incoming, socket, head } = upgrading;
    if (!asksForWebSocket(incoming)) {
      withoutUpgrade(server, upgrading);
      return;
    }
    this.receive(incoming, answerTo(upgrading), { upgrade: { socket, head } });
  }

  receive(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    { expectsContinue = false, upgrade }: Receiving = {},
  ): void {
    const { socket } = incoming;
    const exchange = beginExchange(incoming, outgoing, {
      observe: this.#observe,
      newRequestId: this.#newRequestId,
      expectsContinue,
      upgrade,
      closing: this.#closing.signal,
      bodyIdleTimeoutMs: this.#settings.bodyIdleTimeoutMs,
      corsHeaders: corsHeaders(this.#settings.corsOrigins, incoming.headers),
      isLast: () => this.#isClosing || this.#surplus.has(socket),
      clientAddress: this.#clientAddress,
    });
    this.#exchanges.set(incoming, exchange);
    const running = this.#sockets.get(socket);
    running?.add(exchange);
    outgoing.once('close', () => {
      running?.delete(exchange);
      if (this.#isClosing && running?.size === 0) socket.destroySoon();
    });
    this.#answer(exchange).catch((error: unknown) => {
      this.#observe.error('an answer broke', {
        request_id: exchange.requestId,
        fault: inspect(error),
      });
      outgoing.destroy();
    });
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { incoming, outgoing } = exchange;
    const early = this.#gate(exchange);
    if (early) return await send(exchange, early);
    const fault = faultOfRequest(exchange);
    if (fault) return await send(exchange, problemAnswer(fault));
    if (isPreflight(incoming)) return await send(exchange, preflightAnswer(incoming));
    try {
      await this.#listener?.(incoming, outgoing);
    } catch (fault) {
      return await answerFault(this.#observe, exchange, fault);
    }
    // node-server did not understand the target or the Host, and the app never saw the request.
    if (exchange.status === 0) await send(exchange, problemAnswer(unroutable(exchange)));
  }

  #gate({ incoming, target }: Exchange): Answer | undefined {
    if (this.#surplus.has(incoming.socket)) {
      return problemAnswer({ code: 'Overloaded', message: 'There are too many connections' });
    }
    if (this.#listener && !this.#isClosing) return undefined;
    if (target.path === '/health/live' && isRead(incoming.method)) {
      return jsonAnswer({ status: 'live' });
    }
    const reason = this.#isClosing ? 'shutting down' : 'recovering';
    return problemAnswer({
      code: 'NotReady',
      message: `The server is ${reason}`,
      hint: 'Try again soon.',
      facts: { status: 'not_ready', reason },
    });
  }

  close(server: Server, timeoutMs: number): Promise<void> {
    this.#closing.abort();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        // Node does not count those that became WebSockets among its connections.
        for (const socket of this.#sockets.keys()) socket.destroy();
      }, timeoutMs);
      server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      // Node counts a connection that has not asked anything yet as busy.
      for (const [socket, running] of this.#sockets) if (running.size === 0) socket.destroy();
    });
  }
}

function isRead(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD';
}

function unroutable({ target }: Exchange): Problem {
  // RFC 3986 has no backslash in a path; taking it for a `/` would be a near match.
  return target.path.includes('\\')
    ? { code: 'InvalidKey', message: 'The path contains a raw backslash', hint: 'Send "%5C".' }
    : { code: 'InvalidRequest', message: 'The request target or the Host header is not valid' };
}

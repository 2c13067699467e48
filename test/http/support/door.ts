/** A door on a real port over a memory service, and clients that say exactly what is on the wire. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { SignJWT } from 'jose';
import type { Counter, Facts, Observe } from '../../../src/domain/effects.ts';
import { createHttp } from '../../../src/http/app.ts';
import { createAuthenticator } from '../../../src/http/authenticate.ts';
import { createRateLimits } from '../../../src/http/limits/rate-limits.ts';
import type { Site } from '../../../src/http/openapi/routes.ts';
import { createServer, type HttpServer, type ServerSettings } from '../../../src/http/server.ts';
import { type MemoryService, maxFileSizeBytes, memoryService } from './memory-service.ts';

export const secret = Buffer.from('0123456789abcdef0123456789abcdef-test');

export const site: Site = { version: 'test', swaggerUi: async (name) => `/* ${name} */` };

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly facts: Facts;
}

export interface TestDoor {
  readonly origin: string;
  readonly port: number;
  readonly http: HttpServer;
  readonly service: MemoryService;
  readonly lines: Line[];
  readonly counted: Counter[];
  open(): void;
  /** fetch under /storage/v1, as a user ("ann") unless `as` says otherwise. */
  call(path: string, init?: CallInit): Promise<Response>;
  raw(text: string | Buffer): RawClient;
  close(): Promise<void>;
}

export interface CallInit extends Omit<RequestInit, 'headers'> {
  readonly as?: string | null;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
}

export async function startDoor(
  options: { settings?: Partial<ServerSettings>; closed?: boolean } = {},
): Promise<TestDoor> {
  const service = memoryService();
  const { observe, lines, counted } = recorder();
  const http = createServer({
    observe,
    newRequestId: randomUUID,
    settings: {
      corsOrigins: '*',
      trustedProxies: [],
      bodyIdleTimeoutMs: 5_000,
      maxConnections: 1_000,
      ...options.settings,
    },
  });
  const authenticate = createAuthenticator({ secret, now: Date.now, observe });
  const { app } = createHttp({
    service,
    authenticate,
    observe,
    limits: createRateLimits({
      authFailuresPerMinute: 1e6,
      signingPerMinute: 1e6,
      signedUsesPerMinute: 1e6,
    }),
    site,
    settings: { maxFileSizeBytes, jsonBodyBytes: 64 * 1024 },
  });
  if (options.closed !== true) http.open(app);
  const { port } = await http.listen(0, '127.0.0.1');
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    port,
    http,
    service,
    lines,
    counted,
    open: () => http.open(app),
    call: async (path, { as = 'ann', json, headers = {}, ...init } = {}) =>
      fetch(`${origin}/storage/v1${path}`, {
        ...init,
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        headers: {
          ...(as === null ? {} : { authorization: `Bearer ${await token(as)}` }),
          ...headers,
        },
      }),
    raw: (text) => new RawClient(port, text),
    close: () => http.close(0),
  };
}

/** `service` is the service role; any other word is a user. */
export function token(who: string): Promise<string> {
  const claims = who === 'service' ? { role: 'service_role' } : { sub: who, role: 'authenticated' };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(secret);
}

/** A connection on which only the test decides what is sent. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  isClosed = false;

  constructor(port: number, first: string | Buffer) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('end', () => this.socket.end());
    this.socket.write(first);
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (?!100)(\d{3})/m.exec(this.text)?.[1] ?? 0);
  }

  /** The body of a whole JSON answer. */
  json(): Record<string, unknown> {
    return JSON.parse(this.text.slice(this.text.lastIndexOf('\r\n\r\n') + 4));
  }

  async closed(): Promise<this> {
    // Not `once`: a reset on the way to the close is no failure of the test.
    if (!this.isClosed) await new Promise((resolve) => this.socket.on('close', resolve));
    return this;
  }

  /** Waits until what has arrived matches. */
  async until(pattern: RegExp): Promise<this> {
    while (!pattern.test(this.text)) {
      if (this.isClosed) throw new Error(`closed before ${pattern}: ${this.text}`);
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')]);
    }
    return this;
  }
}

export function recorder() {
  const lines: Line[] = [];
  const counted: Counter[] = [];
  const at =
    (level: string) =>
    (message: string, facts: Facts = {}) => {
      lines.push({ level, message, facts });
    };
  const observe: Observe = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    count: (counter) => counted.push(counter),
  };
  return { observe, lines, counted };
}

/** Polls a condition: for what has no event to wait for. */
export async function until(condition: () => boolean): Promise<void> {
  const giveUp = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > giveUp) throw new Error('the condition was never met');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A door over a whole store on a disk in memory: for routes whose work is mostly the store's. */
import { randomUUID } from 'node:crypto';
import { createHttp } from '../../../src/http/app.ts';
import { createAuthenticator } from '../../../src/http/authenticate.ts';
import type { StreamTimes } from '../../../src/http/events/streams.ts';
import { createRateLimits, type RateLimitSettings } from '../../../src/http/limits/rate-limits.ts';
import { createServer, type HttpServer } from '../../../src/http/server.ts';
import { openRig, type Rig, type RigOptions } from '../../support/rig.ts';
import { type CallInit, type Line, recorder, secret, site, token } from './door.ts';

export interface StoreDoor {
  readonly origin: string;
  readonly rig: Rig;
  readonly http: HttpServer;
  readonly lines: readonly Line[];
  /** fetch under /storage/v1, as a user ("ann") unless `as` says otherwise. */
  call(path: string, init?: CallInit): Promise<Response>;
  close(): Promise<void>;
}

export interface StoreDoorOptions {
  readonly limits?: Partial<RateLimitSettings>;
  readonly publicUrl?: string;
  readonly streamTimes?: Partial<StreamTimes>;
  readonly rig?: RigOptions;
}

const generous: RateLimitSettings = {
  authFailuresPerMinute: 1e6,
  signingPerMinute: 1e6,
  signedUsesPerMinute: 1e6,
};

export async function startStoreDoor(options: StoreDoorOptions = {}): Promise<StoreDoor> {
  const { publicUrl, streamTimes = {} } = options;
  const rig = await openRig(options.rig);
  const { observe, lines } = recorder();
  const http = createServer({
    observe,
    newRequestId: randomUUID,
    settings: {
      corsOrigins: '*',
      trustedProxies: [],
      bodyIdleTimeoutMs: 5_000,
      maxConnections: 1_000,
    },
  });
  const { app } = createHttp({
    service: rig.store.service,
    authenticate: createAuthenticator({ secret, now: Date.now, observe }),
    observe,
    limits: createRateLimits({ ...generous, ...options.limits }),
    site,
    streamTimes,
    settings: { maxFileSizeBytes: 64 * 1024 * 1024, jsonBodyBytes: 64 * 1024, publicUrl },
  });
  http.open(app);
  const { port } = await http.listen(0, '127.0.0.1');
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    rig,
    http,
    lines,
    call: async (path, { as = 'ann', json, headers = {}, ...init } = {}) =>
      fetch(`${origin}/storage/v1${path}`, {
        ...init,
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        headers: {
          ...(as === null ? {} : { authorization: `Bearer ${await token(as)}` }),
          ...headers,
        },
      }),
    async close() {
      await http.close(0);
      await rig.close();
    },
  };
}

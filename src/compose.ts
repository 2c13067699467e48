/**
 * Puts the parts together: a configuration into a data directory that is held, a store over it, and
 * the server before it. Everything that is opened here is closed here, in the opposite order.
 */
import type { AddressInfo } from 'node:net';
import { createRemoteJWKSet } from 'jose';
import { nodeFiles } from '#files';
import { type Config, settingsWithoutEffect } from './config.ts';
import type { Observe } from './domain/effects.ts';
import { ok, type Result } from './domain/result.ts';
import { greetingLines, type SignIn, signInHint } from './greeting.ts';
import { readCleanMarker } from './home/control.ts';
import { type Home, openHome } from './home/home.ts';
import { readOrCreateLoginSecret } from './home/keyring.ts';
import { openSigningKeys } from './home/signing-keys.ts';
import { createHttp } from './http/app.ts';
import { type Authenticate, createAuthenticator } from './http/authenticate.ts';
import { minSecretBytes, parseKeySet } from './http/key-set.ts';
import { createRateLimits } from './http/limits/rate-limits.ts';
import { accelOf } from './http/objects/accel.ts';
import { createServer, type HttpServer } from './http/server.ts';
import type { Call, Service } from './service/service.ts';
import type { Job, JobOptions } from './service/upkeep/jobs.ts';
import { isLoopback } from './setting-kinds.ts';
import { createSite } from './site.ts';
import { openStore, type Store, type StoreOptions } from './store.ts';
import { version } from './version.ts';
import { openViews } from './views/open-views.ts';
import { PROJECTION } from './views/projection.ts';
import type { ViewsStore } from './views/store.ts';
import { openStoredViews } from './views/stored-views.ts';
import { type VerifyViewsOptions, type ViewsVerification, verifyViews } from './views/verify.ts';
import { ViewsDamaged } from './views/views.ts';
import { createObserve, type ObserveWithCounts, random, randomIds, systemClock } from './world.ts';

export interface Output {
  write(line: string): void;
  readonly isTty: boolean;
}

export interface Running {
  readonly url: string;
  /** The exit code, once everything is closed, for whatever reason. */
  readonly closed: Promise<number>;
  /** Stops accepting, finishes what runs (10 s), and leaves the clean marker. */
  stop(): Promise<void>;
}

export interface ViewsDigest {
  /** BLAKE3, hex. */
  readonly digest: string;
  readonly position: number;
}

const stopTimeoutMs = 10_000;

/** Serves the data directory. Rejects with what kept it from starting, having let go of everything. */
export async function serve(config: Config, output: Output): Promise<Running> {
  const observe = createObserve({ level: config.logLevel, isTty: output.isTty });
  warnOfIdleSettings(config, observe);
  const home = await openHome({ files: nodeFiles, directory: config.dataDir });
  let http: HttpServer | undefined;
  let store: Store | undefined;
  try {
    const keys = await loginKeys(config, { home, observe });
    const { jsonBodyBytes, maxFileSizeBytes, publicUrl } = config;
    http = createServer({ observe, settings: config, newRequestId: randomIds.uuid });
    const address = await http.listen(config.port, config.host);
    const url = urlOf(address);
    observe.info('listening', { url, data_dir: home.layout.directory, version });
    store = await openStore(served(config, storeOptions(config, { home, observe })));
    const accel = accelOf(config.accel, home.layout.directory);
    const settings = { jsonBodyBytes, maxFileSizeBytes, publicUrl, accel };
    const limits = createRateLimits(config);
    const site = createSite();
    const { service } = store;
    http.open(createHttp({ ...keys, service, observe, limits, site, settings }).app);
    observe.info('ready', { url });
    await greet(output, { url, signIn: keys.signIn, dataDir: config.dataDir }, observe);
    return supervise({ http, store, home, observe, url });
  } catch (cause) {
    // What kept it from starting is what is told.
    await letGo({ http, store, home }, 0).catch((fault: unknown) => {
      observe.error(notInOrder, { fault: String(fault) });
    });
    throw cause;
  }
}

interface Opened {
  readonly http: HttpServer | undefined;
  readonly store: Store | undefined;
  readonly home: Home;
}

const notInOrder = 'the store could not be closed in good order';

/** Each is closed, whatever the one before it says; the lock goes last. */
async function letGo({ http, store, home }: Opened, timeoutMs: number): Promise<void> {
  try {
    await http?.close(timeoutMs);
  } finally {
    try {
      await store?.close();
    } finally {
      await home.close();
    }
  }
}

/** The digest of the views of a directory that nobody serves. Throws HomeLocked. */
export async function offlineDigest(config: Config): Promise<ViewsDigest> {
  return withHome(config, async (home) => {
    const found = await withVouchedViews(home, async (store) => ({
      digest: await openViews(store).digest(),
      position: store.applied,
    }));
    // Nothing vouches for the views: they are brought level with the log first, as a start does.
    return found ?? digestOfStore(storeOptions(config, { home, observe: quiet() }));
  });
}

/**
 * Looks at every row of the views of a directory that nobody serves, and changes nothing; undefined
 * where no clean stop vouches for them, so that the next start replays the log anyway. Throws HomeLocked.
 */
export async function verifyViewsOffline(
  config: Config,
  options: VerifyViewsOptions,
): Promise<ViewsVerification | undefined> {
  return withHome(config, async (home) => {
    try {
      return await withVouchedViews(home, (store) => verifyViews(store, options));
    } catch (fault) {
      if (!(fault instanceof ViewsDamaged)) throw fault;
      return { rows: 0, problems: [fault.message], problemCount: 1 };
    }
  });
}

/** undefined where the clean marker does not speak of these views at this position. */
async function withVouchedViews<T>(
  home: Home,
  use: (store: ViewsStore) => Promise<T>,
): Promise<T | undefined> {
  const marker = await readCleanMarker(nodeFiles, home.layout);
  if (!marker) return undefined;
  const store = await openStoredViews(viewsPlace(home));
  try {
    const { viewsId, projection, applied } = store;
    const isVouched =
      viewsId === marker.viewsId && projection === PROJECTION && applied === marker.position;
    return isVouched ? await use(store) : undefined;
  } finally {
    await store.close();
  }
}

/** Builds the views anew from the log, in a directory that nobody serves. Throws HomeLocked. */
export async function rebuildViews(
  config: Config,
  onProgress: (progress: { readonly records: number; readonly total: number }) => void,
): Promise<ViewsDigest & { readonly records: number; readonly tookMs: number }> {
  return withHome(config, async (home) => {
    return digestOfStore({
      ...storeOptions(config, { home, observe: quiet() }),
      rebuild: true,
      onProgress: (records, total) => onProgress({ records, total }),
    });
  });
}

/**
 * Runs a job on a directory that nobody serves, recovered as a start does it. Throws HomeLocked; the
 * abort of `signal` cancels the job.
 */
export async function runJob(
  config: Config,
  { kind, options }: { readonly kind: string; readonly options: JobOptions },
  run: { readonly onProgress: (progress: Job['progress']) => void; readonly signal: AbortSignal },
): Promise<Result<Job>> {
  return withStore(config, async (store) => {
    await store.settled();
    const started = await store.service.admin.startJob(operator, kind, options);
    if (!started.ok) return started;
    const { id } = started.value;
    const cancel = () => void store.service.admin.cancelJob(operator, id);
    run.signal.addEventListener('abort', cancel);
    if (run.signal.aborted) cancel();
    const watching = setInterval(() => {
      const job = store.jobs.find(id);
      if (job) run.onProgress(job.progress);
    }, progressEveryMs);
    const ended = await store.jobs.ended(id);
    clearInterval(watching);
    return ok(ended ?? started.value);
  });
}

/** Asks the use cases of a directory that nobody serves. Throws HomeLocked. */
export async function askOffline<T>(
  config: Config,
  ask: (service: Service, call: Call) => Promise<T>,
): Promise<T> {
  return withStore(config, ({ service }) => ask(service, operator));
}

/** Whoever may open the directory. */
const operator: Call = { caller: { kind: 'service', id: null }, requestId: 'command' };
const progressEveryMs = 100;

function digestOfStore(
  options: StoreOptions,
): Promise<ViewsDigest & { readonly records: number; readonly tookMs: number }> {
  return useStore(options, async ({ views, report }) => ({
    digest: await views.digest(),
    position: views.applied,
    records: report.replayed_records,
    tookMs: report.took_ms,
  }));
}

/** The store of a directory that nobody serves, recovered as a start does it. Throws HomeLocked. */
function withStore<T>(config: Config, use: (store: Store) => Promise<T>): Promise<T> {
  return withHome(config, (home) =>
    useStore(storeOptions(config, { home, observe: quiet() }), use),
  );
}

async function useStore<T>(options: StoreOptions, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function withHome<T>(config: Config, use: (home: Home) => Promise<T>): Promise<T> {
  const home = await openHome({ files: nodeFiles, directory: config.dataDir });
  try {
    return await use(home);
  } finally {
    await home.close();
  }
}

function storeOptions(
  config: Config,
  { home, observe }: { readonly home: Home; readonly observe: ObserveWithCounts },
): StoreOptions {
  const { layout, nodeId, reserve } = home;
  const { maxFileSizeBytes, bucketCreators, signedUrlMaxTtlMs, maxSubscribers } = config;
  const { diskLow, diskHard, orphanGraceMs, retentionMs } = config;
  return {
    files: nodeFiles,
    layout,
    reserve,
    nodeId,
    version,
    clock: systemClock,
    ids: randomIds,
    random,
    observe,
    maxFileSizeBytes,
    bucketCreators,
    signedUrlMaxTtlMs,
    streams: { maxSubscribers },
    signingKeys: openSigningKeys({ files: nodeFiles, layout, random, now: systemClock.now }),
    diskMarks: { low: diskLow, hard: diskHard },
    upkeep: { orphanGraceMs, retentionMs },
    openViewsStore: ({ fresh }) => openStoredViews({ ...viewsPlace(home), fresh }),
  };
}

/** A server also sweeps by itself, and sends to webhooks. */
function served(config: Config, options: StoreOptions): StoreOptions {
  const { cleanupIntervalMs: intervalMs, webhookAllow, host } = config;
  const followers = { delivers: true, webhookAllow, httpAllowed: isLoopback(host) };
  return { ...options, upkeep: { ...options.upkeep, intervalMs }, followers };
}

function viewsPlace({ layout }: Home) {
  return { files: nodeFiles, path: layout.views, newId: () => randomIds.uuid() };
}

/** Who sets what does nothing yet must not believe that it protects them. */
function warnOfIdleSettings(config: Config, observe: ObserveWithCounts): void {
  for (const name of settingsWithoutEffect(config)) {
    observe.warn('a setting has no effect: what it configures is not built yet', { name });
  }
}

/** For commands: what they find, they print. */
function quiet(): ObserveWithCounts {
  return createObserve({ level: 'silent', isTty: false });
}

/** Who may sign in with what; without any configured key, by a secret of the directory's own. */
async function loginKeys(
  config: Config,
  { home, observe }: { readonly home: Home; readonly observe: Observe },
): Promise<{ readonly authenticate: Authenticate; readonly signIn: SignIn }> {
  const { jwtSecret, jwksUrl, jwksFile, jwtIssuer, jwtAudience } = config;
  const configured = jwtSecret !== undefined || jwksUrl !== undefined || jwksFile !== undefined;
  const own = configured
    ? undefined
    : await readOrCreateLoginSecret(nodeFiles, home.layout, random);
  const secret = jwtSecret === undefined ? own?.secret : Buffer.from(jwtSecret);
  const jwks = await keySet(config);
  const authenticate = createAuthenticator({
    ...(secret ? { secret } : {}),
    ...(jwks ? { jwks } : {}),
    ...(jwtIssuer === undefined ? {} : { issuer: jwtIssuer }),
    ...(jwtAudience === undefined ? {} : { audience: jwtAudience }),
    now: systemClock.now,
    observe,
  });
  const isFirstStart = own?.created ?? false;
  const signIn = { secret, issuer: jwtIssuer, audience: jwtAudience, isFirstStart };
  return { authenticate, signIn };
}

async function keySet({ jwksUrl, jwksFile }: Config) {
  if (jwksUrl !== undefined) return createRemoteJWKSet(new URL(jwksUrl));
  if (jwksFile === undefined) return undefined;
  const bytes = await nodeFiles.readFile(jwksFile).catch((cause: unknown) => {
    throw new StartRefused(`AEROSTORE_JWKS_FILE (${jwksFile}) can't be read`, { cause });
  });
  const keys = parseKeySet(Buffer.from(bytes).toString('utf8'));
  if (keys) return keys;
  throw new StartRefused(
    `AEROSTORE_JWKS_FILE (${jwksFile}) can't be read as a JSON key set: name a file such as {"keys":[…]}, its "oct" keys of at least ${minSecretBytes} bytes`,
  );
}

/** The configuration asks for something that is not there; the message says what to do. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused';
}

async function greet(
  output: Output,
  session: { readonly url: string; readonly signIn: SignIn; readonly dataDir: string },
  observe: ObserveWithCounts,
): Promise<void> {
  if (!output.isTty) return observe.info(signInHint(session));
  const lines = await greetingLines({ ...session, nowMs: systemClock.now() });
  for (const line of lines) output.write(line);
}

interface Ending {
  readonly exitCode: number;
  /** How long requests that run may go on. */
  readonly timeoutMs: number;
}

/** Runs until it is stopped or the store fails; then lets go of everything, once. */
function supervise(parts: {
  readonly http: HttpServer;
  readonly store: Store;
  readonly home: Home;
  readonly observe: ObserveWithCounts;
  readonly url: string;
}): Running {
  const { http, store, home, observe, url } = parts;
  let end: (how: Ending) => void = () => {};
  const ending = new Promise<Ending>((resolve) => {
    end = resolve;
  });
  const closed = ending
    .then(async ({ exitCode, timeoutMs }) => {
      await letGo({ http, store, home }, timeoutMs);
      observe.info('stopped', { exit_code: exitCode });
      return exitCode;
    })
    .catch((fault: unknown) => {
      observe.error(notInOrder, { fault: String(fault) });
      return 1;
    });
  void store.failed.then((cause) => {
    observe.error('the store can not go on; recovery at the next start decides', {
      fault: String(cause),
    });
    end({ exitCode: 1, timeoutMs: 0 });
  });
  return {
    url,
    closed,
    async stop() {
      end({ exitCode: 0, timeoutMs: stopTimeoutMs });
      await closed;
    },
  };
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/**
 * The configuration, and the only reader of the environment.
 *
 * It is parsed once, at the start, and trusted below. Every problem is named at once, each with what
 * to do about it; an unknown `AEROSTORE_*` name is a problem too, since a setting that is misspelt
 * and ignored protects nobody. No message holds the value of a secret or of a URL, which may have
 * credentials in it. docs/api.md, "Configuration", has the table.
 */
import { z } from 'zod';
import type { DiskMark } from './domain/values/sizes.ts';
import {
  backend,
  baseUrl,
  cidr,
  corsOrigins,
  DAY_MS,
  diskMark,
  duration,
  GIB,
  host,
  hostOrCidr,
  isLoopback,
  KIB,
  type Kind,
  listOf,
  MIB,
  oneOf,
  retention,
  SECOND_MS,
  secret,
  size,
  TIMER_MS,
  text,
  url,
  wholeNumber,
} from './setting-kinds.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Setting<T> {
  readonly name: string;
  readonly schema: z.ZodType<T, string | undefined>;
}

const settings = {
  host: setting('AEROSTORE_HOST', host(), '127.0.0.1'),
  /** 0 takes any free port. */
  port: setting('AEROSTORE_PORT', wholeNumber(0, 65_535), '8787'),
  dataDir: setting('AEROSTORE_DATA_DIR', text('a directory'), './data'),
  backend: setting('AEROSTORE_BACKEND', backend(), 'local'),
  maxFileSizeBytes: setting('AEROSTORE_MAX_FILE_SIZE', size(1, 5 * GIB), '100MiB'),
  cleanupIntervalMs: setting('AEROSTORE_CLEANUP_INTERVAL', duration(SECOND_MS, TIMER_MS), '1h'),
  orphanGraceMs: setting('AEROSTORE_ORPHAN_GRACE', duration(0), '24h'),
  /** Of the bytes of deleted and overwritten objects. */
  retentionMs: setting('AEROSTORE_RETENTION', retention(), '7d'),
  /** Of the log's segments. */
  logRetentionMs: setting('AEROSTORE_LOG_RETENTION', retention(), 'keep'),
  /** The key of HS256 login tokens is its UTF-8 bytes. */
  jwtSecret: optional('AEROSTORE_JWT_SECRET', secret()),
  jwksUrl: optional('AEROSTORE_JWKS_URL', url()),
  jwksFile: optional('AEROSTORE_JWKS_FILE', text('a file')),
  jwtIssuer: optional('AEROSTORE_JWT_ISSUER', text('the issuer')),
  jwtAudience: optional('AEROSTORE_JWT_AUDIENCE', text('the audience')),
  bucketCreators: setting(
    'AEROSTORE_BUCKET_CREATORS',
    oneOf('authenticated', 'service'),
    'authenticated',
  ),
  /** Without a slash at its end. */
  publicUrl: optional('AEROSTORE_PUBLIC_URL', baseUrl()),
  /** CIDRs. */
  trustedProxies: setting('AEROSTORE_TRUSTED_PROXIES', listOf(cidr, 'addresses or CIDRs'), 'none'),
  signedUrlMaxTtlMs: setting('AEROSTORE_SIGNED_URL_MAX_TTL', duration(SECOND_MS), '7d'),
  corsOrigins: setting('AEROSTORE_CORS_ORIGINS', corsOrigins(), '*'),
  metrics: setting('AEROSTORE_METRICS', oneOf('token', 'public', 'off'), 'token'),
  accel: setting('AEROSTORE_ACCEL', oneOf('off', 'x-accel-redirect', 'x-sendfile'), 'off'),
  logLevel: setting(
    'AEROSTORE_LOG_LEVEL',
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
  ),
  /** Uploads are refused while less is free. */
  diskLow: setting('AEROSTORE_DISK_LOW', diskMark(), '5%'),
  /** All writes are refused while less is free. */
  diskHard: setting('AEROSTORE_DISK_HARD', diskMark(), '1%'),
  bodyIdleTimeoutMs: setting('AEROSTORE_BODY_IDLE_TIMEOUT', duration(100, DAY_MS), '30s'),
  accessAudit: setting('AEROSTORE_ACCESS_AUDIT', oneOf('off', 'on'), 'off'),
  /** Hosts and CIDRs that webhooks may reach although they are private. */
  webhookAllow: setting('AEROSTORE_WEBHOOK_ALLOW', listOf(hostOrCidr, 'hosts or CIDRs'), 'none'),
  /** A minute and address. */
  authFailuresPerMinute: setting('AEROSTORE_LIMIT_AUTH_FAILURES', wholeNumber(1), '100'),
  /** A minute and caller. */
  signingPerMinute: setting('AEROSTORE_LIMIT_SIGNING', wholeNumber(1), '1000'),
  /** A minute and signed URL. */
  signedUsesPerMinute: setting('AEROSTORE_LIMIT_SIGNED_USES', wholeNumber(1), '600'),
  jsonBodyBytes: setting('AEROSTORE_LIMIT_JSON_BODY', size(KIB, 64 * MIB), '1MiB'),
  maxSubscribers: setting('AEROSTORE_LIMIT_SUBSCRIBERS', wholeNumber(1), '10000'),
  maxConnections: setting('AEROSTORE_LIMIT_CONNECTIONS', wholeNumber(1), '16384'),
};

/** Durations in ms, sizes in bytes. */
export type Config = {
  readonly [Field in keyof typeof settings]: (typeof settings)[Field] extends Setting<infer T>
    ? T
    : never;
};

/** Every name that is known, in the order of the table. */
export const settingNames: readonly string[] = Object.values(settings).map(({ name }) => name);

/** What these configure is not built yet. */
const idleFields = [
  'logRetentionMs',
  'metrics',
  'accessAudit',
] as const satisfies readonly (keyof Config)[];

/** The names that ask for something other than the default and get nothing: start-up says so. */
export function settingsWithoutEffect(config: Config): string[] {
  const usual = parseConfig({});
  if (!usual.ok) throw new Error('the defaults contradict each other');
  return idleFields
    .filter((field) => String(config[field]) !== String(usual.config[field]))
    .map((field) => settings[field].name);
}

const unquotable: ReadonlySet<string> = new Set([
  'AEROSTORE_JWT_SECRET',
  'AEROSTORE_JWKS_URL',
  'AEROSTORE_PUBLIC_URL',
]);

/** The configuration of this process. */
export function readConfig(): ParsedConfig {
  return parseConfig(process.env);
}

export function parseConfig(env: Environment): ParsedConfig {
  const problems = unknownNames(env);
  const values: Record<string, unknown> = {};
  for (const [field, { name, schema }] of Object.entries(settings)) {
    const parsed = schema.safeParse(env[name]);
    if (parsed.success) values[field] = parsed.data;
    else problems.push(...parsed.error.issues.map((issue) => problem(env, name, issue.message)));
  }
  problems.push(...contradictions(values, env));
  // Without a problem every field of the table is there, parsed by its own schema.
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config: values as Config };
}

function problem(env: Environment, name: string, advice: string): string {
  const value = env[name] ?? '';
  if (value === '') return `${name} is empty: remove it, or ${advice}.`;
  if (unquotable.has(name)) return `${name} is not valid: ${advice}.`;
  const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return `${name} is ${JSON.stringify(shown)}: ${advice}.`;
}

/** What no setting is wrong about by itself. */
function contradictions(config: Partial<Config>, env: Environment): string[] {
  const { host, diskLow, diskHard } = config;
  const found: string[] = [];
  if (host !== undefined && !isLoopback(host) && env.AEROSTORE_PUBLIC_URL === undefined) {
    found.push(
      `AEROSTORE_PUBLIC_URL is not set, and AEROSTORE_HOST (${host}) is beyond loopback: ` +
        'set it to the address that clients use, such as https://files.example.com.',
    );
  }
  if (config.jwksUrl !== undefined && config.jwksFile !== undefined) {
    found.push('AEROSTORE_JWKS_URL and AEROSTORE_JWKS_FILE are both set: remove one of them.');
  }
  if (diskLow && diskHard && isBelow(diskLow, diskHard)) {
    found.push(
      'AEROSTORE_DISK_LOW is less than AEROSTORE_DISK_HARD: uploads are refused first, ' +
        'all writes later, so give AEROSTORE_DISK_LOW the larger one.',
    );
  }
  return found;
}

function isBelow(mark: DiskMark, other: DiskMark): boolean {
  if (mark.kind === 'share') return other.kind === 'share' && mark.share < other.share;
  return other.kind === 'bytes' && mark.bytes < other.bytes;
}

function unknownNames(env: Environment): string[] {
  const names = Object.keys(env).filter((name) => /^aerostore_/i.test(name));
  return names.filter((name) => !settingNames.includes(name)).map(unknownName);
}

function unknownName(name: string): string {
  // Kubernetes gives every pod the address of each service: one named "aerostore" yields these.
  if (/^AEROSTORE_(SERVICE_(HOST|PORT)|PORT_\d+_)/.test(name)) {
    return `${name} is not known: it looks like a Kubernetes service link; set enableServiceLinks: false.`;
  }
  return `${name} is not known: did you mean ${nearestName(name)}?`;
}

function nearestName(name: string): string {
  const wanted = name.toUpperCase();
  const ranked = settingNames.map((known) => ({ known, edits: editDistance(wanted, known) }));
  return ranked.reduce((best, next) => (next.edits < best.edits ? next : best)).known;
}

/** Levenshtein's: how many letters to insert, remove or replace. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
      const inserted = (next[column - 1] ?? 0) + 1;
      next.push(Math.min(replaced, inserted, (row[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The default is a text as a person would write it, and is parsed as one. */
function setting<T>(name: string, kind: Kind<T>, fallback: string): Setting<T> {
  return { name, schema: schemaOf(kind).prefault(fallback) };
}

function optional<T>(name: string, kind: Kind<T>): Setting<T | undefined> {
  return { name, schema: schemaOf(kind).optional() };
}

function schemaOf<T>(kind: Kind<T>): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    const value = text === '' ? undefined : kind.parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: kind.advice });
    return z.NEVER;
  });
}

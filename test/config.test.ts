/** The configuration: every name with its default, every kind of bad value, and what is never shown. */
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import {
  type Config,
  type Environment,
  parseConfig,
  settingNames,
  settingsWithoutEffect,
} from '../src/config.ts';

const DAY_MS = 86_400_000;
const secret = 'correct horse battery staple, and more';

const defaults: Config = {
  host: '127.0.0.1',
  port: 8787,
  dataDir: './data',
  backend: 'local',
  maxFileSizeBytes: 104_857_600,
  cleanupIntervalMs: 3_600_000,
  orphanGraceMs: DAY_MS,
  retentionMs: 7 * DAY_MS,
  logRetentionMs: 'keep',
  jwtSecret: undefined,
  jwksUrl: undefined,
  jwksFile: undefined,
  jwtIssuer: undefined,
  jwtAudience: undefined,
  bucketCreators: 'authenticated',
  publicUrl: undefined,
  trustedProxies: [],
  signedUrlMaxTtlMs: 7 * DAY_MS,
  corsOrigins: '*',
  metrics: 'token',
  accel: 'off',
  logLevel: 'info',
  diskLow: { kind: 'share', share: 0.05 },
  diskHard: { kind: 'share', share: 0.01 },
  bodyIdleTimeoutMs: 30_000,
  accessAudit: 'off',
  webhookAllow: [],
  authFailuresPerMinute: 100,
  signingPerMinute: 1000,
  signedUsesPerMinute: 600,
  jsonBodyBytes: 1_048_576,
  maxSubscribers: 10_000,
  maxConnections: 16_384,
};

/** The names of docs/api.md, "Configuration". */
const documented = [
  ...['HOST', 'PORT', 'DATA_DIR', 'BACKEND', 'MAX_FILE_SIZE', 'CLEANUP_INTERVAL', 'ORPHAN_GRACE'],
  ...['RETENTION', 'LOG_RETENTION', 'JWT_SECRET', 'JWKS_URL', 'JWKS_FILE', 'JWT_ISSUER'],
  ...['JWT_AUDIENCE', 'BUCKET_CREATORS', 'PUBLIC_URL', 'TRUSTED_PROXIES', 'SIGNED_URL_MAX_TTL'],
  ...['CORS_ORIGINS', 'METRICS', 'ACCEL', 'LOG_LEVEL', 'DISK_LOW', 'DISK_HARD'],
  ...['BODY_IDLE_TIMEOUT', 'ACCESS_AUDIT', 'WEBHOOK_ALLOW', 'LIMIT_AUTH_FAILURES'],
  ...['LIMIT_SIGNING', 'LIMIT_SIGNED_USES', 'LIMIT_JSON_BODY', 'LIMIT_SUBSCRIBERS'],
  'LIMIT_CONNECTIONS',
].map((name) => `AEROSTORE_${name}`);

test('the names are those that the documents list', () => {
  expect([...settingNames].sort()).toEqual(documented.sort());
});

test('without a setting every default holds, and other names are nobody’s concern', () => {
  expect(parseConfig({ PATH: '/bin', NODE_ENV: 'x' })).toEqual({ ok: true, config: defaults });
});

/** Name without prefix, text, field, value. */
const accepted: readonly (readonly [string, string, keyof Config, unknown])[] = [
  ['HOST', '::1', 'host', '::1'],
  ['HOST', 'localhost', 'host', 'localhost'],
  ['HOST', '127.0.0.2', 'host', '127.0.0.2'],
  ['HOST', '::ffff:127.0.0.1', 'host', '::ffff:127.0.0.1'],
  ['PORT', '0', 'port', 0],
  ['PORT', '65535', 'port', 65_535],
  ['DATA_DIR', '/srv/aero store', 'dataDir', '/srv/aero store'],
  ['BACKEND', 'local', 'backend', 'local'],
  ['MAX_FILE_SIZE', '5GiB', 'maxFileSizeBytes', 5 * 2 ** 30],
  ['MAX_FILE_SIZE', '20mb', 'maxFileSizeBytes', 20_000_000],
  ['CLEANUP_INTERVAL', '1s', 'cleanupIntervalMs', 1000],
  ['ORPHAN_GRACE', '0s', 'orphanGraceMs', 0],
  ['RETENTION', 'keep', 'retentionMs', 'keep'],
  ['RETENTION', '500ms', 'retentionMs', 500],
  ['LOG_RETENTION', '30d', 'logRetentionMs', 30 * DAY_MS],
  ['JWT_SECRET', secret, 'jwtSecret', secret],
  ['JWT_SECRET', 'ä'.repeat(16), 'jwtSecret', 'ä'.repeat(16)],
  ['JWKS_URL', 'https://id.example.com/keys', 'jwksUrl', 'https://id.example.com/keys'],
  ['JWKS_FILE', './keys.json', 'jwksFile', './keys.json'],
  ['JWT_ISSUER', 'https://id.example.com', 'jwtIssuer', 'https://id.example.com'],
  ['JWT_AUDIENCE', 'storage', 'jwtAudience', 'storage'],
  ['BUCKET_CREATORS', 'service', 'bucketCreators', 'service'],
  ['PUBLIC_URL', 'https://files.example.com/', 'publicUrl', 'https://files.example.com'],
  ['PUBLIC_URL', 'https://example.com/files/', 'publicUrl', 'https://example.com/files'],
  ['TRUSTED_PROXIES', '10.0.0.0/8, ::1', 'trustedProxies', ['10.0.0.0/8', '::1/128']],
  ['TRUSTED_PROXIES', '192.0.2.7', 'trustedProxies', ['192.0.2.7/32']],
  ['TRUSTED_PROXIES', 'none', 'trustedProxies', []],
  ['SIGNED_URL_MAX_TTL', '90m', 'signedUrlMaxTtlMs', 5_400_000],
  ['CORS_ORIGINS', 'none', 'corsOrigins', []],
  [
    'CORS_ORIGINS',
    'https://a.example,http://localhost:3000',
    'corsOrigins',
    ['https://a.example', 'http://localhost:3000'],
  ],
  ['METRICS', 'public', 'metrics', 'public'],
  ['ACCEL', 'x-sendfile', 'accel', 'x-sendfile'],
  ['LOG_LEVEL', 'silent', 'logLevel', 'silent'],
  ['DISK_LOW', '12.5%', 'diskLow', { kind: 'share', share: 0.125 }],
  ['DISK_LOW', '2GiB', 'diskLow', { kind: 'bytes', bytes: 2 ** 31 }],
  ['DISK_HARD', '0%', 'diskHard', { kind: 'share', share: 0 }],
  ['BODY_IDLE_TIMEOUT', '500ms', 'bodyIdleTimeoutMs', 500],
  ['ACCESS_AUDIT', 'on', 'accessAudit', 'on'],
  [
    'WEBHOOK_ALLOW',
    'Hooks.internal,10.1.0.0/16',
    'webhookAllow',
    ['hooks.internal', '10.1.0.0/16'],
  ],
  ['LIMIT_AUTH_FAILURES', '1', 'authFailuresPerMinute', 1],
  ['LIMIT_SIGNING', '5', 'signingPerMinute', 5],
  ['LIMIT_SIGNED_USES', '6', 'signedUsesPerMinute', 6],
  ['LIMIT_JSON_BODY', '2MiB', 'jsonBodyBytes', 2 * 2 ** 20],
  ['LIMIT_SUBSCRIBERS', '7', 'maxSubscribers', 7],
  ['LIMIT_CONNECTIONS', '8', 'maxConnections', 8],
];

test.each(accepted)('AEROSTORE_%s takes %s', (name, text, field, value) => {
  expect(parseConfig({ [`AEROSTORE_${name}`]: text })).toEqual({
    ok: true,
    config: { ...defaults, [field]: value },
  });
});

const refused: Readonly<Record<string, readonly string[]>> = {
  HOST: ['[::1]', 'a b', 'http://x', '256.0.0.1', '127.1', 'a..b'],
  PORT: ['-1', '65536', '80.5', '0x50', 'http', ' 80', 'tcp://10.0.0.1:80'],
  DATA_DIR: [' '],
  BACKEND: ['s3', 'Local', 'disk'],
  MAX_FILE_SIZE: ['0', '6GiB', '5.1GiB', '10 mbit', '-1', '1tb'],
  CLEANUP_INTERVAL: ['0s', '25d', '1', '1.5h', '1 h', '1w', '-1h', 'keep', '1H'],
  ORPHAN_GRACE: ['never', '3651d'],
  RETENTION: ['forever', '7', '-7d'],
  LOG_RETENTION: ['no'],
  JWKS_URL: ['keys.json', 'file:///etc/passwd', 'ftp://x/y'],
  JWKS_FILE: ['  '],
  JWT_ISSUER: [' '],
  JWT_AUDIENCE: [' '],
  BUCKET_CREATORS: ['anyone', 'Service'],
  PUBLIC_URL: [
    'files.example.com',
    'https://u:p@x.example',
    'https://x.example/?a',
    'https://x/#b',
  ],
  TRUSTED_PROXIES: [
    '10.0.0.0/33',
    'proxy.internal',
    '10.0.0.0/8,,',
    '*',
    '10/8',
    '::1/129',
    '1.2.3.4/8/8',
  ],
  SIGNED_URL_MAX_TTL: ['0s', '999ms', 'keep'],
  CORS_ORIGINS: [
    '*,https://a.example',
    'a.example',
    'https://a.example/',
    'https://a.example/x',
    'null',
  ],
  METRICS: ['on', 'yes'],
  ACCEL: ['nginx', 'on'],
  LOG_LEVEL: ['verbose', 'INFO'],
  DISK_LOW: ['5', '100%', '-5%', '5 percent', '.5%'],
  DISK_HARD: ['a lot', '1.%'],
  BODY_IDLE_TIMEOUT: ['99ms', '2d', '0s'],
  ACCESS_AUDIT: ['true', '1'],
  WEBHOOK_ALLOW: ['http://hooks.internal', 'a b', '10.0.0.0/99'],
  LIMIT_AUTH_FAILURES: ['0', 'none', '1e3'],
  LIMIT_SIGNING: ['0', '99999999999'],
  LIMIT_SIGNED_USES: ['-1'],
  LIMIT_JSON_BODY: ['1023', '65MiB', 'big'],
  LIMIT_SUBSCRIBERS: ['0'],
  LIMIT_CONNECTIONS: ['0'],
};

describe.each(Object.entries(refused))('AEROSTORE_%s refuses', (name, texts) => {
  test.each(texts)('%j, naming itself and what to do', (text) => {
    const problems = problemsOf({ [`AEROSTORE_${name}`]: text });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^AEROSTORE_${name} is .*: (use|name) .*\\.$`));
  });
});

test('a setting that is set but empty is refused, whatever it is', () => {
  const env = Object.fromEntries(settingNames.map((name) => [name, '']));
  const problems = problemsOf(env);
  expect(problems).toHaveLength(settingNames.length);
  for (const name of settingNames) {
    expect(problems.some((text) => text.startsWith(`${name} is empty: remove it, or `))).toBe(true);
  }
});

test('every problem is named at once', () => {
  const problems = problemsOf({
    AEROSTORE_PORT: 'x',
    AEROSTORE_METRICS: 'x',
    AEROSTORE_PRT: '1',
    AEROSTORE_HOST: '0.0.0.0',
  });
  expect(problems).toHaveLength(4);
});

test.each([
  ['AEROSTORE_PRT', 'AEROSTORE_PORT'],
  ['AEROSTORE_DATADIR', 'AEROSTORE_DATA_DIR'],
  ['AEROSTORE_MAX_FILESIZE', 'AEROSTORE_MAX_FILE_SIZE'],
  ['AEROSTORE_JWT_SECRT', 'AEROSTORE_JWT_SECRET'],
  ['AEROSTORE_LIMIT_SIGNIN', 'AEROSTORE_LIMIT_SIGNING'],
  ['aerostore_port', 'AEROSTORE_PORT'],
])('%s is not known, and %s is suggested', (name, nearest) => {
  expect(problemsOf({ [name]: 'x' })).toEqual([`${name} is not known: did you mean ${nearest}?`]);
});

test('a Kubernetes service link is recognised', () => {
  const problems = problemsOf({ AEROSTORE_SERVICE_HOST: '10.0.0.1', AEROSTORE_PORT_80_TCP: 'x' });
  expect(problems).toHaveLength(2);
  for (const text of problems) expect(text).toContain('enableServiceLinks: false');
});

describe('what is never shown', () => {
  test.each([
    ['AEROSTORE_JWT_SECRET', 'hunter2-hunter2'],
    ['AEROSTORE_JWT_SECRET', ` ${secret}\n`],
    ['AEROSTORE_JWT_SECRT', secret],
    ['AEROSTORE_JWKS_URL', 'ftp://user:hunter2@id.example.com'],
    ['AEROSTORE_PUBLIC_URL', 'https://user:hunter2@files.example.com'],
  ])('the value of a bad %s', (name, value) => {
    const text = problemsOf({ [name]: value }).join('\n');
    expect(text).toContain(name);
    expect(text).not.toContain(value.trim());
    expect(text).not.toContain('hunter2');
  });

  property.prop([fc.string({ minLength: 4, maxLength: 31 })])('a short secret', (value) => {
    const parsed = parseConfig({ AEROSTORE_JWT_SECRET: value });
    fc.pre(Buffer.byteLength(value) < 32);
    const fixed = problemsOf({ AEROSTORE_JWT_SECRET: '<' });
    expect(parsed).toEqual({ ok: false, problems: fixed });
  });
});

describe('what contradicts itself', () => {
  test.each(['0.0.0.0', '::', '192.168.1.5', 'files.example.com'])(
    'a host beyond loopback (%s) needs AEROSTORE_PUBLIC_URL',
    (host) => {
      const [text] = problemsOf({ AEROSTORE_HOST: host });
      expect(text).toMatch(/^AEROSTORE_PUBLIC_URL is not set, .*set it to/);
      const env = { AEROSTORE_HOST: host, AEROSTORE_PUBLIC_URL: 'https://files.example.com' };
      expect(parseConfig(env).ok).toBe(true);
    },
  );

  test('a bad public URL is one problem, not two', () => {
    const env = { AEROSTORE_HOST: '0.0.0.0', AEROSTORE_PUBLIC_URL: 'x' };
    expect(problemsOf(env)).toHaveLength(1);
  });

  test('keys come from a URL or a file', () => {
    const env = { AEROSTORE_JWKS_URL: 'https://x.example/k', AEROSTORE_JWKS_FILE: 'k.json' };
    expect(problemsOf(env)[0]).toContain('both set');
  });

  test.each([
    ['1%', '2%', false],
    ['2%', '2%', true],
    ['1GiB', '2GiB', false],
    ['1GiB', '50%', true],
  ])('a low mark of %s with a hard one of %s: %s', (low, hard, fine) => {
    const env = { AEROSTORE_DISK_LOW: low, AEROSTORE_DISK_HARD: hard };
    expect(parseConfig(env).ok).toBe(fine);
  });
});

function problemsOf(env: Environment): readonly string[] {
  const parsed = parseConfig(env);
  return parsed.ok ? [] : parsed.problems;
}

describe('what has no effect yet', () => {
  test('is told by its name where it is asked for', () => {
    const parsed = parseConfig({ AEROSTORE_ACCESS_AUDIT: 'on', AEROSTORE_LOG_RETENTION: '7d' });
    if (!parsed.ok) throw new Error(parsed.problems.join());
    expect(settingsWithoutEffect(parsed.config)).toEqual([
      'AEROSTORE_LOG_RETENTION',
      'AEROSTORE_ACCESS_AUDIT',
    ]);
  });

  test('is not told of what was left alone', () => {
    const parsed = parseConfig({});
    if (!parsed.ok) throw new Error(parsed.problems.join());
    expect(settingsWithoutEffect(parsed.config)).toEqual([]);
  });
});

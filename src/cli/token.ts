/**
 * `token`: signs a login token with the secret that the server checks it by: the configured one, or
 * the data directory's own. It works beside a running server and makes no secret: a server that has
 * none was never started. Only the token goes to standard output.
 */
import { type Command, Option } from 'commander';
import { nodeFiles } from '#files';
import type { Config } from '../config.ts';
import { isSubject, maxSubjectBytes } from '../domain/caller.ts';
import { readLoginSecret } from '../home/keyring.ts';
import { layoutOf } from '../home/layout.ts';
import { signLoginToken } from '../login-token.ts';
import { parseDuration } from '../setting-kinds.ts';
import { type CommonOptions, configOf, define, type Run } from './command.ts';
import { misuse } from './failures.ts';
import { timeText, writeJson } from './output.ts';
import type { ExitCode, Surroundings } from './surroundings.ts';

/** What `--role` may be, and the claim that it becomes. docs/api.md, "Callers". */
const roles = {
  user: 'authenticated',
  authenticated: 'authenticated',
  service: 'service_role',
  service_role: 'service_role',
  anon: 'anon',
} as const;

interface TokenOptions extends CommonOptions {
  readonly sub?: string;
  readonly role: keyof typeof roles;
  /** Milliseconds. */
  readonly expires: number;
}

export function addToken(parent: Command, run: Run): void {
  define<TokenOptions>(parent, run, {
    name: 'token',
    summary: 'Sign a login token for a user, for the service, or for nobody.',
    examples: ['token --sub alice --expires 1h', 'token --role service --expires 15m'],
    works: 'offline',
    options: [
      new Option('--sub <id>', "the user's id; needed for a user").argParser(parseSub),
      new Option('--role <role>', 'who it is for').choices(Object.keys(roles)).default('user'),
      new Option('--expires <duration>', 'how long it is valid: 30s, 15m, 1h, 7d')
        .argParser(parseExpires)
        .default(3_600_000, '1h'),
    ],
    act: (options) => printToken(run.surroundings, options),
  });
}

async function printToken(surroundings: Surroundings, options: TokenOptions): Promise<ExitCode> {
  const role = roles[options.role];
  if (role === 'authenticated' && options.sub === undefined) {
    throw misuse('A user has an id: add --sub, or choose --role service or --role anon.');
  }
  const config = configOf(surroundings, options);
  const { token, expiresMs } = await signLoginToken(await signingKey(config), {
    role,
    sub: options.sub,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    nowMs: Date.now(),
    validMs: options.expires,
  });
  if (options.json) writeJson(surroundings, { token, expires_at: timeText(expiresMs) });
  else surroundings.write(`${token}\n`);
  return 0;
}

async function signingKey(config: Config): Promise<Uint8Array> {
  if (config.jwtSecret !== undefined) return new TextEncoder().encode(config.jwtSecret);
  if (config.jwksUrl !== undefined || config.jwksFile !== undefined) {
    throw misuse(
      'This configuration trusts the keys of a JWKS only, whose private halves are elsewhere: get the token from who has them, or set AEROSTORE_JWT_SECRET for the server and for this command.',
    );
  }
  const layout = layoutOf(config.dataDir);
  if ((await nodeFiles.stat(layout.directory)) === undefined) {
    throw misuse(
      `There is no data directory at ${layout.directory}: start the server once, name another one with --data-dir, or set AEROSTORE_JWT_SECRET.`,
    );
  }
  const secret = await readLoginSecret(nodeFiles, layout);
  if (secret !== undefined) return secret;
  throw misuse(
    `${layout.directory} holds no login secret: start the server once, or set AEROSTORE_JWT_SECRET to what the server has.`,
  );
}

function parseSub(value: string): string {
  if (isSubject(value)) return value;
  throw misuse(`--sub is not valid: use 1 to ${maxSubjectBytes} bytes without control characters.`);
}

function parseExpires(value: string): number {
  const durationMs = parseDuration(value);
  const longestMs = 3_650 * 86_400_000;
  if (durationMs !== undefined && durationMs >= 1000 && durationMs <= longestMs) return durationMs;
  throw misuse(
    '--expires is not valid: use a duration of 1s to 3650d, such as 30s, 15m, 1h or 7d.',
  );
}

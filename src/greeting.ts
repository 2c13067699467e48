/** What a person is told who starts the server on a terminal: how to sign in, and lines to paste. */
import { resolve } from 'node:path';
import { signLoginToken } from './login-token.ts';

export interface SignIn {
  /** What HS256 tokens are checked by; undefined where only a JWKS is configured. */
  readonly secret: Uint8Array | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** The secret was made by this start. */
  readonly isFirstStart: boolean;
}

export interface Session {
  readonly url: string;
  readonly signIn: SignIn;
  readonly dataDir: string;
  /** Unix ms. */
  readonly nowMs: number;
}

const firstTokenMs = 24 * 3_600_000;

/** The first start shows a service token, once; later ones show how to get another. */
export async function greetingLines(session: Session): Promise<string[]> {
  const { url, signIn, nowMs } = session;
  const { secret, issuer, audience, isFirstStart } = signIn;
  const lines = ['', `aerostore listens on ${url}`, ''];
  if (!isFirstStart || !secret) return [...lines, signInHint(session), ''];
  const { token } = await signLoginToken(secret, {
    role: 'service_role',
    issuer,
    audience,
    nowMs,
    validMs: firstTokenMs,
  });
  return [
    ...lines,
    'A service token, valid for 24 h and shown this once, and lines to try in another terminal:',
    '',
    `  TOKEN=${token}`,
    ...trialLines(url).map((line) => `  ${line}`),
    '',
    signInHint(session),
    '',
  ];
}

export function signInHint({ signIn, dataDir }: Pick<Session, 'signIn' | 'dataDir'>): string {
  if (!signIn.secret) return 'Tokens are checked by the configured JWKS: get one from its owner.';
  const directory = resolve(dataDir);
  return `Make a token with: npm run -s aerostore -- token --role service --data-dir ${quoted(directory)} (installed: aerostore token)`;
}

function trialLines(url: string): string[] {
  const base = `${url}/storage/v1`;
  const auth = '-H "Authorization: Bearer $TOKEN"';
  return [
    `curl ${auth} -d '{"name":"photos"}' ${base}/bucket`,
    `curl ${auth} -H 'content-type: text/plain' -d 'hello, world' ${base}/object/photos/hello.txt`,
    `curl ${auth} ${base}/object/photos/hello.txt`,
    `curl ${auth} ${base}/object/list/photos`,
    `curl ${auth} -X DELETE ${base}/object/photos/hello.txt`,
  ];
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

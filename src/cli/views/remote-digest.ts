/** Asks a running server, as the service. */
import { CommandRefused } from '../failures.ts';
import type { ViewsDigest } from '../surroundings.ts';

interface Server {
  readonly url: string;
  readonly token: string;
}

/** A digest reads all rows: a large store takes its time. */
const TIMEOUT_MS = 10 * 60_000;

export async function remoteDigest(server: Server): Promise<ViewsDigest> {
  const found = await get(server, '/admin/digest');
  if (isDigest(found)) return found;
  throw new CommandRefused(1, `${originOf(server)} answered with something else than a digest.`);
}

function isDigest(value: unknown): value is ViewsDigest {
  if (typeof value !== 'object' || value === null) return false;
  const { digest, position } = value as Partial<Record<keyof ViewsDigest, unknown>>;
  return (
    typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) && typeof position === 'number'
  );
}

async function get(server: Server, path: string): Promise<unknown> {
  const url = `${server.url.replace(/\/+$/, '').replace(/\/storage\/v1$/, '')}/storage/v1${path}`;
  let response: Response;
  let body: string;
  try {
    response = await fetch(url, {
      headers: { authorization: `Bearer ${server.token}` },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    body = await response.text();
  } catch (cause) {
    throw new CommandRefused(1, `${originOf(server)} can't be asked: ${reasonOf(cause)}.`, {
      cause,
    });
  }
  const document = parseJson(body);
  if (response.ok) return document;
  const { status } = response;
  throw new CommandRefused(1, `${originOf(server)} refused (${status}): ${messageIn(document)}.`);
}

/** Without credentials that the URL may hold. */
function originOf(server: Server): string {
  return new URL(server.url).origin;
}

/** fetch says what went wrong only in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageIn(document: unknown): string {
  if (typeof document !== 'object' || document === null || !('message' in document)) {
    return 'no reason was given';
  }
  return String(document.message);
}

/** Asks a running server, as the service. */
import { CommandRefused } from './failures.ts';

export interface Server {
  readonly url: string;
  readonly token: string;
}

export interface Question {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Below `/storage/v1`. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly timeoutMs: number;
}

/** The answer's JSON. Throws CommandRefused where the server refuses or can't be reached. */
export async function ask(server: Server, question: Question): Promise<unknown> {
  const { method = 'GET', path, body, timeoutMs } = question;
  const url = `${server.url.replace(/\/+$/, '').replace(/\/storage\/v1$/, '')}/storage/v1${path}`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${server.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (cause) {
    throw new CommandRefused(1, `${originOf(server)} can't be asked: ${reasonOf(cause)}.`, {
      cause,
    });
  }
  const document = parseJson(text);
  if (response.ok) return document;
  const { status } = response;
  throw new CommandRefused(1, `${originOf(server)} refused (${status}): ${messageIn(document)}.`);
}

/** Without credentials that the URL may hold. */
export function originOf(server: Server): string {
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

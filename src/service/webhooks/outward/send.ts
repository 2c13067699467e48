/**
 * One POST to a receiver: to an address that was looked at just before, in bounded time, whatever the
 * receiver does. Nothing is followed, nothing of the answer is kept but its status and Retry-After.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { withoutDot } from './addresses.ts';
import { type Address, abortable, checkHost, parseTargetUrl, type TargetRules } from './target.ts';

export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

export type Outcome =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | undefined }
  /** No answer. `error` is a code or a phrase, safe to show to who made the webhook. */
  | { readonly kind: 'failed'; readonly error: string };

/** Never rejects but where `signal` aborts, with its reason. */
export type Send = (message: Message, signal: AbortSignal) => Promise<Outcome>;

/** From the first look at the name to the last byte of the answer. */
const deliveryTimeoutMs = 15_000;
/** Of an answer's body, which is thrown away. */
const maxAnswerBytes = 64 * 1024;
const maxHeaderBytes = 16 * 1024;

export function createSend(
  rules: TargetRules,
  { timeoutMs = deliveryTimeoutMs }: { readonly timeoutMs?: number } = {},
): Send {
  return async (message, signal) => {
    signal.throwIfAborted();
    const ending = new AbortController();
    const stop = () => ending.abort(signal.reason);
    const timer = setTimeout(() => ending.abort(new Error('timeout')), timeoutMs);
    signal.addEventListener('abort', stop);
    try {
      // Some answers, such as a 101, end a request of Node's without a word: the time counts all the same.
      return await abortable(deliver(rules, message, ending.signal), ending.signal);
    } catch (fault) {
      signal.throwIfAborted();
      return { kind: 'failed', error: ending.signal.aborted ? 'timeout' : reasonOf(fault) };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  };
}

async function deliver(rules: TargetRules, message: Message, signal: AbortSignal) {
  const url = parseTargetUrl(message.url, rules);
  if (!url.ok) return failed('the URL is not allowed any more');
  const checked = await checkHost(url.value, rules, signal);
  signal.throwIfAborted();
  if (checked.kind === 'unresolved') return failed('the host is not known');
  if (checked.kind === 'forbidden') return failed('the host may not be reached');
  return post(url.value, { ...message, addresses: checked.addresses, signal });
}

function failed(error: string): Outcome {
  return { kind: 'failed', error };
}

function post(
  url: URL,
  to: Message & { readonly addresses: readonly Address[]; readonly signal: AbortSignal },
): Promise<Outcome> {
  const { headers, body, addresses, signal } = to;
  const isSecure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const sent = (isSecure ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      // A connection of its own: one that was kept could lead to an address of yesterday.
      agent: false,
      headers: {
        'user-agent': 'aerostore',
        ...headers,
        'content-length': String(Buffer.byteLength(body)),
      },
      lookup: pinnedTo(addresses),
      maxHeaderSize: maxHeaderBytes,
      signal,
      ...(isSecure && !/^[\d.]+$|:/.test(url.hostname)
        ? { servername: withoutDot(url.hostname) }
        : {}),
    });
    sent.on('error', reject);
    sent.once('response', (answer) => {
      const { statusCode: status = 0, headers: told } = answer;
      readAway(answer, () => {
        sent.destroy();
        resolve({ kind: 'answered', status, retryAfter: told['retry-after'] });
      });
      answer.once('error', reject);
    });
    sent.end(body);
  });
}

/** Until the end, or until it is too much; `done` is called once. */
function readAway(answer: IncomingMessage, done: () => void): void {
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) done();
  });
  answer.once('end', done);
}

/** The addresses that were looked at, whatever the name leads to by now. */
function pinnedTo(addresses: readonly Address[]): LookupFunction {
  return (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}

/** A system's or TLS's code, which names no address. */
function reasonOf(fault: unknown): string {
  for (let cause = fault; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
    if ('code' in cause && /^[A-Z][A-Z0-9_]{1,60}$/.test(String(cause.code))) {
      return String(cause.code);
    }
  }
  return 'the connection failed';
}

/**
 * What goes back to the client, and the one place that writes it.
 *
 * Promises: back-pressure is honoured chunk by chunk (a chunk may be reused by its producer once the
 * next one is asked for, so each is flushed first); what streams is closed in every case; an answer
 * that breaks after its head ends in a destroyed connection, never in a body that looks whole.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ByteStream } from '../../blobs/blob-store.ts';
import type { Exchange } from './exchange.ts';

export interface StreamedBody {
  /** Exactly as many bytes as the chunks have. */
  readonly sizeBytes: number;
  readonly chunks: ByteStream;
  close(): Promise<void>;
}

/** What is written as it comes about, without an end that is known. */
export interface LiveBody {
  /** True where it writes everything itself, the head too, and leaves HTTP. */
  readonly takesOver: boolean;
  /** Resolves once it is over; it ends the answer. */
  run(): Promise<void>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Left out where there is none: 204, 304, and what answers a HEAD. */
  readonly body?: string | StreamedBody | LiveBody;
}

interface AnswerOptions {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How long a client may leave a download unread before its connection is given up, ms. */
const unreadTimeoutMs = 5 * 60_000;

/** A body of at most so many bytes is handed over whole; nobody waits for it to be read. */
const atOnceBytes = 64 * 1024;

/** After an early answer: how much of an unwanted body is still read, and for how long. */
const linger = { maxBytes: 1024 * 1024, timeoutMs: 1_000 };

/** A body that is likely under way already, and how long an early answer waits for it. */
const brief = { maxBytes: 64 * 1024, timeoutMs: 250 };

export function jsonAnswer(value: unknown, options: AnswerOptions = {}): Answer {
  return jsonTextAnswer(JSON.stringify(value), options);
}

/** As `jsonAnswer`, of what is JSON already. */
export function jsonTextAnswer(text: string, options: AnswerOptions = {}): Answer {
  return {
    status: options.status ?? 200,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      ...options.headers,
    },
    body: text,
  };
}

/** Writes `answer`. Rejects where its bytes break; then `headersSent` says how far it came. */
export async function send(exchange: Exchange, answer: Answer): Promise<void> {
  const { outgoing } = exchange;
  const { body } = answer;
  try {
    if (outgoing.headersSent || outgoing.destroyed) return;
    if (typeof body === 'object' && exchange.incoming.method !== 'HEAD') {
      await ('run' in body ? goLive(exchange, answer, body) : sendStream(exchange, answer, body));
    } else {
      await sendText(exchange, answer);
    }
  } finally {
    if (typeof body === 'object') await body.close();
  }
}

async function sendStream(exchange: Exchange, answer: Answer, body: StreamedBody): Promise<void> {
  const { outgoing } = exchange;
  const chunks = body.chunks[Symbol.asyncIterator]();
  try {
    // The first chunk comes before the head: a damaged blob may still be answered with a status.
    let next = await chunks.next();
    writeHead(exchange, answer, body.sizeBytes);
    if (next.done !== true && isAll(next.value, body)) {
      exchange.bytesOut += next.value.byteLength;
      outgoing.end(next.value);
      return;
    }
    while (next.done !== true && !outgoing.destroyed) {
      exchange.bytesOut += next.value.byteLength;
      await write(outgoing, next.value);
      next = await chunks.next();
    }
    if (exchange.bytesOut !== body.sizeBytes) outgoing.destroy();
    else outgoing.end();
  } finally {
    await chunks.return?.();
  }
}

/** True for what fits into the system's buffers in one piece, head included. */
function isAll({ byteLength }: Uint8Array, { sizeBytes }: StreamedBody): boolean {
  return byteLength === sizeBytes && byteLength <= atOnceBytes;
}

async function goLive(exchange: Exchange, answer: Answer, body: LiveBody): Promise<void> {
  exchange.status = answer.status;
  if (!body.takesOver) writeHead(exchange, answer, undefined);
  await body.run();
}

async function sendText(exchange: Exchange, answer: Answer): Promise<void> {
  const { outgoing, incoming } = exchange;
  const { body } = answer;
  const isHead = incoming.method === 'HEAD';
  const text = typeof body === 'string' ? body : '';
  const textBytes = Buffer.byteLength(text);
  // RFC 9110 §8.6: what never has content has no length either.
  const isBare = body === undefined && (isHead || bareStatuses.includes(answer.status));
  // A short body is read before its refusal goes out. Then the connection can be used again, and the
  // answer does not tell how fast the client was: what is the same must look the same.
  const { isUnread, declaredBytes = Infinity } = exchange.body;
  if (isUnread && declaredBytes <= brief.maxBytes) await exchange.body.drain(brief);
  writeHead(exchange, answer, isBare ? undefined : (sizeOf(body) ?? textBytes));
  // RFC 9110 §9.3.2: a HEAD has the same head and no content.
  const sent = isHead ? '' : text;
  exchange.bytesOut += isHead ? 0 : textBytes;
  if (!exchange.body.isUnread) {
    outgoing.end(sent);
    return;
  }
  // Closing while the client still sends would reset the connection and could take the answer with
  // it. So the answer goes out whole, a bounded rest is read, and only then comes the end.
  outgoing.write(sent);
  await exchange.body.drain(linger);
  outgoing.end();
}

const bareStatuses = [204, 304];

/** What a body that is not sent would have had. */
function sizeOf(body: Answer['body']): number | undefined {
  return typeof body === 'object' && 'sizeBytes' in body ? body.sizeBytes : undefined;
}

function writeHead(exchange: Exchange, answer: Answer, sizeBytes: number | undefined): void {
  exchange.status = answer.status;
  const headers: Record<string, string | number> = {
    'x-content-type-options': 'nosniff',
    ...exchange.corsHeaders,
    ...answer.headers,
    'x-request-id': exchange.requestId,
  };
  if (sizeBytes !== undefined) headers['content-length'] = sizeBytes;
  // RFC 9112 §9.3: without reading the rest of the body, the connection can't be used again.
  if (exchange.body.isUnread || exchange.isLast()) headers.connection = 'close';
  // As one, which Node writes without keeping a table of them.
  exchange.outgoing.writeHead(answer.status, headers);
}

/** Resolves once the chunk has left for the system, or the connection is gone. */
async function write(outgoing: ServerResponse, chunk: Uint8Array): Promise<void> {
  const timer = setTimeout(() => outgoing.destroy(), unreadTimeoutMs);
  const stop = new AbortController();
  try {
    await Promise.race([
      new Promise<void>((resolve) => {
        outgoing.write(chunk, () => resolve());
      }),
      once(outgoing, 'close', { signal: stop.signal }).catch(() => undefined),
    ]);
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

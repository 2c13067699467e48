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

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Left out where there is none: 204, 304, and what answers a HEAD. */
  readonly body?: string | StreamedBody;
}

interface AnswerOptions {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How long a client may leave a download unread before its connection is given up, ms. */
const unreadTimeoutMs = 5 * 60_000;

/** After an early answer: how much of an unwanted body is still read, and for how long. */
const linger = { maxBytes: 1024 * 1024, timeoutMs: 1_000 };

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
      await sendStream(exchange, answer, body);
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

async function sendText(exchange: Exchange, answer: Answer): Promise<void> {
  const { outgoing, incoming } = exchange;
  const { body } = answer;
  const bytes = Buffer.from(typeof body === 'string' ? body : '');
  writeHead(exchange, answer, sizeOf(body, bytes));
  // RFC 9110 §9.3.2: a HEAD has the same head and no content.
  const sent = incoming.method === 'HEAD' ? Buffer.alloc(0) : bytes;
  exchange.bytesOut += sent.byteLength;
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

function sizeOf(body: Answer['body'], bytes: Buffer): number | undefined {
  if (body === undefined) return undefined;
  return typeof body === 'string' ? bytes.byteLength : body.sizeBytes;
}

function writeHead(exchange: Exchange, answer: Answer, sizeBytes: number | undefined): void {
  const { outgoing } = exchange;
  exchange.status = answer.status;
  outgoing.statusCode = answer.status;
  outgoing.setHeader('x-content-type-options', 'nosniff');
  for (const [name, value] of Object.entries(exchange.corsHeaders)) outgoing.setHeader(name, value);
  for (const [name, value] of Object.entries(answer.headers)) outgoing.setHeader(name, value);
  outgoing.setHeader('x-request-id', exchange.requestId);
  if (sizeBytes !== undefined) outgoing.setHeader('content-length', sizeBytes);
  // RFC 9112 §9.3: without reading the rest of the body, the connection can't be used again.
  if (exchange.body.isUnread || exchange.isLast()) outgoing.setHeader('connection', 'close');
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

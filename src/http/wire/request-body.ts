/**
 * A request's body, read from the raw Node stream on demand.
 *
 * Promises: not a byte is asked for (nor `100 Continue` sent) before the first chunk is; a client that
 * sends nothing for the idle time is refused with RequestTimeout, one that ends before its declared
 * length with IncompleteBody; the time in which the reader is busy does not count. The stream is never
 * destroyed here, because that would take the socket and the answer with it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { BodyRefused } from '../../service/service.ts';

interface BodyOptions {
  readonly idleTimeoutMs: number;
  /** RFC 9110 §10.1.1: the client waits for a 100 before it sends. */
  readonly expectsContinue: boolean;
}

export class RequestBody {
  /** As Content-Length declares; undefined where the body is chunked. */
  readonly declaredBytes: number | undefined;
  bytesRead = 0;
  /** The request says how its body ends; without that it has none (RFC 9112 §6.3). */
  readonly hasLength: boolean;

  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #options: BodyOptions;
  readonly #exists: boolean;
  #gone: AbortController | undefined;
  #isWatching = false;
  /** True while the client waits for a 100 and has sent nothing. */
  #isAwaited: boolean;
  #failure: Rejection | undefined;
  #wake: () => void = () => undefined;
  readonly #onEvent = () => this.#wake();
  readonly #onClose = () => {
    if (!this.#incoming.complete) this.#gone?.abort();
    this.#wake();
  };

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, options: BodyOptions) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#options = options;
    this.#isAwaited = options.expectsContinue;
    const length = incoming.headers['content-length'];
    const coding = incoming.headers['transfer-encoding'];
    const isChunked = coding !== undefined;
    this.hasLength = isChunked || length !== undefined;
    if (isChunked && coding.trim().toLowerCase() !== 'chunked') this.#failure = unknownCoding;
    this.declaredBytes = isChunked ? undefined : Number(length ?? 0);
    this.#exists = this.declaredBytes !== 0;
  }

  /** True while a part of the body has not arrived. */
  get isUnread(): boolean {
    return this.#exists && !this.#incoming.complete;
  }

  /** Aborted when the client goes before it has sent the whole body. */
  get gone(): AbortSignal {
    if (!this.#gone) {
      this.#watch();
      this.#gone = new AbortController();
      if (this.#outgoing.destroyed && !this.#incoming.complete) this.#gone.abort();
    }
    return this.#gone.signal;
  }

  /** The bytes, once. Throws `BodyRefused`. */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#watch();
    if (this.#isAwaited && this.isUnread) this.#outgoing.writeContinue();
    this.#isAwaited = false;
    for (;;) {
      const chunk = this.#take();
      if (chunk === 'end') return;
      if (chunk === 'wait') await this.#more();
      else yield chunk;
    }
  }

  /** Ends the body with a refusal: what the connection came to while it was read. */
  fail(reason: Rejection): void {
    this.#failure ??= reason;
    this.#wake();
  }

  /** Reads and forgets what comes, within limits: for a client whose answer is already written. */
  async drain(limits: { readonly maxBytes: number; readonly timeoutMs: number }): Promise<void> {
    if (this.#isAwaited) return;
    this.#watch();
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      this.#wake();
    }, limits.timeoutMs);
    let rest = limits.maxBytes;
    while (!isOver && !this.#incoming.destroyed && !this.#incoming.readableEnded) {
      const chunk: Buffer | null = rest > 0 ? this.#incoming.read() : null;
      if (chunk !== null) rest -= chunk.byteLength;
      else if (!isOver) await this.#event();
    }
    clearTimeout(timer);
  }

  release(): void {
    if (!this.#isWatching) return;
    for (const event of wakingEvents) this.#incoming.off(event, this.#onEvent);
    this.#outgoing.off('close', this.#onClose);
  }

  #take(): Uint8Array | 'end' | 'wait' {
    if (this.#failure) throw new BodyRefused(this.#failure);
    const chunk: Buffer | null = this.#incoming.read();
    if (chunk !== null) {
      this.bytesRead += chunk.byteLength;
      return chunk;
    }
    if (this.#incoming.readableEnded) return 'end';
    // RFC 9112 §8: a message that ends before its declared length is incomplete.
    if (this.#incoming.destroyed) throw new BodyRefused(incomplete);
    return 'wait';
  }

  async #more(): Promise<void> {
    const timer = setTimeout(
      () => this.fail(rejection('RequestTimeout', 'The body stopped arriving')),
      this.#options.idleTimeoutMs,
    );
    await this.#event();
    clearTimeout(timer);
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    for (const event of wakingEvents) this.#incoming.on(event, this.#onEvent);
    this.#outgoing.once('close', this.#onClose);
  }
}

const wakingEvents = ['readable', 'end', 'error', 'close'] as const;

// RFC 9112 §6.1: what is not understood must not be taken for content.
const unknownCoding = rejection('InvalidRequest', 'The only Transfer-Encoding here is "chunked"');

export const incomplete = rejection('IncompleteBody', 'The body ended before its declared length');

const maxNesting = 64;

/** The body as JSON; undefined where it is empty. */
export async function readJson(body: RequestBody, maxBytes: number): Promise<Result<unknown>> {
  const read = await readAll(body, maxBytes);
  if (!read.ok) return read;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(read.value);
  } catch {
    return refuse(rejection('InvalidRequest', 'The body is not UTF-8'));
  }
  if (text.trim() === '') return ok(undefined);
  if (nestingOf(text) > maxNesting) {
    return refuse(
      rejection('InvalidRequest', `The body is nested deeper than ${maxNesting} levels`),
    );
  }
  try {
    return ok(JSON.parse(text));
  } catch {
    return refuse(rejection('InvalidRequest', 'The body is not valid JSON'));
  }
}

async function readAll(body: RequestBody, maxBytes: number): Promise<Result<Buffer>> {
  const tooLarge = refuse(
    rejection('EntityTooLarge', undefined, {
      hint: 'A JSON body has a limit of its own.',
      facts: { max_bytes: maxBytes },
    }),
  );
  if ((body.declaredBytes ?? 0) > maxBytes) return tooLarge;
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body.bytes()) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) return tooLarge;
    chunks.push(chunk);
  }
  return ok(Buffer.concat(chunks));
}

/** How deep arrays and objects lie in each other; strings are passed over. */
function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const mark = text[index];
    if (isInString) {
      if (mark === '\\') index += 1;
      else if (mark === '"') isInString = false;
    } else if (mark === '"') isInString = true;
    else if (mark === '[' || mark === '{') deepest = Math.max(deepest, ++depth);
    else if (mark === ']' || mark === '}') depth -= 1;
  }
  return deepest;
}

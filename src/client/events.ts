/**
 * Events of the store as an async iterator that stays: it connects again when the connection breaks,
 * the server restarts or the token ends, and goes on behind what it gave out last. So each event is
 * given out once and in order, for as long as the log holds it.
 */
import type { StorageEvent } from '../http/events/schemas.ts';
import { AerostoreError } from './errors.ts';
import { type Block, blocksOf } from './server-sent-events.ts';
import type { Transport } from './transport.ts';

export interface EventsOptions {
  readonly bucket?: string;
  /** Only of objects whose path begins with this. */
  readonly prefix?: string;
  readonly types?: readonly StorageEvent['type'][];
  /** Where to begin: with what comes after a cursor, `now` where left out. */
  readonly from?: 'beginning' | 'now' | (string & {});
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** Called each time that all that had happened was given out. */
  readonly onCaughtUp?: () => void;
  /** Called when the connection is lost, before it is made again; for a log. */
  readonly onReconnect?: (cause: unknown) => void;
}

export interface EventStream extends AsyncIterable<StorageEvent> {
  /**
   * What to give as `from` to go on behind what was given out and asked beyond; undefined where nothing
   * was. It moves on also past events that the filter keeps back.
   */
  readonly cursor: string | undefined;
}

/** The cursor that goes on behind an event. */
export function cursorOf({ id }: Pick<StorageEvent, 'id'>): string {
  return id.replace(/^evt_(\d+)_(\d+)$/, '$1-$2');
}

/** Without a word for this long, a connection counts as lost: the server says something each 15 s. */
const silenceMs = 45_000;
const backoff = { firstMs: 500, mostMs: 30_000 };

export function openEvents(transport: Transport, options: EventsOptions = {}): EventStream {
  const place: Place = { cursor: undefined };
  return {
    get cursor() {
      return place.cursor;
    },
    [Symbol.asyncIterator]: () => events(transport, options, place),
  };
}

interface Place {
  cursor: string | undefined;
}

async function* events(
  transport: Transport,
  options: EventsOptions,
  place: Place,
): AsyncGenerator<StorageEvent, void, undefined> {
  const { signal } = options;
  let waitMs = backoff.firstMs;
  while (!signal?.aborted) {
    const connection = connect(signal);
    try {
      for await (const block of connection.blocks(transport, { options, place })) {
        waitMs = backoff.firstMs;
        if (block.event === 'closing') throw closingOf(block);
        if (block.event === 'caughtup') options.onCaughtUp?.();
        else if (block.data !== undefined) yield JSON.parse(block.data) as StorageEvent;
        if (block.id !== undefined) place.cursor = block.id;
      }
      throw new TypeError('The stream ended');
    } catch (fault) {
      if (signal?.aborted) return;
      if (!mayPass(fault)) throw fault;
      options.onReconnect?.(fault);
      const asked = fault instanceof AerostoreError ? (fault.retryAfterSeconds ?? 0) * 1_000 : 0;
      // A token that ended is followed by another one at once.
      if (!isTokenEnd(fault)) await pause(Math.max(asked, jittered(waitMs)), signal);
      waitMs = Math.min(waitMs * 2, backoff.mostMs);
    } finally {
      connection.close();
    }
  }
}

/** One connection; closed by the caller's signal, by silence, and by `close`. */
function connect(signal: AbortSignal | undefined) {
  const stop = new AbortController();
  const abort = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', abort);
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(new TypeError('The server is silent')), silenceMs);
  };
  return {
    async *blocks(
      transport: Transport,
      { options, place }: { readonly options: EventsOptions; readonly place: Place },
    ) {
      const { bucket, prefix, types } = options;
      heard();
      const response = await transport.request('/events', {
        query: { bucket, prefix, types: types?.join(','), from: place.cursor ?? options.from },
        headers: { accept: 'text/event-stream' },
        signal: stop.signal,
      });
      if (response.body) yield* blocksOf(response.body, heard);
    },
    close() {
      clearTimeout(silence);
      signal?.removeEventListener('abort', abort);
      stop.abort();
    },
  };
}

/** The server's last word as the refusal that it is. */
class Closing extends AerostoreError {}

function closingOf({ data = '{}' }: Block): Closing {
  const { code, message } = JSON.parse(data) as { readonly code: string; readonly message: string };
  return new Closing({ status: code === 'PositionGone' ? 410 : 503, code, message });
}

function isTokenEnd(fault: unknown): boolean {
  return fault instanceof Closing && fault.code === 'InvalidJWT';
}

/** What another try may mend: a server that is away or busy. What it refuses it will refuse again. */
function mayPass(fault: unknown): boolean {
  if (!(fault instanceof AerostoreError)) return true;
  return fault.status >= 500 || fault.status === 429 || fault.status === 408;
}

function jittered(ms: number): number {
  return ms / 2 + Math.random() * (ms / 2);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

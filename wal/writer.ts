/**
 * Group commit. Appends queue up; one loop takes what is there, makes one frame of it, has the sink
 * make it durable, moves the head and resolves the appends in position order. There is no timer:
 * while one frame is synced the next one gathers.
 *
 * Positions are given out when an append is queued, so a conflict is known at once. The first failure
 * of the sink is final: what had been given to it may or may not be in the log.
 */
import { BatchTooLarge, LogClosed, LogOverloaded, LogPoisoned, RecordTooLarge } from './errors.ts';
import { FRAME_HEADER_BYTES, type Limits } from './format.ts';
import { frameBytes } from './frame.ts';
import type { Appended, AppendOptions, ChainHead, Conflict, Position } from './log.ts';
import type { DurableFrame, Tail } from './tail.ts';

/** Where frames become durable: on disk, or in memory. */
export interface Sink {
  readonly epoch: number;
  /** Resolves once the frame is durable; after a rejection the writer calls `abandon` only. */
  commit(batch: Batch): Promise<DurableFrame>;
  /** Ends in good order. */
  seal(): Promise<void>;
  /** Lets go of what is open and writes nothing. */
  abandon(): Promise<void>;
}

export interface Batch {
  readonly first: Position;
  readonly timeMs: number;
  readonly records: readonly Uint8Array[];
}

export interface WriterOptions {
  readonly tail: Tail;
  readonly sink: Sink;
  readonly limits: Limits;
  readonly now: () => number;
  /** The time of the last frame. */
  readonly timeMs: number;
}

interface Pending {
  readonly first: Position;
  readonly records: readonly Uint8Array[];
  /** What the records take in a frame. */
  readonly sizeBytes: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (reason: unknown) => void;
}

export class Writer {
  /** Resolves with the cause of the first failure. */
  readonly poisoned: Promise<unknown>;
  readonly #options: WriterOptions;
  readonly #queue: Pending[] = [];
  #queuedRecords = 0;
  #queuedBytes = 0;
  /** The last position given out. */
  #last: Position;
  #timeMs: number;
  #running: Promise<void> | undefined;
  #closing: Promise<ChainHead> | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #announce: (cause: unknown) => void = () => {};

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#last = options.tail.head;
    this.#timeMs = options.timeMs;
    this.poisoned = new Promise((resolve) => {
      this.#announce = resolve;
    });
  }

  async append(
    records: readonly Uint8Array[],
    options: AppendOptions = {},
  ): Promise<Appended | Conflict> {
    const sizeBytes = this.#measure(records);
    if (this.#failure !== undefined) throw new LogPoisoned(this.#failure.cause, false);
    if (this.#closing !== undefined) throw new LogClosed();
    const { epoch } = this.#options.sink;
    const { expected = this.#last } = options;
    if (expected !== this.#last || (options.epoch ?? epoch) !== epoch) {
      return { kind: 'conflict', head: this.#last, epoch };
    }
    this.#requireRoom(records.length, sizeBytes);
    return new Promise((resolve, reject) => {
      const first = (this.#last + 1) as Position;
      this.#last = (this.#last + records.length) as Position;
      this.#queuedRecords += records.length;
      this.#queuedBytes += sizeBytes;
      this.#queue.push({ first, records, sizeBytes, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  close(): Promise<ChainHead> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #measure(records: readonly Uint8Array[]): number {
    const { recordBytes, frameBytes: frameLimit } = this.#options.limits;
    if (records.length === 0) throw new RangeError('an append holds at least one record');
    for (const { byteLength } of records) {
      if (byteLength > recordBytes) throw new RecordTooLarge(byteLength, recordBytes);
    }
    const whole = frameBytes(records);
    if (whole > frameLimit) throw new BatchTooLarge(whole, frameLimit);
    return whole - FRAME_HEADER_BYTES;
  }

  #requireRoom(records: number, sizeBytes: number): void {
    const { queueRecords, queueBytes } = this.#options.limits;
    if (this.#queuedRecords === 0) return;
    const full =
      this.#queuedRecords + records > queueRecords || this.#queuedBytes + sizeBytes > queueBytes;
    if (full) throw new LogOverloaded();
  }

  async #run(): Promise<void> {
    await turn();
    while (this.#queue.length > 0) {
      const taken = this.#take();
      try {
        const frame = await this.#commit(taken);
        this.#settle(taken, frame);
      } catch (cause) {
        this.#poison(cause, taken);
        break;
      }
      // Those who were answered may append again before the next frame is made.
      await turn();
    }
    this.#running = undefined;
  }

  /** The first append whatever its size, and those behind it that fit into a batch with it. */
  #take(): Pending[] {
    const { batchRecords, batchBytes } = this.#options.limits;
    let records = 0;
    let sizeBytes = 0;
    let count = 0;
    for (const pending of this.#queue) {
      records += pending.records.length;
      sizeBytes += pending.sizeBytes;
      if (count > 0 && (records > batchRecords || sizeBytes > batchBytes)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  #commit(taken: readonly Pending[]): Promise<DurableFrame> {
    const { sink, tail, now } = this.#options;
    this.#timeMs = Math.max(now(), this.#timeMs);
    const records = taken.flatMap((pending) => pending.records);
    return sink.commit({ first: (tail.head + 1) as Position, timeMs: this.#timeMs, records });
  }

  #settle(taken: readonly Pending[], frame: DurableFrame): void {
    const { timeMs, epoch } = frame;
    this.#options.tail.publish(frame);
    for (const { first, records, sizeBytes, resolve } of taken) {
      this.#queuedRecords -= records.length;
      this.#queuedBytes -= sizeBytes;
      const last = (first + records.length - 1) as Position;
      resolve({ kind: 'appended', first, last, timeMs, epoch });
    }
  }

  #poison(cause: unknown, taken: readonly Pending[]): void {
    this.#failure = { cause };
    for (const { reject } of taken) reject(new LogPoisoned(cause, true));
    for (const { reject } of this.#queue.splice(0)) reject(new LogPoisoned(cause, false));
    this.#options.tail.end(new LogPoisoned(cause, false));
    this.#announce(cause);
  }

  async #close(): Promise<ChainHead> {
    await this.#running;
    const { sink, tail } = this.#options;
    if (this.#failure !== undefined) {
      await sink.abandon();
      return tail.chainHead;
    }
    try {
      await sink.seal();
    } catch (cause) {
      this.#poison(cause, []);
      await sink.abandon();
      throw new LogPoisoned(cause, false);
    }
    tail.end();
    return tail.chainHead;
  }
}

/** Resolves after the callbacks and promise reactions that are due now, before any input or output. */
function turn(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

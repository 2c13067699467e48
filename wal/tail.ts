/**
 * The durable end of a log in memory: its head, who waits for it to move, and a ring of the frames
 * that came last, so that followers who keep up never read the disk. The ring is bounded in bytes.
 */
import { LogClosed } from './errors.ts';
import { recordsOf } from './frame.ts';
import type { ChainHead, Frame, Position } from './log.ts';

/** A frame that has become durable. */
export interface DurableFrame {
  readonly first: Position;
  readonly last: Position;
  readonly epoch: number;
  readonly timeMs: number;
  /** The unmasked records with their lengths. */
  readonly region: Buffer;
  readonly chain: Uint8Array;
}

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** What a frame costs the ring besides its bytes. */
const ENTRY_BYTES = 256;

export class Tail {
  #chainHead: ChainHead;
  #ended: Error | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #ringBytes: number;
  #ring: RingEntry[] = [];
  #ringStart = 0;
  #usedBytes = 0;

  constructor(chainHead: ChainHead, ringBytes: number) {
    this.#chainHead = chainHead;
    this.#ringBytes = ringBytes;
  }

  get chainHead(): ChainHead {
    return this.#chainHead;
  }

  get head(): Position {
    return this.#chainHead.position;
  }

  /** Moves the head. The frame must follow on it. */
  publish(frame: DurableFrame): void {
    if (frame.first !== this.head + 1) {
      throw new Error(`frame ${frame.first} does not follow on head ${this.head}`);
    }
    this.#ring.push(new RingEntry(frame));
    this.#usedBytes += frame.region.length + ENTRY_BYTES;
    this.#evict();
    this.#chainHead = { position: frame.last, chain: frame.chain };
    for (const waiter of this.#waiters) if (waiter.position <= frame.last) waiter.resolve();
  }

  /** The frame that holds `position`, if the ring does. */
  find(position: Position): Frame | undefined {
    let low = this.#ringStart;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#ring[middle];
      if (entry !== undefined && entry.last < position) low = middle + 1;
      else high = middle;
    }
    const entry = this.#ring[low];
    return entry !== undefined && entry.first <= position ? entry.frame : undefined;
  }

  /** Resolves once the head is at `position`; rejects when the log ends or with the signal's reason. */
  waitFor(position: Position, signal?: AbortSignal): Promise<void> {
    if (position <= this.head) return Promise.resolve();
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter = {
        position,
        resolve: () => {
          leave();
          resolve();
        },
        reject: (reason) => {
          leave();
          reject(reason);
        },
      };
      const abort = () => waiter.reject(signal?.reason);
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', abort);
    });
  }

  /** No frame comes any more. */
  end(reason: Error = new LogClosed()): void {
    this.#ended ??= reason;
    for (const waiter of this.#waiters) waiter.reject(this.#ended);
  }

  #evict(): void {
    while (this.#usedBytes > this.#ringBytes && this.#ringStart < this.#ring.length) {
      const entry = this.#ring[this.#ringStart];
      if (entry !== undefined) this.#usedBytes -= entry.regionBytes + ENTRY_BYTES;
      this.#ringStart += 1;
    }
    // Forgetting is amortised: half of the array is garbage before it is copied.
    if (this.#ringStart < 64 || this.#ringStart * 2 < this.#ring.length) return;
    this.#ring = this.#ring.slice(this.#ringStart);
    this.#ringStart = 0;
  }
}

/** Splits its region into records when the first follower asks for them. */
class RingEntry {
  readonly first: Position;
  readonly last: Position;
  readonly regionBytes: number;
  readonly #source: DurableFrame;
  #frame: Frame | undefined;

  constructor(source: DurableFrame) {
    this.first = source.first;
    this.last = source.last;
    this.regionBytes = source.region.length;
    this.#source = source;
  }

  get frame(): Frame {
    this.#frame ??= frameOf(this.#source);
    return this.#frame;
  }
}

export function frameOf(source: DurableFrame): Frame {
  const { first, last, epoch, timeMs, chain, region } = source;
  return { first, last, epoch, timeMs, chain, records: recordsOf(region) };
}

/**
 * Fences: the positions from which a replay may begin. LevelDB may lose earlier batches and keep
 * later ones in a power cut, so the applied position is believed only where a fence, written after a
 * flush, says so. Totals are absolutes kept in memory, so a fence carries those of its instant.
 */
import type { Totals } from '../domain/bucket.ts';
import type { Observe } from '../domain/effects.ts';
import type { KeyspaceId, Position } from '../domain/names.ts';
import type { ViewsStore } from './store.ts';

/** What a fence file holds. */
export interface FenceInfo {
  /** Every row up to here is durable in the views. */
  readonly position: Position;
  /** The log's chain value there, hex; left out in the middle of a frame, where none is known. */
  readonly chain?: string;
  readonly viewsId: string;
  readonly projection: number;
  /** Those of `position`. */
  readonly totals: readonly (readonly [KeyspaceId, Totals])[];
}

/** A fence is due after this much, whichever comes first. */
export interface FenceInterval {
  readonly records: number;
  /** Bytes written to the views. */
  readonly bytes: number;
}

export const defaultFenceInterval: FenceInterval = { records: 25_000, bytes: 64 * 1024 * 1024 };

export interface FencesOptions {
  readonly store: ViewsStore;
  readonly observe: Observe;
  readonly every: FenceInterval;
  /** Makes the fence durable. */
  readonly write: (fence: FenceInfo) => Promise<void>;
  /** What a fence says now; only asked between two batches. */
  readonly now: () => FenceInfo;
}

export class Fences {
  readonly #options: FencesOptions;
  #running: Promise<void> | undefined;
  #records = 0;
  #bytes = 0;

  constructor(options: FencesOptions) {
    this.#options = options;
  }

  /**
   * To be called between two batches. A fence that is due is made while the apply goes on: what it
   * says is of this instant, and later rows that are flushed along with it do no harm. One that
   * fails costs a longer replay, and the next one is due at its time.
   */
  advance(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    const { every, observe } = this.#options;
    const due = this.#records >= every.records || this.#bytes >= every.bytes;
    if (!due || this.#running) return;
    this.#running = this.#make()
      .catch((error) => observe.warn('a fence could not be made', { error: String(error) }))
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Makes a fence of this instant and waits for it. Nothing may be applied meanwhile. */
  async makeNow(): Promise<void> {
    await this.settled();
    await this.#make();
  }

  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #make(): Promise<void> {
    const fence = this.#options.now();
    this.#records = 0;
    this.#bytes = 0;
    await this.#options.store.flush();
    await this.#options.write(fence);
  }
}

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

/**
 * The same in a replay, which is done again from there if it is cut short. Each fence makes LevelDB
 * write what it would have gathered for longer, and merge more tables.
 */
export const replayFenceInterval: FenceInterval = {
  records: 10 * defaultFenceInterval.records,
  bytes: 10 * defaultFenceInterval.bytes,
};

/**
 * A replay that was at least this long ends with a fence: the next start need not do it again. After a
 * shorter one there is none, so that starts that keep ending at the same place are seen to.
 */
const LONG_REPLAY_RECORDS = 2_500;

export interface FencesOptions {
  readonly store: ViewsStore;
  readonly observe: Observe;
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

  /** Counts what is written; true where a fence is due, which is to be begun once it stands. */
  count(records: number, bytes: number, every: FenceInterval): boolean {
    this.#records += records;
    this.#bytes += bytes;
    const due = this.#records >= every.records || this.#bytes >= every.bytes;
    return due && !this.#running;
  }

  /**
   * To be called between two batches. The fence is made while the apply goes on: what it says is of
   * this instant, and later rows that are flushed along with it do no harm. One that fails costs a
   * longer replay, and the next one is due at its time.
   */
  begin(): void {
    const { observe } = this.#options;
    this.#running = this.#make()
      .catch((error) => observe.warn('a fence could not be made', { error: String(error) }))
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** To be called once a replay stands. */
  endReplay(): void {
    if (this.#records >= LONG_REPLAY_RECORDS && !this.#running) this.begin();
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

/**
 * A walk through a range that may jump ahead. It reads in pages that grow while they are used up and
 * shrink after a jump, so that a list of folders with a million files each reads a few entries of each.
 */
import type { AbstractSnapshot } from 'abstract-level';
import type { KeyRange } from '../keys.ts';
import { PAGE, type RowIterator, type ViewsStore } from '../store.ts';

export interface Entry {
  readonly key: Buffer;
  readonly row: Buffer;
}

const AFTER_JUMP = 4;

export interface CursorOptions {
  readonly snapshot: AbstractSnapshot;
  /** How many entries will be read if nothing is jumped over. */
  readonly expected: number;
  /** From the end of the range to its beginning. */
  readonly reverse?: boolean;
}

export class Cursor {
  readonly #iterator: RowIterator;
  readonly #reverse: boolean;
  #page: [Buffer, Buffer][] = [];
  #at = 0;
  #size: number;

  constructor(
    store: ViewsStore,
    range: KeyRange,
    { snapshot, expected, reverse = false }: CursorOptions,
  ) {
    const highWaterMarkBytes = 256 * 1024;
    this.#reverse = reverse;
    this.#iterator = store.iterator(range, { snapshot, highWaterMarkBytes, reverse });
    this.#size = Math.min(expected, PAGE);
  }

  /** The next entry, or undefined at the end. */
  async next(): Promise<Entry | undefined> {
    if (this.#at >= this.#page.length) {
      this.#page = await this.#iterator.nextv(this.#size);
      this.#at = 0;
      this.#size = Math.min(this.#size * 2, PAGE);
    }
    const entry = this.#page[this.#at];
    if (!entry) return undefined;
    this.#at += 1;
    return { key: entry[0], row: entry[1] };
  }

  /** Goes on with the next entry at `target` or behind it; `target` lies ahead. */
  seek(target: Buffer): void {
    while (this.#at < this.#page.length) {
      const entry = this.#page[this.#at];
      const order = entry ? Buffer.compare(entry[0], target) : -1;
      if (entry && (this.#reverse ? order <= 0 : order >= 0)) return;
      this.#at += 1;
    }
    this.#iterator.seek(target);
    this.#size = AFTER_JUMP;
  }

  close(): Promise<void> {
    return this.#iterator.close();
  }
}

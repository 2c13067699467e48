/**
 * A walk through a range that may jump ahead. It reads in pages that grow while they are used up and
 * shrink after a jump, so that a list of folders with a million files each reads a few entries of each.
 * What was read is taken without waiting: a promise for each entry would cost more than the entry.
 */
import type { AbstractSnapshot } from 'abstract-level';
import type { KeyRange } from '../keys.ts';
import { PAGE, type RowIterator, type ViewsStore } from '../store.ts';

export interface Entry {
  readonly key: Buffer;
  readonly row: Buffer;
}

const AFTER_JUMP = 4;
/** One more than a page of a list has: whether there is a next page is seen in the same read. */
const MAX_PAGE = PAGE + 1;

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
    // A page of usual rows in one piece, and of rows with much metadata in a few.
    const highWaterMarkBytes = 1024 * 1024;
    this.#reverse = reverse;
    this.#iterator = store.iterator(range, { snapshot, highWaterMarkBytes, reverse });
    this.#size = Math.min(expected, MAX_PAGE);
  }

  /** The next entry of those that were read, or undefined where there is none: then `read`. */
  take(): Entry | undefined {
    const entry = this.#page[this.#at];
    if (!entry) return undefined;
    this.#at += 1;
    return { key: entry[0], row: entry[1] };
  }

  /** Reads on, once all is taken. False at the end. */
  async read(): Promise<boolean> {
    this.#page = await this.#iterator.nextv(this.#size);
    this.#at = 0;
    this.#size = Math.min(this.#size * 2, MAX_PAGE);
    return this.#page.length > 0;
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

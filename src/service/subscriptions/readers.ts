/**
 * Reading the log for those who are behind. A few read at a time, the others take turns; a reader that
 * rests between two turns keeps its place in the file, but only so many do: beyond, the one that rested
 * longest is closed and begins anew at its cursor. So what those who are behind cost is bounded, however
 * many they are and however long they stall.
 */
import type { Position } from '../../domain/names.ts';
import type { CommittedFrame, Journal } from '../../journal/index.ts';
import { type AnnouncedFrame, announcedFrame } from './announced-frame.ts';

const maxReading = 4;
const maxResting = 16;

/** Frames one after the other, from a cursor to the head of when it was opened. */
export interface FrameReader {
  next(): Promise<AnnouncedFrame | undefined>;
  /** The frame was not used up: it comes again. */
  putBack(frame: AnnouncedFrame): void;
}

class LogReader implements FrameReader {
  readonly #frames: AsyncIterator<CommittedFrame>;
  #back: AnnouncedFrame | undefined;

  constructor(frames: AsyncIterator<CommittedFrame>) {
    this.#frames = frames;
  }

  async next(): Promise<AnnouncedFrame | undefined> {
    const back = this.#back;
    this.#back = undefined;
    if (back) return back;
    const { done, value } = await this.#frames.next();
    return done === true ? undefined : announcedFrame(value);
  }

  putBack(frame: AnnouncedFrame): void {
    this.#back = frame;
  }

  async close(): Promise<void> {
    await this.#frames.return?.();
  }
}

export class Readers {
  readonly #journal: Pick<Journal, 'read'>;
  /** In the order in which they came to rest. */
  readonly #resting = new Map<object, LogReader>();
  readonly #queue: (() => void)[] = [];
  #reading = 0;

  constructor(journal: Pick<Journal, 'read'>) {
    this.#journal = journal;
  }

  /**
   * Reads for `owner` from where it was, or from after `after`. `use` answers whether the reader is to
   * keep its place; one whose frames are all read has none to keep.
   */
  async use(
    owner: object,
    after: Position,
    use: (reader: FrameReader) => Promise<'rest' | 'done'>,
  ): Promise<void> {
    await this.#turn();
    const reader =
      this.#resting.get(owner) ?? new LogReader(this.#journal.read(after)[Symbol.asyncIterator]());
    this.#resting.delete(owner);
    let outcome: 'rest' | 'done' = 'done';
    try {
      outcome = await use(reader);
    } finally {
      if (outcome === 'done') await reader.close();
      this.#next();
    }
    if (outcome === 'rest') await this.#rest(owner, reader);
  }

  /** The owner reads no more. */
  async forget(owner: object): Promise<void> {
    const reader = this.#resting.get(owner);
    this.#resting.delete(owner);
    await reader?.close();
  }

  async #rest(owner: object, reader: LogReader): Promise<void> {
    this.#resting.set(owner, reader);
    if (this.#resting.size <= maxResting) return;
    for (const [longest, its] of this.#resting) {
      this.#resting.delete(longest);
      await its.close();
      return;
    }
  }

  async #turn(): Promise<void> {
    if (this.#reading < maxReading) {
      this.#reading += 1;
      return;
    }
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  /** The turn goes to whoever waits longest. */
  #next(): void {
    const waiting = this.#queue.shift();
    if (waiting) waiting();
    else this.#reading -= 1;
  }
}

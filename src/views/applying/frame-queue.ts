/** Frames between the log that yields them and the applier that takes all that wait. Bounded. */
import type { CommittedFrame } from '../../journal/journal.ts';

const MOST_FRAMES = 64;
const MOST_RECORDS = 1024;

/**
 * Reads ahead of its consumer, up to the limits, and yields the frames that have come since it was
 * asked last, at least one. What `frames` throws is thrown after the frames before it.
 */
export async function* gathered(
  frames: AsyncIterable<CommittedFrame>,
): AsyncGenerator<readonly CommittedFrame[]> {
  const queue = new FrameQueue();
  const source = frames[Symbol.asyncIterator]();
  const pumping = pump(source, queue);
  // It may reject while its last frames are still at work: it is asked for after them.
  pumping.catch(() => {});
  try {
    for (;;) {
      const taken = await queue.take();
      if (taken.length > 0) yield taken;
      else return await pumping;
    }
  } finally {
    // A follower that waits for its next frame ends by its own signal; it is not waited for.
    queue.abandon();
  }
}

async function pump(source: AsyncIterator<CommittedFrame>, queue: FrameQueue): Promise<void> {
  try {
    for (;;) {
      const next = await source.next();
      if (next.done || !(await queue.push(next.value))) break;
    }
    await source.return?.();
  } finally {
    queue.end();
  }
}

class FrameQueue {
  #frames: CommittedFrame[] = [];
  #records = 0;
  #ended = false;
  #abandoned = false;
  #wake: () => void = () => {};

  /** Resolves once there is room again; false when nobody takes any more. */
  async push(frame: CommittedFrame): Promise<boolean> {
    this.#frames.push(frame);
    this.#records += frame.records.length;
    this.#wake();
    while (!this.#abandoned && this.#isFull()) await this.#change();
    return !this.#abandoned;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#wake();
  }

  /** All that wait; none at the end. */
  async take(): Promise<readonly CommittedFrame[]> {
    while (this.#frames.length === 0 && !this.#ended) await this.#change();
    const taken = this.#frames;
    this.#frames = [];
    this.#records = 0;
    this.#wake();
    return taken;
  }

  #isFull(): boolean {
    return this.#frames.length >= MOST_FRAMES || this.#records >= MOST_RECORDS;
  }

  /** Producer and consumer never wait at once: one waits for room, the other for a frame. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/**
 * The frames that came last, for all subscribers that keep up: bounded in bytes, the oldest go first.
 * Who is behind what is held reads the log instead.
 */
import type { Position } from '../../domain/names.ts';
import type { AnnouncedFrame } from './announced-frame.ts';

export class RecentFrames {
  readonly #maxBytes: number;
  #frames: (AnnouncedFrame | undefined)[] = [];
  /** Frames before it have been let go, and their places are empty. */
  #start = 0;
  #sizeBytes = 0;
  #after: Position;
  #through: Position;

  /** Begins to hold what comes after `after`. */
  constructor(after: Position, maxBytes: number) {
    this.#after = after;
    this.#through = after;
    this.#maxBytes = maxBytes;
  }

  /** Everything that comes after it, up to `through`, is held. */
  get after(): Position {
    return this.#after;
  }

  get through(): Position {
    return this.#through;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  add(frame: AnnouncedFrame): void {
    this.#frames.push(frame);
    this.#through = frame.last;
    this.#sizeBytes += frame.sizeBytes;
    while (this.#sizeBytes > this.#maxBytes) {
      const oldest = this.#frames[this.#start];
      if (!oldest) break;
      this.#frames[this.#start] = undefined;
      this.#start += 1;
      this.#sizeBytes -= oldest.sizeBytes;
      this.#after = oldest.last;
    }
    // Forgetting is amortised: half of the array is empty before it is copied.
    if (this.#start < 64 || this.#start * 2 < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#start);
    this.#start = 0;
  }

  /** True where all that comes after `position` is held. */
  covers(position: Position): boolean {
    return position >= this.#after;
  }

  /** The first frame with anything after `position`. */
  firstAfter(position: Position): AnnouncedFrame | undefined {
    let low = this.#start;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const frame = this.#frames[middle];
      if (frame && frame.last <= position) low = middle + 1;
      else high = middle;
    }
    return this.#frames[low];
  }
}

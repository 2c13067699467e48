/**
 * The end of the log as it grows, decoded once for all subscribers. It follows the journal while there
 * is at least one, holds the last frames in memory, and shows a frame once it is durable and applied:
 * who asks for an object on hearing of it finds it.
 *
 * Who waits is woken in rounds, so that under load one waking brings many events. The more wait, the
 * longer the pause between rounds: waking costs a bounded share of the time, whatever comes in.
 */
import type { Observe } from '../../domain/effects.ts';
import type { Position } from '../../domain/names.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import type { Journal } from '../../journal/index.ts';
import type { Applier } from '../../views/applier.ts';
import { announcedFrame } from './announced-frame.ts';
import { RecentFrames } from './recent-frames.ts';

export interface TapParts {
  readonly journal: Pick<Journal, 'follow'>;
  readonly applier: Pick<Applier, 'applied' | 'waitFor'>;
  readonly observe: Observe;
  /** What the frames in memory may take. */
  readonly recentBytes: number;
}

/** Between two rounds, ms: at least, and for each who waits. */
const roundMs = 4;
const roundMsEach = 0.02;

const over = rejection('NotReady', 'The server is closing', { hint: 'Connect again soon.' });

export class Tap {
  readonly #parts: TapParts;
  readonly #waiting = new Set<() => void>();
  #joined = 0;
  #stop = new AbortController();
  #recent: RecentFrames;
  #ended: Rejection | undefined;
  #isRoundDue = false;
  #lastRoundAt = 0;

  constructor(parts: TapParts) {
    this.#parts = parts;
    this.#recent = new RecentFrames(parts.applier.applied, parts.recentBytes);
  }

  get recent(): RecentFrames {
    return this.#recent;
  }

  /** Why nothing comes any more. */
  get ended(): Rejection | undefined {
    return this.#ended;
  }

  /** To be called before the log is read. The last one to leave ends the following. */
  join(): void {
    this.#joined += 1;
    if (this.#joined === 1 && !this.#ended) this.#start();
  }

  leave(): void {
    this.#joined -= 1;
    if (this.#joined === 0) this.#stop.abort();
  }

  /** Calls `wake` once something came after `position`, or nothing will; the answer takes that back. */
  onceBeyond(position: Position, wake: () => void): () => void {
    if (this.#ended || this.#recent.through > position) {
      wake();
      return () => {};
    }
    const waiter = () => {
      this.#waiting.delete(waiter);
      wake();
    };
    this.#waiting.add(waiter);
    return () => this.#waiting.delete(waiter);
  }

  #start(): void {
    const { applier, recentBytes, observe } = this.#parts;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const recent = new RecentFrames(applier.applied, recentBytes);
    this.#recent = recent;
    this.#follow(recent, signal)
      .catch((fault: unknown) => {
        if (!signal.aborted) observe.error('events can not go on', { fault: String(fault) });
      })
      .finally(() => {
        if (signal.aborted) return;
        this.#ended = over;
        this.#wakeAll();
      });
  }

  async #follow(recent: RecentFrames, signal: AbortSignal): Promise<void> {
    const { journal, applier } = this.#parts;
    for await (const frame of journal.follow(recent.through, signal)) {
      await applier.waitFor(frame.last);
      if (signal.aborted) return;
      recent.add(announcedFrame(frame));
      this.#wakeSoon();
    }
  }

  #wakeSoon(): void {
    if (this.#isRoundDue || this.#waiting.size === 0) return;
    this.#isRoundDue = true;
    const pauseMs = Math.max(roundMs, this.#waiting.size * roundMsEach);
    const dueInMs = this.#lastRoundAt + pauseMs - performance.now();
    const round = () => {
      this.#isRoundDue = false;
      this.#wakeAll();
      this.#lastRoundAt = performance.now();
    };
    if (dueInMs <= 0) setImmediate(round);
    else setTimeout(round, dueInMs);
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

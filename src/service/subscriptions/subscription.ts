/**
 * One subscriber: a cursor into the log, never a queue. Its memory does not depend on how far behind
 * it is. What it is given next is looked for when it asks: in the frames in memory where those reach
 * back to its cursor, in the segments otherwise; one position drives both, so the switch leaves no
 * gap and repeats nothing. Each event is decided for its caller when it is given out.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Caller } from '../../domain/caller.ts';
import type { EventFilter } from '../../domain/events.ts';
import type { Position } from '../../domain/names.ts';
import { type Sight, sightOf, type Today } from '../../domain/public-events/visibility.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Announced, AnnouncedFrame } from './announced-frame.ts';
import type { Readers } from './readers.ts';
import type { Batch, Delivery, Place, Subscription } from './subscriptions.ts';
import type { Tap } from './tap.ts';

export interface CursorParts {
  readonly caller: Caller;
  readonly filters: readonly EventFilter[];
  readonly start: Place;
  /** What the log held when it was opened. */
  readonly level: Position;
  readonly tap: Tap;
  readonly readers: Readers;
  readonly today: Today;
  /** Up to here the views have applied the log. */
  readonly applied: () => Position;
  readonly distance: (from: Position, to: Position) => number;
  readonly now: () => number;
  /** Called for each event that only the service role's branch allowed. */
  readonly onBypass: () => void;
  /** What a fault means to the subscriber; undefined for a fault that is nobody's condition. */
  readonly refusalOf: (fault: unknown) => Rejection | undefined;
  readonly onClose: () => void;
}

/** What one batch may hold, and what is looked at for it before others have their turn. */
const batchLimits = { events: 256, characters: 64 * 1024, seen: 4_096 };

export class Cursor implements Subscription {
  readonly #parts: CursorParts;
  /** How far the log was looked through. */
  #place: Place;
  /** How far what was given out has been asked beyond. */
  #passed: Place;
  #timeMs: number;
  #isLevel = false;
  #closed = false;
  #stopWaiting: () => void = () => {};

  constructor(parts: CursorParts) {
    this.#parts = parts;
    this.#place = parts.start;
    this.#passed = parts.start;
    this.#timeMs = parts.now();
  }

  get at(): Place {
    return this.#passed;
  }

  lag() {
    const { tap, applied, distance, now } = this.#parts;
    const { position } = this.#place;
    const events = distance(position, max(applied(), tap.recent.through));
    if (events === 0) return { events, ms: 0 };
    const next = tap.recent.covers(position) ? tap.recent.firstAfter(position) : undefined;
    return { events, ms: Math.max(0, now() - (next?.timeMs ?? this.#timeMs)) };
  }

  async next(): Promise<Result<Batch> | undefined> {
    this.#passed = this.#place;
    try {
      return await this.#next();
    } catch (fault) {
      const refusal = this.#parts.refusalOf(fault);
      this.close();
      if (!refusal) throw fault;
      return refuse(refusal);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopWaiting();
    // What can't be closed was only read.
    this.#parts.readers.forget(this).catch(() => {});
    this.#parts.onClose();
  }

  async #next(): Promise<Result<Batch> | undefined> {
    const { tap } = this.#parts;
    while (!this.#closed) {
      if (tap.ended) {
        this.close();
        return refuse(tap.ended);
      }
      const gathering = this.#gathering();
      const isLive = tap.recent.covers(this.#place.position);
      if (isLive) this.#gatherRecent(gathering);
      else await this.#gatherFromLog(gathering);
      if (this.#closed) return undefined;
      const batch = this.#batchOf(gathering);
      if (batch) return ok(batch);
      this.#passed = this.#place;
      if (gathering.isFull) await nextTurn();
      else if (isLive) await this.#more();
    }
    return undefined;
  }

  #batchOf({ events }: Gathering): Batch | undefined {
    const caughtUp = !this.#isLevel && this.#place.position >= this.#parts.level;
    if (events.length === 0 && !caughtUp) return undefined;
    this.#isLevel ||= caughtUp;
    return { events, through: this.#place, caughtUp };
  }

  #gatherRecent(gathering: Gathering): void {
    const { recent } = this.#parts.tap;
    for (;;) {
      const frame = recent.firstAfter(this.#place.position);
      if (!frame || !this.#gather(frame, gathering)) return;
    }
  }

  async #gatherFromLog(gathering: Gathering): Promise<void> {
    const { readers, tap } = this.#parts;
    await readers.use(this, this.#place.position, async (reader) => {
      while (!this.#closed && !tap.recent.covers(this.#place.position)) {
        const frame = await reader.next();
        // Frames that are not applied yet come by the tap.
        if (!frame || frame.last > this.#reach()) return 'done';
        if (this.#gather(frame, gathering)) continue;
        // From where memory reaches back to on, the log is read no more, and its reader would stay behind.
        if (this.#closed || tap.recent.covers(this.#place.position)) return 'done';
        reader.putBack(frame);
        return 'rest';
      }
      return 'done';
    });
    // A batch that is full waits for its reader, and the reader gives others their turn.
    if (gathering.isFull) await nextTurn();
  }

  /** How far the log may be shown. */
  #reach(): Position {
    return max(this.#parts.applied(), this.#parts.tap.recent.through);
  }

  /** Looks at what of the frame lies beyond the cursor; false where the batch is full before its end. */
  #gather(frame: AnnouncedFrame, gathering: Gathering): boolean {
    const { epoch, timeMs } = frame;
    this.#timeMs = timeMs;
    for (const announced of frame.announced) {
      const { position } = announced.announcement;
      if (position <= this.#place.position) continue;
      if (gathering.isFull) return false;
      gathering.look(announced);
      this.#place = { epoch, position };
    }
    this.#place = { epoch, position: frame.last };
    return !gathering.isFull;
  }

  #gathering(): Gathering {
    const { caller, filters, today, onBypass } = this.#parts;
    return new Gathering((announced) => {
      const sight = sightOf(announced.announcement, caller, { filters, today });
      if (sight?.bypass) onBypass();
      return sight;
    });
  }

  /** Resolves once the log goes on, or this is closed. */
  #more(): Promise<void> {
    return new Promise((resolve) => {
      const takeBack = this.#parts.tap.onceBeyond(this.#place.position, resolve);
      this.#stopWaiting = () => {
        takeBack();
        resolve();
      };
    });
  }
}

class Gathering {
  readonly events: Delivery[] = [];
  readonly #sight: (announced: Announced) => Sight | undefined;
  #seen = 0;
  #characters = 0;

  constructor(sight: (announced: Announced) => Sight | undefined) {
    this.#sight = sight;
  }

  get isFull(): boolean {
    return (
      this.#seen >= batchLimits.seen ||
      this.events.length >= batchLimits.events ||
      this.#characters >= batchLimits.characters
    );
  }

  look(announced: Announced): void {
    this.#seen += 1;
    const sight = this.#sight(announced);
    if (!sight) return;
    const { epoch, position, timeMs, type } = announced.announcement;
    const json = announced.text(sight);
    this.#characters += json.length;
    this.events.push({
      place: { epoch, position },
      type,
      timeMs,
      json,
      event: () => announced.event(sight),
    });
  }
}

function max(left: Position, right: Position): Position {
  return left > right ? left : right;
}

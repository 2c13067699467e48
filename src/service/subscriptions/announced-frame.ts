/**
 * A frame of the log as subscribers see it: what its records announce, and where it ends. Its JSON is
 * made once for all who may see the same of it.
 */
import type { Position } from '../../domain/names.ts';
import { type Announcement, announcementOf } from '../../domain/public-events/announcement.ts';
import { type PublicEvent, publicEvent } from '../../domain/public-events/public-event.ts';
import type { Sight } from '../../domain/public-events/visibility.ts';
import type { CommittedFrame } from '../../journal/index.ts';

export interface AnnouncedFrame {
  readonly last: Position;
  readonly epoch: number;
  /** Unix ms. */
  readonly timeMs: number;
  readonly announced: readonly Announced[];
  /** What it takes in memory, about, with all JSON that may be made of it. */
  readonly sizeBytes: number;
}

/** What an object of records, strings and maps costs beside the text in it. */
const announcedBytes = 3_072;
const frameBytes = 256;

export function announcedFrame({ last, epoch, timeMs, records }: CommittedFrame): AnnouncedFrame {
  const announced: Announced[] = [];
  let sizeBytes = frameBytes;
  for (const record of records) {
    const announcement = announcementOf(record);
    if (!announcement) continue;
    const one = new Announced(announcement);
    announced.push(one);
    sizeBytes += one.sizeBytes;
  }
  return { last, epoch, timeMs, announced, sizeBytes };
}

export class Announced {
  readonly announcement: Announcement;
  /** By what of it is seen. */
  readonly #texts: (string | undefined)[] = [];

  constructor(announcement: Announcement) {
    this.announcement = announcement;
  }

  get sizeBytes(): number {
    const { record } = this.announcement;
    if (!('object' in record)) return announcedBytes;
    const crcs = 'crcs' in record.object ? record.object.crcs.byteLength : 0;
    const { metadata, path } = record.object;
    // The row's own, and each of the texts that three kinds of callers may see.
    return announcedBytes + crcs + 4 * ((metadata?.length ?? 0) + path.length);
  }

  event(sight: Sight): PublicEvent {
    return publicEvent(this.announcement, sight);
  }

  /** The event's JSON. */
  text(sight: Sight): string {
    const key = (sight.place ? 1 : 0) + (sight.from ? 2 : 0) + (sight.source ? 4 : 0);
    const known = this.#texts[key];
    if (known !== undefined) return known;
    const made = JSON.stringify(this.event(sight));
    this.#texts[key] = made;
    return made;
  }
}

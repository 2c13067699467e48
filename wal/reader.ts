/**
 * Reading from a position. `readFrames` ends at the head of now, `followFrames` waits there for more.
 * Each frame comes from the ring in memory where it is still held and from the segments otherwise; a
 * single position drives both, so a switch between them leaves no gap and repeats nothing.
 */
import { join } from 'node:path';
import { LogClosed, LogCorrupt } from './errors.ts';
import type { Files, OpenFile } from './files.ts';
import {
  type Decoded,
  FRAME_HEADER_BYTES,
  frameType,
  SEGMENT_HEADER_BYTES,
  type SegmentKey,
  segmentKey,
} from './format.ts';
import { decodeFrameBody, decodeFrameHeader, type FrameHeader } from './frame.ts';
import type { Frame, Position } from './log.ts';
import type { SegmentHeader } from './segment.ts';
import { frameOf, type Tail } from './tail.ts';

/** Frames with records after `after`, the last of them ending at `until`, which is durable. */
export interface Range {
  readonly after: Position;
  readonly until: Position;
}

/** Where frames lie that the ring has let go. */
export interface Shelf {
  readonly oldest: Position;
  /** Throws LogTruncated where `after` is before what is held. */
  read(range: Range): AsyncIterable<Frame>;
  truncateBefore(position: Position): Promise<void>;
  /** The epoch of the record at `position`, which is durable; undefined where it is before what is held. */
  epochAt(position: Position): number | undefined;
}

export interface Source {
  readonly tail: Tail;
  readonly shelf: Shelf;
}

/** Throws the signal's reason when it aborts: what was yielded is then not all. */
export async function* readFrames(
  { tail, shelf }: Source,
  after: Position,
  signal?: AbortSignal,
): AsyncGenerator<Frame, void, undefined> {
  const until = tail.head;
  let at = after;
  while (at < until) {
    signal?.throwIfAborted();
    const held = tail.find(successor(at));
    if (held !== undefined) {
      at = held.last;
      yield held;
      continue;
    }
    for await (const frame of shelf.read({ after: at, until })) {
      at = frame.last;
      yield frame;
      signal?.throwIfAborted();
      if (tail.find(successor(at)) !== undefined) break;
    }
  }
}

/** Ends when the signal aborts or the log closes; throws LogPoisoned when the log is. */
export async function* followFrames(
  source: Source,
  after: Position,
  signal: AbortSignal,
): AsyncGenerator<Frame, void, undefined> {
  let at = after;
  while (!signal.aborted) {
    for await (const frame of readFrames(source, at)) {
      if (signal.aborted) return;
      at = frame.last;
      yield frame;
      if (signal.aborted) return;
    }
    try {
      await source.tail.waitFor(successor(at), signal);
    } catch (cause) {
      if (signal.aborted || cause instanceof LogClosed) return;
      throw cause;
    }
  }
}

/** A segment as its readers know it. */
export interface ReadableSegment {
  readonly file: string;
  readonly header: SegmentHeader;
  /** Where some of its frames begin, in order, so that a reader need not start at the first. */
  readonly marks: Mark[];
}

export interface Mark {
  readonly first: Position;
  readonly offset: number;
}

/** Marks lie this far apart. */
const MARK_BYTES = 1024 * 1024;
const WINDOW_BYTES = 256 * 1024;

export function addMark(marks: Mark[], mark: Mark): void {
  const before = marks.at(-1)?.offset ?? 0;
  if (mark.offset >= before + MARK_BYTES) marks.push(mark);
}

/** Reads from one segment, each frame against its CRCs; throws LogCorrupt for what doesn't fit. */
export async function* readSegment(
  place: { files: Files; directory: string },
  segment: ReadableSegment,
  range: Range,
): AsyncGenerator<Frame, void, undefined> {
  const file = await place.files.open(join(place.directory, segment.file), 'read');
  try {
    const cursor = new Cursor(file, segment, range.after);
    while (cursor.next <= range.until) {
      const header = await cursor.header();
      if (header.type === frameType.seal) return;
      const skip = cursor.lastOf(header) <= range.after;
      if (skip) cursor.pass(header);
      else yield await cursor.frame(header);
    }
  } finally {
    await file.close();
  }
}

class Cursor {
  /** The position of the next frame. */
  next: Position;
  #offset: number;
  #window = Buffer.alloc(0);
  #windowOffset = 0;
  readonly #file: OpenFile;
  readonly #segment: ReadableSegment;
  readonly #key: SegmentKey;

  constructor(file: OpenFile, segment: ReadableSegment, after: Position) {
    const start = { first: segment.header.first, offset: SEGMENT_HEADER_BYTES };
    const mark = segment.marks.findLast(({ first }) => first <= after + 1) ?? start;
    this.next = mark.first;
    this.#offset = mark.offset;
    this.#file = file;
    this.#segment = segment;
    this.#key = segmentKey(segment.header);
  }

  lastOf(header: FrameHeader): Position {
    return (header.first + header.count - 1) as Position;
  }

  async header(): Promise<FrameHeader> {
    addMark(this.#segment.marks, { first: this.next, offset: this.#offset });
    const bytes = await this.#bytes(this.#offset, FRAME_HEADER_BYTES);
    const header = this.#require(decodeFrameHeader(bytes, 0, this.#key));
    if (header.first === this.next) return header;
    throw this.#corrupt(`the frame there is for position ${header.first}`);
  }

  async frame(header: FrameHeader): Promise<Frame> {
    const bytes = await this.#bytes(this.#offset + FRAME_HEADER_BYTES, header.bodyBytes);
    const { region, chain } = this.#require(decodeFrameBody(bytes, header, this.#key));
    this.pass(header);
    const { first, timeMs } = header;
    const { epoch } = this.#segment.header;
    return frameOf({ first, last: this.lastOf(header), epoch, timeMs, chain, region });
  }

  pass(header: FrameHeader): void {
    this.#offset += FRAME_HEADER_BYTES + header.bodyBytes;
    this.next = successor(this.lastOf(header));
  }

  /** The records of a frame share its memory, so each window is a new one. */
  async #bytes(offset: number, length: number): Promise<Buffer> {
    const start = offset - this.#windowOffset;
    if (start >= 0 && start + length <= this.#window.length) {
      return this.#window.subarray(start, start + length);
    }
    const window = Buffer.allocUnsafe(Math.max(length, WINDOW_BYTES));
    const count = await this.#file.read(window, offset);
    if (count < length) throw this.#corrupt('the segment ends before a frame that was durable');
    this.#window = window.subarray(0, count);
    this.#windowOffset = offset;
    return this.#window.subarray(0, length);
  }

  #require<T>(decoded: Decoded<T>): T {
    if (decoded.ok) return decoded.value;
    throw this.#corrupt(decoded.reason);
  }

  #corrupt(reason: string): LogCorrupt {
    const { file } = this.#segment;
    return new LogCorrupt({ file, offset: this.#offset, position: this.next, reason });
  }
}

export function successor(position: Position): Position {
  return (position + 1) as Position;
}

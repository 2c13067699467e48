/**
 * The segments of an open log: the last one is written, all of them are read, the oldest may go.
 *
 * The writer's invariant: a frame is written only after the sync of the one before it succeeded, and
 * a segment is begun only after the trailer of the one before it was synced. Any failure is thrown to
 * the writer, which then calls nothing but `abandon`.
 */
import { join } from 'node:path';
import { LogCorrupt, LogTruncated } from './errors.ts';
import { type Files, hasCode, type OpenFile } from './files.ts';
import { SEGMENT_HEADER_BYTES, segmentKey, TRAILER_BYTES } from './format.ts';
import { encodeFrame, encodeTrailer, frameBytes } from './frame.ts';
import type { Frame, Position } from './log.ts';
import {
  addMark,
  type Range,
  type ReadableSegment,
  readSegment,
  type Shelf,
  successor,
} from './reader.ts';
import { createSegment, type SegmentHeader, segmentName } from './segment.ts';
import type { DurableFrame } from './tail.ts';
import type { Batch, Sink } from './writer.ts';

export interface DiskOptions {
  readonly files: Files;
  readonly directory: string;
  readonly segmentBytes: number;
  readonly now: () => number;
  /** The sealed segments, oldest first. */
  readonly sealed: readonly { readonly file: string; readonly header: SegmentHeader }[];
  /** The segment to write, which holds its header only. */
  readonly active: { readonly header: SegmentHeader; readonly file: OpenFile };
}

export class DiskSegments implements Sink, Shelf {
  readonly epoch: number;
  readonly #options: DiskOptions;
  /** Never empty: the last one is written. */
  readonly #segments: ReadableSegment[];
  #header: SegmentHeader;
  #marks: ReadableSegment['marks'] = [];
  #file: OpenFile | undefined;
  #offset = SEGMENT_HEADER_BYTES;
  #truncation: Promise<void> = Promise.resolve();
  #end: { last: Position; chain: Uint8Array; timeMs: number };

  constructor(options: DiskOptions) {
    const { header, file } = options.active;
    this.#options = options;
    this.#segments = options.sealed.map((one) => ({ ...one, marks: [] }));
    this.#header = header;
    this.#file = file;
    this.epoch = header.epoch;
    this.#end = { last: (header.first - 1) as Position, chain: header.previousChain, timeMs: 0 };
    this.#list();
  }

  get oldest(): Position {
    return this.#segments[0]?.header.first ?? this.#header.first;
  }

  epochAt(position: Position): number | undefined {
    return this.#segments.findLast(({ header }) => header.first <= position)?.header.epoch;
  }

  async commit(batch: Batch): Promise<DurableFrame> {
    const { records, timeMs, first } = batch;
    const needed = frameBytes(records) + TRAILER_BYTES;
    if (!this.#isEmpty() && this.#offset + needed > this.#options.segmentBytes) await this.#roll();
    const place = { key: segmentKey(this.#header), offset: this.#offset, chain: this.#end.chain };
    const { image, region, chain } = encodeFrame(place, { ...batch, durable: this.#end.last });
    const file = this.#open();
    await file.write([image], this.#offset);
    await file.dataSync();
    addMark(this.#marks, { first, offset: this.#offset });
    const last = (first + records.length - 1) as Position;
    this.#offset += image.length;
    this.#end = { last, chain, timeMs };
    return { first, last, epoch: this.epoch, timeMs, region, chain };
  }

  async seal(): Promise<void> {
    // A segment without frames gets no trailer: the next start takes its place.
    if (!this.#isEmpty()) await this.#writeTrailer();
    const file = this.#open();
    this.#file = undefined;
    await file.close();
  }

  async abandon(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // What failed has been told already, and nothing is asked of the file any more.
    await file?.close().catch(() => {});
  }

  async *read({ after, until }: Range): AsyncGenerator<Frame, void, undefined> {
    let at = after;
    while (at < until) {
      const segment = this.#segmentWith(at);
      const before = at;
      for await (const frame of this.#readSegment(segment, { after: at, until })) {
        at = frame.last;
        yield frame;
      }
      if (at > before) continue;
      const reason = 'the segment ends before a frame that was durable';
      throw new LogCorrupt({ file: segment.file, offset: 0, position: successor(at), reason });
    }
  }

  truncateBefore(position: Position): Promise<void> {
    const truncation = this.#truncation.then(() => this.#truncate(position));
    this.#truncation = truncation.catch(() => {});
    return truncation;
  }

  /** Removes one segment after the other, the oldest first, so that no crash can leave a hole. */
  async #truncate(position: Position): Promise<void> {
    const { files, directory } = this.#options;
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || next.header.first > position) return;
      // Forgotten first, so that no reader looks for it.
      this.#segments.shift();
      try {
        await files.remove(join(directory, oldest.file));
      } catch (cause) {
        this.#segments.unshift(oldest);
        throw cause;
      }
      await files.syncDirectory(directory);
    }
  }

  async *#readSegment(segment: ReadableSegment, range: Range) {
    try {
      yield* readSegment(this.#options, segment, range);
    } catch (cause) {
      const gone = hasCode(cause, 'ENOENT') && range.after + 1 < this.oldest;
      throw gone ? new LogTruncated(range.after, this.oldest) : cause;
    }
  }

  #segmentWith(after: Position): ReadableSegment {
    const segment = this.#segments.findLast(({ header }) => header.first <= after + 1);
    if (segment === undefined) throw new LogTruncated(after, this.oldest);
    return segment;
  }

  async #roll(): Promise<void> {
    const { files, directory, now } = this.#options;
    await this.#writeTrailer();
    const header: SegmentHeader = {
      logId: this.#header.logId,
      epoch: this.epoch,
      first: successor(this.#end.last),
      createdMs: now(),
      previousChain: this.#end.chain,
    };
    const next = await createSegment(files, directory, header);
    const before = this.#open();
    this.#file = next;
    this.#header = header;
    this.#offset = SEGMENT_HEADER_BYTES;
    this.#list();
    await before.close();
  }

  async #writeTrailer(): Promise<void> {
    const place = { key: segmentKey(this.#header), offset: this.#offset, chain: this.#end.chain };
    const file = this.#open();
    await file.write([encodeTrailer(place, this.#end)], this.#offset);
    await file.dataSync();
  }

  #list(): void {
    this.#marks = [];
    const file = segmentName(this.#header.first);
    this.#segments.push({ file, header: this.#header, marks: this.#marks });
  }

  #isEmpty(): boolean {
    return this.#offset === SEGMENT_HEADER_BYTES;
  }

  #open(): OpenFile {
    if (this.#file === undefined) throw new Error('the segment is not open');
    return this.#file;
  }
}

/**
 * A log that lives in memory and forgets everything at its end: for tests of what stands above it.
 * Limits, group commit, conflicts and followers are those of the log on disk.
 */
import { LogTruncated } from './errors.ts';
import {
  genesisChain,
  type Limits,
  LOG_ID_BYTES,
  limits,
  SEGMENT_HEADER_BYTES,
  type SegmentKey,
  segmentKey,
} from './format.ts';
import { encodeFrame } from './frame.ts';
import type { Frame, Log, Position } from './log.ts';
import { assembleLog } from './open.ts';
import type { Range, Shelf } from './reader.ts';
import { type DurableFrame, frameOf, Tail } from './tail.ts';
import { type Batch, type Sink, Writer } from './writer.ts';

export interface MemoryLogOptions {
  readonly limits?: Partial<Limits>;
  /** Unix ms. */
  readonly now: () => number;
  readonly random: (bytes: number) => Uint8Array;
}

export function openMemoryLog(options: MemoryLogOptions): Log {
  const { now, random } = options;
  const bounds = { ...limits, ...options.limits };
  const logId = random(LOG_ID_BYTES);
  const chain = genesisChain(logId);
  const frames = new MemoryFrames(logId, now());
  const tail = new Tail({ position: 0 as Position, chain }, bounds.ringBytes);
  const writer = new Writer({ tail, sink: frames, limits: bounds, now, timeMs: 0 });
  const id = Buffer.from(logId).toString('hex');
  return assembleLog({ id, epoch: frames.epoch, tail, writer, shelf: frames });
}

class MemoryFrames implements Sink, Shelf {
  readonly epoch: number;
  readonly #frames: Frame[] = [];
  readonly #key: SegmentKey;
  #chain: Uint8Array;
  #last = 0 as Position;

  constructor(logId: Uint8Array, epoch: number) {
    this.epoch = epoch;
    this.#key = segmentKey({ logId, first: 1 as Position });
    this.#chain = genesisChain(logId);
  }

  get oldest(): Position {
    return this.#frames[0]?.first ?? ((this.#last + 1) as Position);
  }

  epochAt(position: Position): number | undefined {
    return position < this.oldest ? undefined : this.epoch;
  }

  async commit(batch: Batch): Promise<DurableFrame> {
    const { first, timeMs, records } = batch;
    const place = { key: this.#key, offset: SEGMENT_HEADER_BYTES, chain: this.#chain };
    const { region, chain } = encodeFrame(place, { ...batch, durable: this.#last });
    const last = (first + records.length - 1) as Position;
    const frame = { first, last, epoch: this.epoch, timeMs, region, chain };
    this.#frames.push(frameOf(frame));
    this.#chain = chain;
    this.#last = last;
    return frame;
  }

  async seal(): Promise<void> {}

  async abandon(): Promise<void> {}

  async *read({ after, until }: Range): AsyncGenerator<Frame, void, undefined> {
    if (after + 1 < this.oldest) throw new LogTruncated(after, this.oldest);
    const frames = this.#frames.filter(({ first, last }) => last > after && first <= until);
    yield* frames;
  }

  async truncateBefore(position: Position): Promise<void> {
    const kept = this.#frames.findIndex(({ last }) => last >= position);
    this.#frames.splice(0, kept < 0 ? this.#frames.length - 1 : kept);
  }
}

/**
 * The one writer of the views, in operation and in recovery. It applies committed frames in position
 * order: the frame's blobs are published, then its rows and the applied position are written in one
 * batch, then those who wait for the position go on. Frames that wait already share a batch.
 *
 * An apply that fails is fatal: `failed` resolves, everyone who waits is rejected, and the process
 * must end. What was appended is in the log, so its outcome is decided by recovery.
 */
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Totals } from '../domain/bucket.ts';
import type { Observe } from '../domain/effects.ts';
import { type CommittedRecord, newBlobOf } from '../domain/events.ts';
import type { BlobId, KeyspaceId, Position } from '../domain/names.ts';
import type { CommittedFrame } from '../journal/journal.ts';
import { gathered } from './applying/frame-queue.ts';
import { type BlobAlarms, Publisher } from './applying/publisher.ts';
import { Waiters } from './applying/waiters.ts';
import {
  defaultFenceInterval,
  type FenceInfo,
  type FenceInterval,
  Fences,
  replayFenceInterval,
} from './fences.ts';
import { totalsKey } from './keys.ts';
import type { Operation } from './projecting/change.ts';
import { expired } from './projecting/retention.ts';
import { project } from './projection.ts';
import type { PreparedBatch, ViewsStore } from './store.ts';

export interface ApplierOptions {
  readonly store: ViewsStore;
  readonly blobs: Pick<BlobStore, 'publish' | 'finalize'>;
  readonly observe: Observe;
  readonly alarms: BlobAlarms;
  /** Writes the fence file, durably. */
  readonly fence: (fence: FenceInfo) => Promise<void>;
  /** In a replay too; unless told, fences lie further apart there. */
  readonly fenceEvery?: FenceInterval;
  /** The position from which to go on, and the totals of that position. */
  readonly applied: Position;
  readonly totals: Iterable<readonly [KeyspaceId, Totals]>;
  /** Resolves after that many ms; a timer unless told. */
  readonly pause?: (ms: number) => Promise<void>;
}

export interface Applier {
  readonly applied: Position;
  /** Up to here every blob has its final name, durably: segments below may go. */
  readonly finalizedPosition: Position;
  /**
   * Applies all of `frames` without publishing: staging is cleared once by recovery, which must be
   * done, and made durable, before `run`. Rejects, and is fatal, where an apply fails.
   */
  replay(frames: AsyncIterable<CommittedFrame>): Promise<{ readonly records: number }>;
  /** Applies `frames` to their end. Rejects with what `failed` resolves to. */
  run(frames: AsyncIterable<CommittedFrame>): Promise<void>;
  /** Resolves once the log is applied up to `position`. Rejects with ApplyFailed or ApplierClosed. */
  waitFor(position: Position): Promise<void>;
  /** Makes a fence of what is applied now, for a clean stop; nothing may be running. */
  fence(): Promise<FenceInfo>;
  /** Resolves, with the cause, when an apply failed: the process must end. */
  readonly failed: Promise<unknown>;
  /** Waits for what goes on in the background. `run` must have ended, or be about to. */
  close(): Promise<void>;
}

/** The record is in the log, but the views could not follow: the process ends and recovery decides. */
export class ApplyFailed extends Error {
  override readonly name = 'ApplyFailed';
}

export class ApplierClosed extends Error {
  override readonly name = 'ApplierClosed';
}

/** Deletes of one retention in one batch, at most. */
const RETENTION_BATCH = 4096;

export function openApplier(options: ApplierOptions): Applier {
  return new ViewsApplier(options);
}

class ViewsApplier implements Applier {
  readonly failed: Promise<unknown>;
  readonly #store: ViewsStore;
  readonly #totals: Map<KeyspaceId, Totals>;
  readonly #fences: Fences;
  readonly #waiters = new Waiters();
  readonly #options: ApplierOptions;
  /** The end of the last frame that was applied whole. */
  #frameEnd: { readonly position: Position; readonly chain: string } | undefined;
  #publisher: Publisher;
  #fenceEvery: FenceInterval;
  #busy: Promise<void> = Promise.resolve();
  /** The batch that is being written: only ever one, and the next is made meanwhile. */
  #writing: Promise<void> = Promise.resolve();
  #reportFailure: (cause: unknown) => void = () => {};

  constructor(options: ApplierOptions) {
    const { store, observe, fence } = options;
    this.#options = options;
    this.#fenceEvery = options.fenceEvery ?? defaultFenceInterval;
    this.#store = store;
    this.#totals = new Map(options.totals);
    store.restartAt(options.applied);
    const now = () => this.#fenceInfo();
    this.#fences = new Fences({ store, observe, write: fence, now });
    this.#publisher = this.#newPublisher();
    this.failed = new Promise((resolve) => {
      this.#reportFailure = resolve;
    });
  }

  get applied(): Position {
    return this.#store.applied;
  }

  get finalizedPosition(): Position {
    return this.#publisher.finalizedPosition;
  }

  async replay(frames: AsyncIterable<CommittedFrame>): Promise<{ readonly records: number }> {
    let records = 0;
    this.#fenceEvery = this.#options.fenceEvery ?? replayFenceInterval;
    await this.#consume(frames, async (batch) => {
      records += await this.#applyAll(batch);
    });
    this.#fenceEvery = this.#options.fenceEvery ?? defaultFenceInterval;
    this.#fences.endReplay();
    this.#publisher = this.#newPublisher();
    return { records };
  }

  async run(frames: AsyncIterable<CommittedFrame>): Promise<void> {
    await this.#consume(frames, async (batch) => {
      const last = batch.at(-1)?.last;
      if (last !== undefined) await this.#publisher.publish(last, newBlobsOf(batch));
      await this.#applyAll(batch);
      // Those who wait for it must not have to wait for the batch that comes next.
      await this.#writing;
    });
  }

  waitFor(position: Position): Promise<void> {
    return position <= this.applied ? Promise.resolve() : this.#waiters.until(position);
  }

  async fence(): Promise<FenceInfo> {
    await this.#busy;
    await this.#fences.makeNow();
    return this.#fenceInfo();
  }

  async close(): Promise<void> {
    await this.#busy;
    this.#waiters.rejectAll(new ApplierClosed('the applier was closed'));
    await this.#fences.settled();
    await this.#publisher.close();
  }

  /** Batch by batch, one at a time; the first failure ends it all. */
  async #consume(
    frames: AsyncIterable<CommittedFrame>,
    apply: (batch: readonly CommittedFrame[]) => Promise<void>,
  ): Promise<void> {
    try {
      for await (const batch of gathered(frames)) {
        const applying = apply(batch);
        this.#busy = applying.catch(() => {});
        await applying;
      }
      await this.#writing;
    } catch (cause) {
      await this.#writing.catch(() => {});
      this.#waiters.rejectAll(new ApplyFailed('the views could not be written', { cause }));
      this.#reportFailure(cause);
      throw cause;
    }
  }

  /** One batch, unless a retention lies in it: that is applied alone, with a fence behind it. */
  async #applyAll(frames: readonly CommittedFrame[]): Promise<number> {
    let run: CommittedRecord[] = [];
    let count = 0;
    for (const record of frames.flatMap(({ records }) => records)) {
      count += 1;
      run.push(record);
      if (record.event.type !== 'retention.advanced') continue;
      await this.#apply(run.slice(0, -1));
      await this.#writing;
      for await (const operations of chunks(expired(this.#store, record.event))) {
        await this.#store.write({ operations, applied: this.applied });
      }
      await this.#apply([record]);
      await this.#writing;
      await this.#fences.makeNow();
      run = [];
    }
    // Before the batch that ends there: a fence that it makes due is made of this frame's end.
    const last = frames.at(-1);
    if (last) this.#frameEnd = { position: last.last, chain: last.chain };
    await this.#apply(run);
    return count;
  }

  /**
   * Resolves once the batch of these records is being written (`#writing`): in a replay LevelDB writes
   * it on a thread of its own while the next one is decoded, projected and packed.
   */
  async #apply(records: readonly CommittedRecord[]): Promise<void> {
    const applied = records.at(-1)?.position;
    if (applied === undefined) return;
    const batch = this.#store.prepare({ operations: this.#project(records), applied });
    await this.#writing;
    this.#writing = this.#write(batch, applied);
    // Whoever waits for it is told of a failure; until then nobody does.
    this.#writing.catch(() => {});
    if (!this.#fences.count(records.length, batch.sizeBytes, this.#fenceEvery)) return;
    // The totals are those of this batch, and a fence must not say more than is written.
    await this.#writing;
    this.#fences.begin();
  }

  async #write(batch: PreparedBatch, applied: Position): Promise<void> {
    await batch.write();
    this.#waiters.resolveUpTo(applied);
  }

  /** What the records change, in order; the totals go on to what they are after the last. */
  #project(records: readonly CommittedRecord[]): Operation[] {
    const operations: Operation[] = [];
    const touched = new Set<KeyspaceId>();
    for (const record of records) {
      const change = project(record, this.#totals);
      for (const operation of change.operations) operations.push(operation);
      for (const [keyspace, totals] of change.totals) {
        touched.add(keyspace);
        if (totals.count === 0) this.#totals.delete(keyspace);
        else this.#totals.set(keyspace, totals);
      }
    }
    for (const keyspace of touched) {
      operations.push({ key: totalsKey(keyspace), value: this.#totals.get(keyspace) });
    }
    return operations;
  }

  #fenceInfo(): FenceInfo {
    const { viewsId, projection, applied: position } = this.#store;
    const end = this.#frameEnd;
    const chain = end?.position === position ? { chain: end.chain } : {};
    return { position, ...chain, viewsId, projection, totals: [...this.#totals] };
  }

  #newPublisher(): Publisher {
    const { blobs, observe, alarms, pause = pauseMs } = this.#options;
    return new Publisher({ blobs, observe, alarms, pause, finalized: this.applied });
  }
}

function newBlobsOf(frames: readonly CommittedFrame[]): BlobId[] {
  const events = frames.flatMap(({ records }) => records.map(({ event }) => event));
  return events.map(newBlobOf).filter((blobId) => blobId !== undefined);
}

async function* chunks(operations: AsyncIterable<Operation>): AsyncGenerator<Operation[]> {
  let chunk: Operation[] = [];
  for await (const operation of operations) {
    chunk.push(operation);
    if (chunk.length < RETENTION_BATCH) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** Does not keep the process alive. */
function pauseMs(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}

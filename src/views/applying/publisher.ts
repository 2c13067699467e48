/**
 * The blobs of applied records on their way to their final place. The apply does not wait for a
 * publish that fails: a staged blob is readable, and durable, where it lies. It is tried again in
 * the background, and `finalizedPosition`, below which segments may go, waits for it: until a rename
 * is durable only the log can tell recovery that the staged file is somebody's.
 */
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Observe } from '../../domain/effects.ts';
import type { BlobId, Position } from '../../domain/names.ts';

export interface PublisherOptions {
  readonly blobs: Pick<BlobStore, 'publish' | 'finalize'>;
  readonly observe: Observe;
  /** Resolves after that many ms; between two tries. */
  readonly pause: (ms: number) => Promise<void>;
  /** All up to here is published and durable. */
  readonly finalized: Position;
}

/** The blobs of one batch, and the position up to which that batch applied the log. */
interface Publication {
  readonly last: Position;
  readonly blobIds: readonly BlobId[];
  state: 'trying' | 'failed' | 'done';
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** With more blobs than this left to publish, the apply waits until none is. */
const PENDING_LIMIT = 10_000;

export class Publisher {
  readonly #options: PublisherOptions;
  /** In position order; the first is the oldest that is not durable. */
  readonly #publications: Publication[] = [];
  #finalized: Position;
  #isFinalizing = false;
  #finalizing: Promise<void> = Promise.resolve();
  /** A sync failed: no later one can be believed, so the position stays for good. */
  #stuck = false;
  #retrying: Promise<void> | undefined;
  #closed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#finalized = options.finalized;
  }

  get finalizedPosition(): Position {
    return this.#finalized;
  }

  /** Resolves after one try, successful or not; before that only while too many are left. */
  async publish(last: Position, blobIds: readonly BlobId[]): Promise<void> {
    while (this.#left() >= PENDING_LIMIT && this.#retrying) await this.#retrying;
    const publication: Publication = { last, blobIds, state: 'trying' };
    this.#publications.push(publication);
    if (!(await this.#try(publication))) this.#retrying ??= this.#retry();
    this.#finalize();
  }

  /** Resolves once all that could be published is durable. What still fails is left to recovery. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#isFinalizing) await this.#finalizing;
  }

  async #try(publication: Publication): Promise<boolean> {
    const { blobs, observe } = this.#options;
    if (publication.blobIds.length === 0) publication.state = 'done';
    if (publication.state === 'done') return true;
    try {
      const { missing } = await blobs.publish(publication.blobIds);
      for (const blobId of missing) {
        observe.error('a blob that a record refers to is missing', { blob_id: blobId });
        observe.count('missing_blob');
      }
      publication.state = 'done';
    } catch (error) {
      const blobs = publication.blobIds.length;
      observe.warn('blobs could not be published; trying again', { blobs, error: String(error) });
      publication.state = 'failed';
    }
    return publication.state === 'done';
  }

  /** One round over what failed, then a pause, longer each time, until nothing is left. */
  async #retry(): Promise<void> {
    for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(ms * 2, LONGEST_PAUSE_MS)) {
      await this.#options.pause(ms);
      if (this.#closed) return;
      for (const publication of this.#publications.filter(({ state }) => state === 'failed')) {
        if (!(await this.#try(publication))) break;
        this.#finalize();
      }
      if (this.#left() === 0) break;
    }
    this.#retrying = undefined;
  }

  /** Blobs whose last try failed. */
  #left(): number {
    const failed = this.#publications.filter(({ state }) => state === 'failed');
    return failed.reduce((sum, { blobIds }) => sum + blobIds.length, 0);
  }

  #finalize(): void {
    if (this.#isFinalizing) return;
    this.#isFinalizing = true;
    this.#finalizing = this.#finalizeAll();
  }

  /** Takes what is published from the front, makes it durable, and again until nothing is. */
  async #finalizeAll(): Promise<void> {
    for (let ready = this.#ready(); ready.length > 0; ready = this.#ready()) {
      if (!this.#stuck && ready.some(({ blobIds }) => blobIds.length > 0)) await this.#sync();
      this.#publications.splice(0, ready.length);
      if (!this.#stuck) this.#finalized = ready.at(-1)?.last ?? this.#finalized;
    }
    this.#isFinalizing = false;
  }

  #ready(): Publication[] {
    const first = this.#publications.findIndex(({ state }) => state !== 'done');
    return this.#publications.slice(0, first < 0 ? undefined : first);
  }

  async #sync(): Promise<void> {
    try {
      await this.#options.blobs.finalize();
    } catch (error) {
      this.#stuck = true;
      this.#options.observe.error('published blobs could not be made durable', {
        error: String(error),
      });
    }
  }
}

/**
 * The blobs of applied records on their way to their final place. The apply does not wait for a
 * publish that fails: a staged blob is readable, and durable, where it lies. It is tried again in
 * the background, and `finalizedPosition`, below which segments may go, waits for it: until a rename
 * is durable only the log can tell recovery that the staged file is somebody's.
 *
 * What is kept has a limit. Blobs that fail beyond it are left to the next start, which publishes
 * whatever a row knows of, and the position stays for good.
 */
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Facts, Observe } from '../../domain/effects.ts';
import type { BlobId, Position } from '../../domain/names.ts';

/** What the health must show of blobs, since the apply neither waits for it nor fails of it. */
export interface BlobAlarms {
  /** A record refers to a blob that is nowhere. */
  missing(blobId: BlobId): void;
  /** `finalizedPosition` will not move any more: only a new start can help. */
  stuck(): void;
}

export interface PublisherOptions {
  readonly blobs: Pick<BlobStore, 'publish' | 'finalize'>;
  readonly observe: Observe;
  readonly alarms: BlobAlarms;
  /** Resolves after that many ms; between two tries. */
  readonly pause: (ms: number) => Promise<void>;
  /** All up to here is published and durable. */
  readonly finalized: Position;
}

/** The blobs of one batch, or of several that are done, and up to where those applied the log. */
interface Publication {
  last: Position;
  /** Those that are not published. */
  blobIds: readonly BlobId[];
  state: 'trying' | 'failed' | 'done';
  /** Names appeared that a sync must make durable. */
  hasNames: boolean;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Blobs that are tried again, at most. */
const PENDING_LIMIT = 10_000;

export class Publisher {
  readonly #options: PublisherOptions;
  /**
   * In position order; the first is the oldest that is not durable. No two that are done stand side
   * by side for longer than a round, so what failed bounds the list.
   */
  #publications: Publication[] = [];
  /** Blobs whose last try failed. */
  #left = 0;
  #finalized: Position;
  #isFinalizing = false;
  #finalizing: Promise<void> = Promise.resolve();
  /** A sync failed, and no later one can be believed, or blobs were given up: the position stays. */
  #stuck = false;
  #isRetrying = false;
  #closed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#finalized = options.finalized;
  }

  get finalizedPosition(): Position {
    return this.#finalized;
  }

  /** Resolves after one try, successful or not. */
  async publish(last: Position, blobIds: readonly BlobId[]): Promise<void> {
    const hasNames = blobIds.length > 0;
    const publication: Publication = { last, blobIds, state: 'trying', hasNames };
    this.#publications.push(publication);
    const fault = await this.#try(publication);
    if (fault === undefined) this.#foldLast();
    else this.#keep(publication, fault);
    this.#finalize();
  }

  /** Resolves once all that could be published is durable. What still fails is left to recovery. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#isFinalizing) await this.#finalizing;
  }

  /** Undefined, or what failed. */
  async #try(publication: Publication): Promise<{ readonly error: unknown } | undefined> {
    const { blobs, observe, alarms } = this.#options;
    const { blobIds } = publication;
    try {
      const { missing } = blobIds.length > 0 ? await blobs.publish(blobIds) : { missing: [] };
      for (const blobId of missing) {
        observe.error('a blob that a record refers to is missing', { blob_id: blobId });
        observe.count('missing_blob');
        alarms.missing(blobId);
      }
    } catch (error) {
      return { error };
    }
    if (publication.state === 'failed') this.#left -= blobIds.length;
    publication.state = 'done';
    publication.blobIds = [];
    return undefined;
  }

  /** The first try failed: it is tried again, where there is room to remember it. */
  #keep(publication: Publication, { error }: { readonly error: unknown }): void {
    const { observe } = this.#options;
    const facts = { blobs: publication.blobIds.length, error: String(error) };
    if (this.#left + publication.blobIds.length > PENDING_LIMIT) {
      publication.state = 'done';
      publication.blobIds = [];
      this.#getStuck('too many blobs could not be published; the next start does', facts);
      return;
    }
    observe.warn('blobs could not be published; trying again', facts);
    publication.state = 'failed';
    this.#left += publication.blobIds.length;
    if (!this.#isRetrying && !this.#closed) void this.#retry();
  }

  /** A pause, longer each time, then a round over what failed, until nothing is left. */
  async #retry(): Promise<void> {
    this.#isRetrying = true;
    try {
      for (let ms = FIRST_PAUSE_MS; this.#left > 0; ms = Math.min(ms * 2, LONGEST_PAUSE_MS)) {
        await this.#options.pause(ms);
        await this.#round();
        if (this.#closed) return;
      }
    } finally {
      this.#isRetrying = false;
    }
  }

  /** Every one is tried: what fails for good must not hold up what would not. */
  async #round(): Promise<void> {
    let fault: { readonly error: unknown } | undefined;
    for (const publication of this.#publications.filter(({ state }) => state === 'failed')) {
      if (this.#closed) return;
      fault = (await this.#try(publication)) ?? fault;
      this.#finalize();
    }
    this.#publications = folded(this.#publications);
    if (!fault) return;
    const facts = { blobs: this.#left, error: String(fault.error) };
    this.#options.observe.warn('blobs could not be published; trying again', facts);
  }

  /** The last one is done: where the one before it is too, they are one. */
  #foldLast(): void {
    this.#publications.push(...folded(this.#publications.splice(-2)));
  }

  #finalize(): void {
    if (this.#isFinalizing) return;
    this.#isFinalizing = true;
    this.#finalizing = this.#finalizeAll();
  }

  /** Takes what is published from the front, makes it durable, and again until nothing is. */
  async #finalizeAll(): Promise<void> {
    for (let ready = this.#takeReady(); ready.length > 0; ready = this.#takeReady()) {
      if (!this.#stuck && ready.some(({ hasNames }) => hasNames)) await this.#sync();
      if (!this.#stuck) this.#finalized = ready.at(-1)?.last ?? this.#finalized;
    }
    this.#isFinalizing = false;
  }

  #takeReady(): Publication[] {
    const first = this.#publications.findIndex(({ state }) => state !== 'done');
    return this.#publications.splice(0, first < 0 ? this.#publications.length : first);
  }

  async #sync(): Promise<void> {
    try {
      await this.#options.blobs.finalize();
    } catch (error) {
      const facts = { error: String(error) };
      this.#getStuck('published blobs could not be made durable', facts);
    }
  }

  #getStuck(message: string, facts: Facts): void {
    if (this.#stuck) return;
    this.#stuck = true;
    this.#options.observe.error(message, facts);
    this.#options.alarms.stuck();
  }
}

/** Those that are done and stand side by side made one, in the same order. */
function folded(publications: readonly Publication[]): Publication[] {
  const kept: Publication[] = [];
  for (const next of publications) {
    const before = kept.at(-1);
    if (before?.state === 'done' && next.state === 'done') {
      before.last = next.last;
      before.hasNames ||= next.hasNames;
    } else kept.push(next);
  }
  return kept;
}

/**
 * Small bodies in append-only pack files, as README.md describes them. What it promises is what
 * blob-store.ts asks of any store, for the blobs that lie in packs; of all others it says that it does
 * not have them.
 *
 * A needle is staged from the moment it is durable until it is published or discarded; which ones are is
 * kept in memory alone, for a start finds them again: they are the needles without a row in the index.
 * Publishing writes that row and no more. Removing marks the row as dead; the bytes go when the pack is
 * compacted. The row is what counts, and the needles never change.
 */
import { LRUCache } from 'lru-cache';
import type { BlobId } from '../../domain/names.ts';
import {
  BlobDamaged,
  type BlobFacts,
  type ByteRange,
  type ByteStream,
  type CompactionReport,
  type CompactionRun,
  type OpenBlob,
  type Quarantined,
} from '../blob-store.ts';
import { type ByteSource, checkedBytes } from '../checked-bytes.ts';
import { takingTurns } from '../concurrency.ts';
import { received } from '../receive.ts';
import { disownIndex, writeCheckpoint } from './checkpoint.ts';
import { type CompactionParts, compactPacks } from './compaction.ts';
import { type Descriptors, descriptorsOn } from './descriptors.ts';
import { draftNeedle, isHeaderOf, NEEDLE_HEADER_BYTES } from './format.ts';
import { type Location, type Locations, publishedAt } from './locations.ts';
import { type Recall, recallFrom } from './recall.ts';
import { type RecoveredPacks, type RecoverPacksOptions, recoverPacks } from './recover-packs.ts';
import { type PackEnd, type PackLimits, PackWriter, type Place } from './writer.ts';

export interface PacksOptions extends RecoverPacksOptions {
  /** Bytes from a cryptographic source. */
  readonly newPackId: () => Uint8Array;
  readonly now: () => number;
  readonly limits?: PackLimits;
}

/** A pack's needles fit into a footer of 3 MiB; its bytes can be read in a moment by a start. */
const defaultLimits: PackLimits = { packBytes: 64 * 1024 * 1024, packNeedles: 128 * 1024 };

/** Bodies that are kept in memory, and what one costs besides its bytes. */
const hotBytes = 32 * 1024 * 1024;
const hotEntryBytes = 256;

export async function openPacks(options: PacksOptions): Promise<Packs> {
  return new Packs(options, await recoverPacks(options));
}

export class Packs {
  readonly #options: PacksOptions;
  readonly #locations: Locations;
  readonly #staged: Map<BlobId, Place>;
  /** Every pack that is there; `true` where it is sealed. */
  readonly #packs: Map<number, boolean>;
  readonly #descriptors: Descriptors;
  readonly #writer: PackWriter;
  readonly #recall: Recall;
  /** Bodies that were read last, checked once; by blob id, so that they are never out of date. */
  readonly #hot = new LRUCache<BlobId, { readonly body: Buffer; readonly blake3: string }>({
    maxSize: hotBytes,
    sizeCalculation: ({ body }) => body.length + hotEntryBytes,
  });
  readonly #inTurn = takingTurns();
  readonly #compacting = takingTurns();
  #settled: number;
  #hasRestored = false;

  constructor(options: PacksOptions, recovered: RecoveredPacks) {
    const { files, directory, limits = defaultLimits } = options;
    this.#options = options;
    this.#locations = recovered.locations;
    this.#staged = recovered.staged;
    this.#packs = recovered.packs;
    this.#settled = recovered.settled;
    this.#descriptors = descriptorsOn(files, directory);
    this.#recall = recallFrom({ ...options, ...recovered });
    this.#writer = new PackWriter({
      ...options,
      limits,
      firstNumber: recovered.nextNumber,
      onBegun: (pack) => void this.#packs.set(pack, false),
      onEnded: (pack, end) => this.#ended(pack, end),
    });
    const { damaged, unwritable } = this.#locations;
    void damaged.then((cause) => this.#disown(cause));
    void unwritable.then((cause) => {
      const facts = { fault: String(cause) };
      options.observe.warn(
        'the index of the packs takes no more rows: bodies go into files',
        facts,
      );
    });
  }

  /** The index takes no more rows: bodies must go elsewhere. */
  get isBroken(): boolean {
    return this.#locations.isBroken;
  }

  /** Resolves once the body is durable under that id, which must be new. */
  async stage(blobId: BlobId, body: readonly Uint8Array[]): Promise<void> {
    if (this.#staged.has(blobId) || this.#locations.get(blobId)) {
      throw new Error(`blob ${blobId} exists already`);
    }
    await this.#writer.append(draftNeedle(blobId, body), (place) => {
      this.#staged.set(blobId, place);
    });
  }

  /** True where it was staged. */
  discard(blobId: BlobId): boolean {
    const place = this.#staged.get(blobId);
    if (!place) return false;
    this.#locations.set(blobId, { ...publishedAt(place.pack, place), state: 'dead' });
    this.#staged.delete(blobId);
    this.#hot.delete(blobId);
    return true;
  }

  /** False where there is no such needle. */
  async publish(blobId: BlobId): Promise<boolean> {
    await this.#locations.room();
    const place = this.#staged.get(blobId);
    if (!place) return this.#locations.get(blobId)?.state === 'published';
    this.#locations.set(blobId, publishedAt(place.pack, place));
    this.#staged.delete(blobId);
    return true;
  }

  /**
   * Needles are durable already, and the row of a published one is found again. Only that a blob is no
   * longer set aside nothing else remembers.
   */
  async finalize(): Promise<void> {
    if (!this.#hasRestored) return;
    this.#hasRestored = false;
    await this.#locations.flush();
  }

  listStaged(): BlobId[] {
    return [...this.#staged.keys()];
  }

  /** After a crash: what no record refers to is dead. */
  async clearStaging(isReferenced: (blobId: BlobId) => Promise<boolean>) {
    const report = { published: 0, removed: 0 };
    for (const blobId of this.listStaged()) {
      if ((await isReferenced(blobId)) && (await this.publish(blobId))) report.published += 1;
      else if (this.discard(blobId)) report.removed += 1;
    }
    await this.#settle();
    return report;
  }

  /** undefined where it is in no pack, as far as the index tells. Throws BlobDamaged. */
  async open(
    facts: BlobFacts,
    { fromDisk = false }: { readonly fromDisk?: boolean } = {},
  ): Promise<OpenBlob | undefined> {
    const { blobId } = facts;
    const hot = fromDisk ? undefined : this.#hot.get(blobId);
    if (hot && hot.blake3 === facts.blake3) return openNeedle(facts, { ...hot, isSound: true });
    const found = this.#read(blobId);
    // Another needle stands there, or its header is damaged: the row may be wrong, or the bytes.
    const other = found && !found.isNamed && (await this.#recall(blobId));
    const body = (other ? this.#read(blobId) : found)?.body;
    if (!body) return undefined;
    const { blake3 } = await received([body]);
    const isSound = blake3 === facts.blake3;
    // It may have been removed meanwhile: then nobody may find it here.
    if (isSound && !fromDisk && this.#placeOf(blobId)) {
      this.#hot.set(blobId, { body: memoryOfItsOwn(body), blake3 });
    }
    return openNeedle(facts, { body, isSound });
  }

  /**
   * The same for a blob that the index does not know of: looks into every pack. What it finds, the index
   * knows from then on.
   */
  async recall(facts: BlobFacts): Promise<OpenBlob | undefined> {
    return (await this.#recall(facts.blobId)) ? this.open(facts) : undefined;
  }

  has(blobId: BlobId): boolean {
    const place = this.#placeOf(blobId);
    return place !== undefined && this.#descriptors.get(place.pack) !== undefined;
  }

  async hasAfterAll(blobId: BlobId): Promise<boolean> {
    return (await this.#recall(blobId)) && this.has(blobId);
  }

  remove(blobId: BlobId): void {
    const location = this.#locations.get(blobId);
    if (location?.state === 'published') this.#bury(blobId, location);
  }

  async *published(): AsyncGenerator<BlobId> {
    for await (const [blobId, { state }] of this.#locations.entries()) {
      if (state === 'published') yield blobId;
    }
  }

  quarantine(blobId: BlobId, arrivedMs: number): boolean {
    const location = this.#locations.get(blobId);
    if (location?.state !== 'published') return false;
    this.#locations.set(blobId, { ...location, state: 'quarantined', arrivedMs });
    this.#hot.delete(blobId);
    return true;
  }

  async *quarantined(): AsyncGenerator<Quarantined> {
    for await (const [blobId, { arrivedMs, length }] of this.#locations.quarantined()) {
      const name = `${namePrefix}${blobId}.${arrivedMs}`;
      yield { id: blobId, blobId, arrivedMs, sizeBytes: length, name };
    }
  }

  isMine({ name }: Quarantined): boolean {
    return name.startsWith(namePrefix);
  }

  restore(entry: Quarantined): boolean {
    const location = this.#quarantinedAs(entry);
    if (!location) return false;
    const { id } = entry;
    this.#locations.set(id, { ...location, state: 'published', arrivedMs: 0 }, location);
    this.#hasRestored = true;
    return true;
  }

  purge(entry: Quarantined): boolean {
    const location = this.#quarantinedAs(entry);
    if (location) this.#bury(entry.id, location);
    return location !== undefined;
  }

  /** Frees the bytes of what is dead. Rejects with the signal's reason where it aborts. */
  compact(run: CompactionRun): Promise<CompactionReport> {
    const { files, directory, observe } = this.#options;
    const parts: CompactionParts = {
      files,
      directory,
      locations: this.#locations,
      staged: this.#staged,
      packs: this.#packs,
      copy: (blobId, body, onCopied) => this.#writer.append(draftNeedle(blobId, [body]), onCopied),
      drop: (pack) => this.#descriptors.drop(pack),
      warn: (message, facts) => observe.warn(message, facts),
    };
    return this.#compacting(() => compactPacks(parts, run));
  }

  /** Seals what is open, so that the next start has nothing to read. */
  async close(): Promise<void> {
    try {
      await this.#writer.close();
      await this.#settle();
    } finally {
      this.#descriptors.close();
      await this.#locations.close();
    }
  }

  #quarantinedAs({ id, arrivedMs }: Quarantined): Location | undefined {
    const location = this.#locations.get(id);
    const isThis = location?.state === 'quarantined' && location.arrivedMs === arrivedMs;
    return isThis ? location : undefined;
  }

  /** The bytes wait for the compaction; where there is no pack nothing does. */
  #bury(blobId: BlobId, location: Location): void {
    const isThere = this.#packs.has(location.pack);
    this.#locations.set(blobId, isThere ? { ...location, state: 'dead' } : undefined, location);
    this.#hot.delete(blobId);
  }

  /** Of what is staged or published. */
  #placeOf(blobId: BlobId): Pick<Place, 'pack' | 'offset' | 'length'> | undefined {
    const staged = this.#staged.get(blobId);
    if (staged) return staged;
    const location = this.#locations.get(blobId);
    return location?.state === 'published' ? location : undefined;
  }

  /**
   * The body, and whether the needle's header says so too. Where the bytes end early, it is what is left
   * of them. All in one turn: no compaction comes between the look and the read.
   */
  #read(blobId: BlobId): { readonly body: Buffer; readonly isNamed: boolean } | undefined {
    const place = this.#placeOf(blobId);
    const handle = place && this.#descriptors.get(place.pack);
    if (!handle) return undefined;
    const image = Buffer.allocUnsafe(NEEDLE_HEADER_BYTES + place.length);
    const bytes = image.subarray(0, handle.read(image, place.offset));
    const isNamed = bytes.length >= NEEDLE_HEADER_BYTES && isHeaderOf(bytes, { blobId, ...place });
    return { body: bytes.subarray(NEEDLE_HEADER_BYTES), isNamed };
  }

  #ended(pack: number, end: PackEnd): void {
    if (end.kind === 'given up') this.#packs.delete(pack);
    else this.#packs.set(pack, end.kind === 'sealed');
    if (end.kind !== 'sealed') {
      this.#options.observe.warn('a pack is given up', { pack, fault: String(end.fault) });
    } else void this.#settle();
  }

  /**
   * Moves the checkpoint to the last pack before the first one that is not sealed or holds something
   * staged. Never rejects: without it the next start reads more.
   */
  #settle(): Promise<void> {
    return this.#inTurn(async () => {
      const { files, directory, observe } = this.#options;
      const settled = this.#settleable();
      if (settled <= this.#settled) return;
      try {
        await this.#locations.flush();
        await writeCheckpoint(files, directory, { indexId: this.#locations.id, settled });
        this.#settled = settled;
      } catch (fault) {
        observe.warn('the index of the packs could not be flushed', { fault: String(fault) });
      }
    });
  }

  /** Blobs are found without the index, but a part of it stays damaged: the next start makes another. */
  #disown(cause: unknown): Promise<void> {
    return this.#inTurn(async () => {
      const { files, directory, observe } = this.#options;
      observe.warn('the index of the packs is damaged', { fault: String(cause) });
      this.#settled = Number.POSITIVE_INFINITY;
      await disownIndex(files, directory).catch((fault: unknown) => {
        observe.warn('the index of the packs could not be disowned', { fault: String(fault) });
      });
    });
  }

  #settleable(): number {
    let firstOpen = Number.POSITIVE_INFINITY;
    for (const { pack } of this.#staged.values()) firstOpen = Math.min(firstOpen, pack);
    for (const [pack, isSealed] of this.#packs)
      if (!isSealed) firstOpen = Math.min(firstOpen, pack);
    let settled = 0;
    for (const pack of this.#packs.keys()) if (pack < firstOpen) settled = Math.max(settled, pack);
    return settled;
  }
}

/** Tells a needle in quarantine from a file. */
const namePrefix = 'pack:';

/** `isSound`: the body is what was stored, by its BLAKE3. */
function openNeedle(
  facts: BlobFacts,
  { body, isSound }: { readonly body: Buffer; readonly isSound: boolean },
): OpenBlob {
  const { blobId, sizeBytes } = facts;
  if (body.length !== sizeBytes) {
    throw new BlobDamaged(
      `blob ${blobId} is damaged: its pack has ${body.length} bytes instead of ${sizeBytes}`,
    );
  }
  const isKnown = (range: ByteRange | undefined) => isSound && range === undefined;
  return {
    bytes: (range) => (isKnown(range) ? copyOf(body) : checkedBytes(sourceOf(body), facts, range)),
    close: async () => {},
  };
}

/** A part of a larger buffer would keep all of that from being freed. */
function memoryOfItsOwn(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}

/** Chunks belong to the reader, and others read the same body. */
async function* copyOf(body: Buffer): ByteStream {
  if (body.length > 0) yield Buffer.from(body);
}

function sourceOf(bytes: Buffer): ByteSource {
  return {
    read: (target, offset) => bytes.copy(target, 0, offset),
  };
}

/**
 * Where the bytes of objects lie. Two implementations exist, on disk and in memory, and
 * test/blobs/blob-store.contract.ts runs on both.
 *
 * A blob is named by a unique id, never by a user's path, and is never overwritten. It is staged
 * (durable, but nobody's), then a record in the log refers to it, then it is published. Reading
 * works from the moment it is staged, so that a publish that is late changes nothing for a reader.
 */
import type { BlobId } from '../domain/names.ts';

/** Bytes that arrive. A chunk may be reused by its producer once the next one is asked for. */
export type ByteStream = AsyncIterable<Uint8Array>;

export interface StageLimits {
  /** More bytes than this: the staging is undone and `BodyTooLarge` thrown. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

/** A durable blob that no record refers to yet. */
export interface Staged {
  readonly blobId: BlobId;
  readonly sizeBytes: number;
  /** BLAKE3 of the bytes, hex. */
  readonly blake3: string;
  /** CRC-32 of each 256 KiB, 4 bytes little-endian each; none for no bytes. */
  readonly crcs: Uint8Array;
}

export const crcBlockBytes = 256 * 1024;

/** What a reader must know to check the bytes that it is given. */
export interface BlobFacts {
  readonly blobId: BlobId;
  readonly sizeBytes: number;
  /** BLAKE3, hex. */
  readonly blake3: string;
  readonly crcs: Uint8Array;
}

/** The first and the last byte of a part, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A blob held open: a release, a rename or a removal meanwhile does not disturb it. Close it in every case. */
export interface OpenBlob {
  /**
   * The file that holds these bytes and no others and will not move, as a path below the data
   * directory. Left out where there is none: in memory, in a pack, or while it is only staged.
   */
  readonly file?: string;
  /**
   * The bytes, checked: a whole read by BLAKE3, a range by the CRCs of the blocks it touches. Nothing
   * that is wrong is ever the last chunk: a mismatch throws `BlobDamaged` before the part that would
   * complete the answer is handed out. Chunks belong to the reader. A range that is not inside of the
   * blob is a RangeError at once.
   */
  bytes(range?: ByteRange): ByteStream;
  close(): Promise<void>;
}

/** What lies among the published blobs: one of them, or a thing whose name is none of theirs. */
export type Published =
  | { readonly kind: 'blob'; readonly blobId: BlobId }
  /** `path`: below the blobs' folder; a thing may be a folder. */
  | { readonly kind: 'foreign'; readonly path: string };

/** A thing that nobody refers to, set aside until its bytes are freed. */
export interface Quarantined {
  /** 32 hex digits: the blob's, or for a foreign thing some of its own. */
  readonly id: BlobId;
  /** Left out for a foreign thing … */
  readonly blobId?: BlobId;
  /** … whose place it was is here, where the name had room for it. */
  readonly path?: string;
  /** Unix ms. */
  readonly arrivedMs: number;
  /** Of a folder: not those of what is in it. */
  readonly sizeBytes: number;
  /** The store's own word for it. */
  readonly name: string;
}

export interface BlobStore {
  /**
   * Reads `body` to its end into a new staged blob; durable, with its name, when this resolves. On
   * any failure, that of `body` and an abort among them, nothing is left behind, and `body` is told
   * by `return` that no more is wanted, which for a Node stream destroys it.
   */
  stage(body: ByteStream, limits: StageLimits): Promise<Staged>;
  /** Undoes a `stage` that no record refers to. */
  discard(blobId: BlobId): Promise<void>;
  /**
   * Moves staged blobs to their final place; those that are there already are passed over. A
   * blob that is nowhere is returned as missing.
   */
  publish(blobIds: readonly BlobId[]): Promise<{ readonly missing: readonly BlobId[] }>;
  /** Makes all that was published so far durable. Once it failed it rejects for good. */
  finalize(): Promise<void>;
  /**
   * Throws `BlobMissing` where it is neither published nor staged, `BlobDamaged` where its length
   * differs. `fromDisk`: whatever is remembered of its bytes is not used, nor are they remembered.
   */
  open(facts: BlobFacts, options?: { readonly fromDisk?: boolean }): Promise<OpenBlob>;
  /** True where the blob is published or staged. */
  has(blobId: BlobId): Promise<boolean>;
  /** The blobs that lie in staging, however they came there. */
  listStaged(): Promise<BlobId[]>;
  /**
   * Clears staging after a crash: what `isReferenced` is published, all other is removed, names that
   * are no blob's among it. Only for a store without traffic.
   */
  clearStaging(isReferenced: (blobId: BlobId) => Promise<boolean>): Promise<StagingReport>;
  /** Frees a published blob's bytes; nothing happens where there is none. */
  remove(blobId: BlobId): Promise<void>;
  /**
   * Everything published, in no order that means anything and in bounded memory. What appears or goes
   * meanwhile may be found or not.
   */
  published(): AsyncIterable<Published>;
  /** Takes a thing out of the published ones, bytes and all; false where it is gone already. */
  quarantine(thing: Published, arrivedMs: number): Promise<boolean>;
  quarantined(): AsyncIterable<Quarantined>;
  /**
   * Puts a quarantined thing back where it was; durable after `finalize`. False where it is gone, its
   * place is not known, or taken: nothing is ever overwritten.
   */
  restore(entry: Quarantined): Promise<boolean>;
  /** Frees the bytes of a quarantined thing; false where it is gone already. */
  purge(entry: Quarantined): Promise<boolean>;
  /**
   * Gives back the room of what was removed, where that takes more than the removal. Rejects with the
   * signal's reason where it aborts; what it did until then stays.
   */
  compact(run: CompactionRun): Promise<CompactionReport>;
  close(): Promise<void>;
}

export interface CompactionRun {
  readonly signal: AbortSignal;
  /** Called with each number of bytes that is copied; resolves when it may be. */
  readonly throttle: (bytes: number) => Promise<void>;
}

export interface CompactionReport {
  /** Packs that are gone. */
  readonly packs: number;
  /** Their bytes, less those that were copied. */
  readonly freedBytes: number;
}

export interface StagingReport {
  readonly published: number;
  readonly removed: number;
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

export class BlobMissing extends Error {
  override readonly name = 'BlobMissing';
}

export class BlobDamaged extends Error {
  override readonly name = 'BlobDamaged';
}

/**
 * The index of the packs: where the needle of each published blob lies, on any abstract-level database.
 * It knows nothing that the packs and the rows of the views could not tell again: nobody waits for its
 * writes, which lie in memory until the database has them, and it is durable up to a flush only.
 *
 * A row carries a CRC over its key and its value. One that is damaged counts as one that is not there.
 */
import { crc32 } from 'node:zlib';
import type { AbstractLevel } from 'abstract-level';
import type { BlobId } from '../../domain/names.ts';
import { ALIGNMENT_BYTES, type Needle } from './format.ts';

export type IndexDatabase = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>;

export interface OpenIndex {
  readonly database: IndexDatabase;
  /** Resolves once all that was written before the call survives a power cut. */
  readonly flush: () => Promise<void>;
}

/**
 * `published`: a record refers to the blob, or did. `quarantined`: nobody does, and its time is not yet
 * over. `dead`: its bytes wait for the pack to be compacted; the row says that they are not lost.
 */
export type LocationState = 'published' | 'quarantined' | 'dead';

export interface Location {
  readonly state: LocationState;
  readonly pack: number;
  /** Of the needle's header. */
  readonly offset: number;
  /** Of the body. */
  readonly length: number;
  /** Unix ms; of what is quarantined. */
  readonly arrivedMs: number;
}

const states: readonly LocationState[] = ['published', 'quarantined', 'dead'];
const ROW_BYTES = 28;
const rowCrcAt = 24;
const PAGE = 1000;
/** Rows that may wait for the database before who writes more has to wait too. */
const maxWaiting = 10_000;

const metaKey = Buffer.from('m');
const blobKey = (blobId: BlobId) => Buffer.from(`62${blobId}`, 'hex');
const quarantineKey = (blobId: BlobId) => Buffer.from(`71${blobId}`, 'hex');
const after = (prefix: number) => Buffer.from([prefix + 1]);
const before = (prefix: number) => Buffer.from([prefix]);

export class Locations {
  /** Random; a checkpoint names it. 32 hex digits. */
  readonly id: string;
  /** The database was empty when it was opened. */
  readonly isNew: boolean;
  /** Resolves, with the cause, at the first sign that the database is damaged. */
  readonly damaged: Promise<unknown>;
  /** Resolves, with the cause, once the database takes no more rows. */
  readonly unwritable: Promise<unknown>;
  readonly #index: OpenIndex;
  readonly #isDamage: (fault: unknown) => boolean;
  /** What the database does not hold yet. */
  readonly #waiting = new Map<BlobId, Change>();
  #writing: Promise<void> | undefined;
  /** The batch that is being written; batches are counted when they begin and when they are done. */
  #batch: Promise<void> = Promise.resolve();
  #begun = 0;
  #done = 0;
  #failure: { readonly cause: unknown } | undefined;
  #isDamaged = false;
  #reportDamage: (cause: unknown) => void = () => {};
  #reportFailure: (cause: unknown) => void = () => {};

  constructor(index: OpenIndex, { id, isNew, isDamage }: FoundIndex) {
    this.#index = index;
    this.id = id;
    this.isNew = isNew;
    this.#isDamage = isDamage;
    this.damaged = new Promise((resolve) => {
      this.#reportDamage = resolve;
    });
    this.unwritable = new Promise((resolve) => {
      this.#reportFailure = resolve;
    });
  }

  /** Rows may be missing that were written. */
  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  /** A write failed: the database takes no more, and what it lacks is left to the next start. */
  get isBroken(): boolean {
    return this.#failure !== undefined;
  }

  /** A row that is damaged, or lies in a damaged part of the database, is not there. */
  get(blobId: BlobId): Location | undefined {
    const change = this.#waiting.get(blobId);
    if (change) return change.location;
    const key = blobKey(blobId);
    try {
      const row = this.#index.database.getSync(key);
      return row && openRow(key, row);
    } catch (fault) {
      if (this.#tellDamage(fault)) return undefined;
      throw fault;
    }
  }

  /**
   * Replaces the row, or removes it. `was`: what stood there, where it was quarantined. Throws where the
   * database is broken and memory holds as much as it may.
   */
  set(blobId: BlobId, location: Location | undefined, was?: Location): void {
    const earlier = this.#waiting.get(blobId);
    if (this.#failure && this.#waiting.size >= maxWaiting && !earlier) {
      throw new Error('the index of the packs can no longer be written', this.#failure);
    }
    const leaves = was?.state === 'quarantined' || earlier?.leavesQuarantine === true;
    this.#waiting.set(blobId, { location, leavesQuarantine: leaves });
    this.#writing ??= this.#write();
  }

  /** Resolves once few enough rows wait for the database. */
  async room(): Promise<void> {
    while (!this.#failure && this.#waiting.size >= maxWaiting) await this.#batch;
  }

  /** Resolves once the database holds all that was set before the call. */
  async written(): Promise<void> {
    // What the running batch may lack the next one has. Under load there is always a next one.
    const running = this.#begun;
    while (this.#writing && this.#done <= running) await this.#batch;
    if (this.#failure)
      throw new Error('the index of the packs could not be written', this.#failure);
  }

  /** Makes all that was set before the call durable. */
  async flush(): Promise<void> {
    await this.written();
    await this.#index.flush();
  }

  /** Every row, as it was when the walk began. */
  async *entries(): AsyncGenerator<readonly [BlobId, Location]> {
    await this.written();
    for await (const [key, row] of this.#range(0x62)) {
      const location = openRow(key, row);
      if (location) yield [key.toString('hex', 1) as BlobId, location];
    }
  }

  async *quarantined(): AsyncGenerator<readonly [BlobId, Location]> {
    await this.written();
    for await (const [key] of this.#range(0x71)) {
      const blobId = key.toString('hex', 1) as BlobId;
      const location = this.get(blobId);
      if (location?.state === 'quarantined') yield [blobId, location];
    }
  }

  /** Writes what waits, and lets go of the database whatever comes of it. */
  async close(): Promise<void> {
    try {
      await this.written();
    } finally {
      await this.#index.database.close();
    }
  }

  async *#range(prefix: number): AsyncGenerator<[Buffer, Buffer]> {
    const iterator = this.#index.database.iterator({ gt: before(prefix), lt: after(prefix) });
    try {
      for (;;) {
        const page = await iterator.nextv(PAGE).catch((fault: unknown) => {
          this.#tellDamage(fault);
          throw fault;
        });
        if (page.length === 0) return;
        yield* page;
      }
    } finally {
      await iterator.close();
    }
  }

  async #write(): Promise<void> {
    // What is set in one turn goes in one batch.
    await Promise.resolve();
    while (this.#waiting.size > 0 && !this.#failure) {
      const batch = [...this.#waiting];
      this.#begun += 1;
      this.#batch = this.#writeBatch(batch);
      await this.#batch;
      this.#done = this.#begun;
      if (this.#failure) break;
      for (const [blobId, change] of batch) {
        if (this.#waiting.get(blobId) === change) this.#waiting.delete(blobId);
      }
    }
    this.#writing = undefined;
  }

  /** Never rejects. */
  async #writeBatch(batch: readonly (readonly [BlobId, Change])[]): Promise<void> {
    try {
      await this.#index.database.batch(batch.flatMap(([id, change]) => operationsOf(id, change)));
    } catch (cause) {
      this.#failure = { cause };
      this.#tellDamage(cause);
      this.#reportFailure(cause);
    }
  }

  #tellDamage(fault: unknown): boolean {
    if (!this.#isDamage(fault)) return false;
    this.#isDamaged = true;
    this.#reportDamage(fault);
    return true;
  }
}

interface FoundIndex {
  readonly id: string;
  readonly isNew: boolean;
  /** True for what the database says of its own damage. */
  readonly isDamage: (fault: unknown) => boolean;
}

/** Opens the index, or begins one where the database is empty or its own row is damaged. */
export async function openLocations(
  index: OpenIndex,
  { newId, isDamage }: { readonly newId: () => string } & Pick<FoundIndex, 'isDamage'>,
): Promise<Locations> {
  const { database } = index;
  await database.open();
  try {
    const found = database.getSync(metaKey);
    const id = found && idIn(found);
    if (id !== undefined) return new Locations(index, { id, isNew: false, isDamage });
    const made = newId();
    const value = Buffer.from(made, 'hex');
    await database.put(metaKey, Buffer.concat([value, crcOf(metaKey, value)]));
    return new Locations(index, { id: made, isNew: true, isDamage });
  } catch (cause) {
    // It holds a lock, and whoever finds it damaged will want to open another in its place.
    await database.close();
    throw cause;
  }
}

function idIn(row: Buffer): string | undefined {
  const value = row.subarray(0, 16);
  return row.subarray(16).equals(crcOf(metaKey, value)) ? value.toString('hex') : undefined;
}

/** What a scan found, as a row. */
export function publishedAt(pack: number, { offset, length }: Needle): Location {
  return { state: 'published', pack, offset, length, arrivedMs: 0 };
}

type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

/** What becomes of a row. */
interface Change {
  /** undefined: it goes. */
  readonly location: Location | undefined;
  readonly leavesQuarantine: boolean;
}

/** What is quarantined has a second row, so that it is found without a walk through all. */
function operationsOf(blobId: BlobId, { location, leavesQuarantine }: Change): Operation[] {
  const key = blobKey(blobId);
  const row: Operation = location
    ? { type: 'put', key, value: sealRow(key, location) }
    : { type: 'del', key };
  const mark = quarantineKey(blobId);
  if (location?.state === 'quarantined') {
    return [row, { type: 'put', key: mark, value: Buffer.of(1) }];
  }
  return leavesQuarantine ? [row, { type: 'del', key: mark }] : [row];
}

function sealRow(key: Buffer, { state, pack, offset, length, arrivedMs }: Location): Buffer {
  const row = Buffer.alloc(ROW_BYTES);
  row.writeUInt32LE(states.indexOf(state), 0);
  row.writeUInt32LE(pack, 4);
  row.writeUInt32LE(offset / ALIGNMENT_BYTES, 8);
  row.writeUInt32LE(length, 12);
  row.writeDoubleLE(arrivedMs, 16);
  row.set(crcOf(key, row.subarray(0, rowCrcAt)), rowCrcAt);
  return row;
}

function openRow(key: Buffer, row: Buffer): Location | undefined {
  const isSound =
    row.length === ROW_BYTES &&
    row.subarray(rowCrcAt).equals(crcOf(key, row.subarray(0, rowCrcAt)));
  const state = isSound ? states[row.readUInt32LE(0)] : undefined;
  if (!state) return undefined;
  return {
    state,
    pack: row.readUInt32LE(4),
    offset: row.readUInt32LE(8) * ALIGNMENT_BYTES,
    length: row.readUInt32LE(12),
    arrivedMs: row.readDoubleLE(16),
  };
}

function crcOf(key: Buffer, value: Buffer): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(value, crc32(key)));
  return crc;
}

/**
 * The rows of the views on any abstract-level database: point reads, ranges from a snapshot, and
 * atomic writes that carry the position up to which the log is applied. Writes are not synced: the
 * log is the truth, and `flush` makes what was written so far durable before a fence says so.
 */
import type { AbstractLevel, AbstractSnapshot } from 'abstract-level';
import type { Position } from '../domain/names.ts';
import { type KeyRange, metaKey } from './keys.ts';
import type { Operation } from './projecting/change.ts';
import { PROJECTION } from './projection.ts';
import { reading, readingAsync } from './store/damage.ts';
import { openRow, packValue, sealRow } from './store/rows.ts';

export type ViewsDatabase = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>;

export interface ViewsStoreOptions {
  /** Keys and values are buffers. */
  readonly database: ViewsDatabase;
  /** Resolves once all that was written before the call survives a power cut. */
  readonly flush: () => Promise<void>;
  /** Names views that are made now. */
  readonly newId: () => string;
}

/** What is written together. */
export interface ViewsBatch {
  readonly operations: readonly Operation[];
  readonly applied: Position;
}

/** All of it is written or nothing. */
export interface PreparedBatch {
  /** Of keys and rows. */
  readonly sizeBytes: number;
  write(): Promise<void>;
}

export interface ScanOptions {
  readonly snapshot?: AbstractSnapshot;
  /** Bytes that LevelDB reads ahead at most; 16 KiB unless told. */
  readonly highWaterMarkBytes?: number;
  /** From the end of the range to its beginning. */
  readonly reverse?: boolean;
}

export interface RowIterator {
  /** The next `size` entries at most; none at the end. Throws ViewsDamaged. */
  nextv(size: number): Promise<[key: Buffer, row: Buffer][]>;
  /** Goes on with the first entry at `target` or after it. */
  seek(target: Buffer): void;
  close(): Promise<void>;
}

/** Rows that are kept decoded, at most. */
const MAX_KEPT = 1000;

/** How many entries are asked of an iterator in one call. */
export const PAGE = 1000;

/**
 * Opens the views, or begins them where `database` is empty. Views that another projection made are
 * opened too: the caller compares `projection` with PROJECTION and builds them anew. Throws
 * ViewsDamaged where the rows about the views themselves are not readable.
 */
export async function openViewsStore(options: ViewsStoreOptions): Promise<ViewsStore> {
  const { database, newId } = options;
  await readingAsync(() => database.open());
  const stored = readMeta(database, 'id');
  const created = stored === undefined;
  const viewsId = created ? newId() : String(stored);
  if (created) {
    const operations = [
      { key: metaKey('id'), value: viewsId },
      { key: metaKey('projection'), value: PROJECTION },
    ];
    await prepareBatch(database, operations).write();
  }
  const projection = Number(readMeta(database, 'projection') ?? 0);
  const applied = Number(readMeta(database, 'applied') ?? 0) as Position;
  return new ViewsStore(options, { viewsId, projection, applied, created });
}

interface Found {
  readonly viewsId: string;
  readonly projection: number;
  readonly applied: Position;
  readonly created: boolean;
}

export class ViewsStore {
  /** Random; fences and markers name it. */
  readonly viewsId: string;
  /** The version of the projection that made the rows. */
  readonly projection: number;
  /** The database was empty when it was opened. */
  readonly created: boolean;
  readonly #database: ViewsDatabase;
  readonly #flush: () => Promise<void>;
  readonly #kept = new Map<string, unknown>();
  #applied: Position;

  constructor({ database, flush }: ViewsStoreOptions, found: Found) {
    this.#database = database;
    this.#flush = flush;
    this.viewsId = found.viewsId;
    this.projection = found.projection;
    this.created = found.created;
    this.#applied = found.applied;
  }

  /**
   * The last position written here. Just after opening it is only a claim: docs/architecture.md,
   * "Why a fence".
   */
  get applied(): Position {
    return this.#applied;
  }

  /** Replay starts over from `position`, whatever the rows claim. */
  restartAt(position: Position): void {
    this.#applied = position;
  }

  /**
   * As `get` without a snapshot, of a row that nearly every request reads: it is read once until a batch
   * that writes rows of its kind.
   */
  getKept(key: Buffer): unknown {
    const name = key.toString('latin1');
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(name, value);
    return value;
  }

  /** The value at `key`, or undefined. Throws ViewsDamaged. */
  get(key: Buffer, snapshot?: AbstractSnapshot): unknown {
    const row = reading(() => this.#database.getSync(key, snapshot ? { snapshot } : {}));
    return row === undefined ? undefined : openRow(key, row);
  }

  snapshot(): AbstractSnapshot {
    return this.#database.snapshot();
  }

  /** Raw entries; `openRow` reads a value. Close it in every case. */
  iterator(range: KeyRange, options: ScanOptions = {}): RowIterator {
    const iterator = this.#database.iterator({ ...range, ...options });
    return {
      nextv: (size) => readingAsync(() => iterator.nextv(size)),
      seek: (target) => iterator.seek(target),
      close: () => iterator.close(),
    };
  }

  /** The entries of `range`, from one snapshot. Throws ViewsDamaged. */
  async *entries(
    range: KeyRange,
    snapshot?: AbstractSnapshot,
  ): AsyncGenerator<{ key: Buffer; value: unknown }> {
    const highWaterMarkBytes = 256 * 1024;
    const iterator = this.iterator(range, {
      highWaterMarkBytes,
      ...(snapshot ? { snapshot } : {}),
    });
    try {
      for (;;) {
        const page = await iterator.nextv(PAGE);
        if (page.length === 0) return;
        for (const [key, row] of page) yield { key, value: openRow(key, row) };
      }
    } finally {
      await iterator.close();
    }
  }

  async isEmpty(range: KeyRange, snapshot?: AbstractSnapshot): Promise<boolean> {
    const keys = this.#database.keys({ ...range, limit: 1, ...(snapshot ? { snapshot } : {}) });
    try {
      return (await readingAsync(() => keys.next())) === undefined;
    } finally {
      await keys.close();
    }
  }

  /** Writes all of a batch or nothing. */
  async write(batch: ViewsBatch): Promise<void> {
    await this.prepare(batch).write();
  }

  /**
   * As `write` in two steps, so that a batch can be made while the one before it is being written.
   * They must be written one after the other, in the order of their positions.
   */
  prepare({ operations, applied }: ViewsBatch): PreparedBatch {
    const own = { key: metaKey('applied'), value: applied };
    const { sizeBytes, write } = prepareBatch(this.#database, [...operations, own]);
    return {
      sizeBytes,
      write: async () => {
        try {
          await write();
          this.#applied = applied;
        } finally {
          // What was read while the batch was on its way may be older than it.
          this.#forget(operations);
        }
      },
    };
  }

  #forget(operations: readonly Operation[]): void {
    if (this.#kept.size === 0) return;
    const kinds = new Set([...this.#kept.keys()].map((name) => name.charCodeAt(0)));
    if (operations.some(({ key }) => kinds.has(key[0] ?? 0))) this.#kept.clear();
  }

  /** See ViewsStoreOptions.flush. */
  flush(): Promise<void> {
    return this.#flush();
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

function readMeta(database: ViewsDatabase, word: Parameters<typeof metaKey>[0]): unknown {
  const key = metaKey(word);
  const row = reading(() => database.getSync(key));
  return row === undefined ? undefined : openRow(key, row);
}

function prepareBatch(database: ViewsDatabase, operations: readonly Operation[]): PreparedBatch {
  const batch = database.batch();
  let sizeBytes = 0;
  // An object's row is put twice, as the current one and into history: it is packed once.
  let last: { readonly value: unknown; readonly packed: Buffer } | undefined;
  for (const { key, value } of operations) {
    sizeBytes += key.length;
    if (value === undefined) {
      batch.del(key);
      continue;
    }
    if (last?.value !== value || typeof value !== 'object') {
      last = { value, packed: packValue(value) };
    }
    const row = sealRow(key, last.packed);
    sizeBytes += row.length;
    batch.put(key, row);
  }
  // LevelDB tells of a damaged file that it met while compacting by failing the writes after it.
  const write = () => readingAsync(() => batch.write({ sync: false } as object));
  return { sizeBytes, write };
}

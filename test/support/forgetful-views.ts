/**
 * The views' database, in memory, that forgets as LevelDB may: a power cut keeps what was flushed and
 * a seeded subset of the later batches, each batch whole or not at all, in no particular order.
 */
import { MemoryLevel } from 'memory-level';
import { openViewsStore, type ViewsStore } from '../../src/views/store.ts';
import { seededRandom } from './faulty-disk.ts';

type Batch = readonly (
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer; readonly value?: undefined }
)[];

export interface ForgetfulViews {
  openStore(options: { readonly fresh: boolean }): Promise<ViewsStore>;
  /** The process is gone; what was written stays. */
  restart(): void;
  powerLoss(seed: number): void;
  /** Where set, the flush runs it first: to fail, or to stop. */
  onFlush: () => Promise<void>;
  /** The same for a batch: until it resolves, nothing of the batch is there. */
  onWrite: () => Promise<void>;
  /** Throws away everything, as an operator does who deletes the folder. */
  destroy(): void;
  readonly rows: ReadonlyMap<string, Buffer>;
  /** Changes a row, or takes it away, under the open database: damage that nobody tells of. */
  poke(name: string, row: Buffer | undefined): Promise<void>;
}

export function forgetfulViews(): ForgetfulViews {
  let durable = new Map<string, Buffer>();
  let live = new Map<string, Buffer>();
  let unflushed: Batch[] = [];
  let ids = 0;
  let open: Noted | undefined;
  const views: ForgetfulViews = {
    async openStore({ fresh }) {
      if (fresh) views.destroy();
      const database = new Noted(async (batch) => {
        await views.onWrite();
        unflushed.push(batch);
        apply(live, batch);
      });
      await database.open();
      await database.load(live);
      open = database;
      return openViewsStore({
        database,
        async flush() {
          const promoted = unflushed.length;
          const snapshot = new Map(live);
          await views.onFlush();
          durable = snapshot;
          unflushed = unflushed.slice(promoted);
        },
        newId: () => {
          ids += 1;
          return `views-${ids}`;
        },
      });
    },
    restart() {},
    powerLoss(seed) {
      const random = seededRandom(seed);
      live = new Map(durable);
      for (const batch of unflushed) if (random() < 0.5) apply(live, batch);
      durable = new Map(live);
      unflushed = [];
    },
    onFlush: async () => {},
    onWrite: async () => {},
    destroy() {
      durable = new Map();
      live = new Map();
      unflushed = [];
    },
    get rows() {
      return live;
    },
    async poke(name, row) {
      const key = Buffer.from(name, 'latin1');
      const batch: Batch = [row ? { type: 'put', key, value: row } : { type: 'del', key }];
      for (const rows of [live, durable]) apply(rows, batch);
      await open?.change(batch);
    },
  };
  return views;
}

function apply(rows: Map<string, Buffer>, batch: Batch): void {
  for (const { type, key, value } of batch) {
    const name = key.toString('latin1');
    if (type === 'put' && value) rows.set(name, Buffer.from(value));
    else rows.delete(name);
  }
}

/** A MemoryLevel that tells of each batch. */
class Noted extends MemoryLevel<Buffer, Buffer> {
  readonly #note: (batch: Batch) => Promise<void>;
  #loading = false;

  constructor(note: (batch: Batch) => Promise<void>) {
    super({ keyEncoding: 'buffer', valueEncoding: 'buffer', storeEncoding: 'buffer' });
    this.#note = note;
  }

  load(rows: ReadonlyMap<string, Buffer>): Promise<void> {
    return this.change(
      [...rows].map(([name, value]) => ({
        type: 'put' as const,
        key: Buffer.from(name, 'latin1'),
        value,
      })),
    );
  }

  /** Without telling of it. */
  async change(batch: Batch): Promise<void> {
    this.#loading = true;
    await this.batch([...batch]);
    this.#loading = false;
  }

  // abstract-level calls this for batch() and for chained batches.
  async _batch(operations: Batch, options: object): Promise<void> {
    if (!this.#loading) await this.#note(operations);
    const under = MemoryLevel.prototype as unknown as {
      _batch(operations: Batch, options: object): Promise<void>;
    };
    await under._batch.call(this, operations, options);
  }
}

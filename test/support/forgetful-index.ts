/**
 * The database of the packs' index, in memory, that forgets as LevelDB may: a power cut keeps what was
 * flushed and a seeded subset of the later batches.
 */
import { MemoryLevel } from 'memory-level';
import type { OpenIndex } from '../../src/blobs/packs/locations.ts';
import { seededRandom } from './faulty-disk.ts';

type Batch = readonly (
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer; readonly value?: undefined }
)[];

export interface ForgetfulIndex {
  open(options: { readonly fresh: boolean }): Promise<OpenIndex>;
  powerLoss(seed: number): void;
  /** Throws away everything, as an operator does who deletes the folder. */
  destroy(): void;
  /** Where set, a write runs it first: to fail, or to wait. */
  onWrite: () => Promise<void>;
  /** The rows as they are, keys in hex. A test may change them between two starts. */
  rows: Map<string, Buffer>;
}

export function forgetfulIndex(): ForgetfulIndex {
  let durable = new Map<string, Buffer>();
  let unflushed: Batch[] = [];
  let opened = 0;
  const index: ForgetfulIndex = {
    async open({ fresh }) {
      if (fresh) index.destroy();
      opened += 1;
      const mine = opened;
      const database = new Noted(async (batch) => {
        await index.onWrite();
        // A process that is gone writes nothing more.
        if (mine !== opened) throw new Error('the index is open elsewhere');
        unflushed.push(batch);
        apply(index.rows, batch);
      });
      await database.load(index.rows);
      return {
        database,
        async flush() {
          if (mine !== opened) throw new Error('the index is open elsewhere');
          durable = new Map(index.rows);
          unflushed = [];
        },
      };
    },
    powerLoss(seed) {
      opened += 1;
      const random = seededRandom(seed);
      index.rows = new Map(durable);
      for (const batch of unflushed) if (random() < 0.5) apply(index.rows, batch);
      durable = new Map(index.rows);
      unflushed = [];
    },
    destroy() {
      durable = new Map();
      index.rows = new Map();
      unflushed = [];
    },
    onWrite: async () => {},
    rows: new Map(),
  };
  return index;
}

function apply(rows: Map<string, Buffer>, batch: Batch): void {
  for (const { type, key, value } of batch) {
    if (type === 'put' && value) rows.set(key.toString('hex'), Buffer.from(value));
    else rows.delete(key.toString('hex'));
  }
}

/** A MemoryLevel that tells of each batch. */
class Noted extends MemoryLevel<Buffer, Buffer> {
  readonly #note: (batch: Batch) => Promise<void>;
  #isLoading = false;

  constructor(note: (batch: Batch) => Promise<void>) {
    super({ keyEncoding: 'buffer', valueEncoding: 'buffer', storeEncoding: 'buffer' });
    this.#note = note;
  }

  async load(rows: ReadonlyMap<string, Buffer>): Promise<void> {
    await this.open();
    this.#isLoading = true;
    for (const [key, value] of rows) await this.put(Buffer.from(key, 'hex'), value);
    this.#isLoading = false;
  }

  // abstract-level calls these for put() and batch().
  async _put(key: Buffer, value: Buffer, options: object): Promise<void> {
    if (!this.#isLoading) await this.#note([{ type: 'put', key, value }]);
    await under._put.call(this, key, value, options);
  }

  async _batch(operations: Batch, options: object): Promise<void> {
    await this.#note(operations);
    await under._batch.call(this, operations, options);
  }
}

const under = MemoryLevel.prototype as unknown as {
  _put(key: Buffer, value: Buffer, options: object): Promise<void>;
  _batch(operations: Batch, options: object): Promise<void>;
};

/** The batches that the views of a log are, as the applier writes them: keys and sealed values. */
import { MemoryLevel } from 'memory-level';
import type { Position } from '../src/domain/names.ts';
import type { Journal } from '../src/journal/index.ts';
import { openApplier } from '../src/views/applier.ts';
import { openViewsStore } from '../src/views/store.ts';

export interface RecordedOperation {
  readonly key: Buffer;
  /** None: the key is deleted. */
  readonly value?: Buffer | undefined;
}
export type RecordedBatch = readonly RecordedOperation[];

export async function recordBatches(journal: Journal): Promise<RecordedBatch[]> {
  const batches: RecordedBatch[] = [];
  const store = await openViewsStore({
    database: new Recorder(batches),
    flush: async () => {},
    newId: () => 'recorded',
  });
  const applier = openApplier({
    store,
    blobs: { publish: async () => ({ missing: [] }), finalize: async () => {} },
    observe: { debug() {}, info() {}, warn() {}, error() {}, count() {} },
    alarms: { missing() {}, stuck() {} },
    fence: async () => {},
    applied: 0 as Position,
    totals: [],
  });
  await applier.replay(journal.read(0 as Position));
  await applier.close();
  await store.close();
  return batches;
}

class Recorder extends MemoryLevel<Buffer, Buffer> {
  readonly #batches: RecordedBatch[];

  constructor(batches: RecordedBatch[]) {
    super({ keyEncoding: 'buffer', valueEncoding: 'buffer', storeEncoding: 'buffer' });
    this.#batches = batches;
  }

  /** abstract-level calls this for chained batches. Nothing is stored beyond the rows about the views. */
  async _batch(operations: readonly RecordedOperation[], options: object): Promise<void> {
    this.#batches.push(operations.map(({ key, value }) => ({ key, value })));
    if (this.#batches.length > 1) return;
    const under = MemoryLevel.prototype as unknown as {
      _batch(operations: readonly RecordedOperation[], options: object): Promise<void>;
    };
    await under._batch.call(this, operations, options);
  }
}

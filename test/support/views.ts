/** Views in memory, with an applier that publishes nothing, and records for it. */
import { MemoryLevel } from 'memory-level';
import type { Counter, Observe } from '../../src/domain/effects.ts';
import type { CommittedRecord } from '../../src/domain/events.ts';
import type { Position } from '../../src/domain/names.ts';
import { type ApplierOptions, openApplier } from '../../src/views/applier.ts';
import type { FenceInfo } from '../../src/views/fences.ts';
import { openViews } from '../../src/views/open-views.ts';
import { openViewsStore, type ViewsDatabase } from '../../src/views/store.ts';
import { RandomLog, type Step } from './random-log.ts';

export const silent: Observe = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  count() {},
};

export function memoryDatabase(): ViewsDatabase {
  return new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
}

export async function memoryViews(options: Partial<ApplierOptions> = {}) {
  const database = memoryDatabase();
  const flush = async () => {};
  const store = await openViewsStore({ database, flush, newId: () => 'views-1' });
  const fences: FenceInfo[] = [];
  const applier = openApplier({
    store,
    blobs: { publish: async () => ({ missing: [] }), finalize: async () => {} },
    observe: silent,
    alarms: { missing() {}, stuck() {} },
    fence: async (fence) => void fences.push(fence),
    applied: 0 as Position,
    totals: [],
    ...options,
  });
  return { database, store, applier, fences, views: openViews(store) };
}

/** A bucket, then `count` uploads of other paths or the same. */
export function uploads(count: number): CommittedRecord[] {
  const steps: Step[] = Array.from({ length: count }, (_, index) => [8, 0, index, 1 + index]);
  return new RandomLog([[0, 0, 0, 0], ...steps]).records;
}

export function lastOf(records: readonly CommittedRecord[]): Position {
  return records.at(-1)?.position ?? (0 as Position);
}

/** What an applier says and counts. */
export function watching() {
  const said: string[] = [];
  const counted: Counter[] = [];
  const observe: Observe = {
    ...silent,
    warn: (message) => void said.push(message),
    error: (message) => void said.push(message),
    count: (counter) => void counted.push(counter),
  };
  return { said, counted, observe };
}

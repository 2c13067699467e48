/** Views in memory, with an applier that publishes nothing. */
import { MemoryLevel } from 'memory-level';
import type { Observe } from '../../src/domain/effects.ts';
import type { Position } from '../../src/domain/names.ts';
import { type ApplierOptions, openApplier } from '../../src/views/applier.ts';
import type { FenceInfo } from '../../src/views/fences.ts';
import { openViews } from '../../src/views/open-views.ts';
import { openViewsStore, type ViewsDatabase } from '../../src/views/store.ts';

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

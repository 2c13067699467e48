/**
 * Looks, beside requests, whether every current row has its bytes (M3). A row without them is an
 * alarm: said in the log, counted, and shown in the health.
 */
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Observe } from '../domain/effects.ts';
import type { Views } from '../views/views.ts';
import type { HealthMonitor } from './health.ts';

export interface BlobCheckParts {
  readonly views: Pick<Views, 'everyObject'>;
  readonly blobs: Pick<BlobStore, 'has'>;
  readonly observe: Observe;
  readonly health: HealthMonitor;
}

export interface BlobCheck {
  /** How many rows have no bytes; null until every row was looked at. */
  readonly missing: number | null;
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export function startBlobCheck(parts: BlobCheckParts): BlobCheck {
  const stopping = new AbortController();
  let missing: number | null = null;
  const running = countMissing(parts, stopping.signal)
    .then((count) => {
      missing = count ?? null;
    })
    .catch((fault: unknown) => {
      parts.observe.error('the check of the blobs broke off', { fault: String(fault) });
    });
  return {
    get missing() {
      return missing;
    },
    settled: () => running,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** undefined where it was stopped on the way. */
async function countMissing(
  { views, blobs, observe, health }: BlobCheckParts,
  signal: AbortSignal,
): Promise<number | undefined> {
  let missing = 0;
  for await (const { keyspace, row } of views.everyObject()) {
    if (signal.aborted) return undefined;
    if (await blobs.has(row.blob_id)) continue;
    missing += 1;
    observe.count('missing_blob');
    observe.error('an object has lost its bytes', {
      keyspace,
      path: row.path,
      object_id: row.id,
      blob_id: row.blob_id,
    });
    health.degrade(`blob:${row.blob_id}`, 'objects without their bytes');
  }
  return missing;
}

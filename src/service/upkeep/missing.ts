/**
 * The check from rows to blobs: every current row must have its blob (M3). A row without one is an
 * alarm, said in the log, counted, and shown in the health until a later check no longer finds it.
 */
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Observe } from '../../domain/effects.ts';
import type { Views } from '../../views/views.ts';
import type { BlobTroubles } from './blob-troubles.ts';
import { type Finding, Findings, isCurrent } from './findings.ts';

export interface MissingParts {
  readonly views: Pick<Views, 'everyObject' | 'object' | 'buckets'>;
  readonly blobs: Pick<BlobStore, 'has'>;
  readonly observe: Observe;
  readonly troubles: BlobTroubles;
}

export interface MissingReport {
  readonly rows: number;
  readonly missing: number;
  /** The first ones. */
  readonly findings: readonly Finding[];
}

/** Rejects with the signal's reason where it aborts. `looked` is called for each row. */
export async function findMissing(
  { views, blobs, observe, troubles }: MissingParts,
  signal: AbortSignal,
  looked: () => void = () => {},
): Promise<MissingReport> {
  const findings = new Findings(views, observe);
  const pass = troubles.pass('presence');
  let rows = 0;
  for await (const current of views.everyObject()) {
    signal.throwIfAborted();
    rows += 1;
    looked();
    const blobId = current.row.blob_id;
    if (await blobs.has(blobId)) pass.look(blobId);
    // The rows are those of when the check began: one that was replaced may have lost its blob since.
    else if (isCurrent(views, current)) {
      pass.look(blobId, 'missing');
      await findings.add(current, { problem: 'missing', detail: 'its blob is not there' });
    }
  }
  pass.end();
  return { rows, missing: findings.count, findings: findings.listed };
}

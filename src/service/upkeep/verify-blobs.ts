/**
 * Reads the blob of every current row to its end and hashes it again. What is missing, damaged or can't
 * be read is reported by object; bytes that are wrong are never taken for right (blobs/checked-bytes).
 */
import { BlobDamaged, BlobMissing, type BlobStore } from '../../blobs/blob-store.ts';
import type { Observe } from '../../domain/effects.ts';
import type { ObjectRow } from '../../domain/object.ts';
import type { Views } from '../../views/views.ts';
import type { BlobTroubles } from './blob-troubles.ts';
import { type Finding, Findings, isCurrent } from './findings.ts';
import type { Throttle } from './rate.ts';

export interface VerifyParts {
  readonly views: Pick<Views, 'everyObject' | 'object' | 'buckets' | 'crcs'>;
  readonly blobs: Pick<BlobStore, 'open'>;
  readonly observe: Observe;
  readonly troubles: BlobTroubles;
}

export interface VerifyRun {
  readonly signal: AbortSignal;
  readonly throttle: Throttle;
  /** Bytes that were looked at, of how many there were at first. */
  readonly progress: (done: number) => void;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly objects: number;
  readonly bytes: number;
  readonly missing: number;
  readonly damaged: number;
  /** The first ones. */
  readonly findings: readonly Finding[];
}

/** Rejects with the signal's reason where it aborts. */
export async function verifyBlobs(parts: VerifyParts, run: VerifyRun): Promise<VerifyReport> {
  const { views, observe, troubles } = parts;
  const findings = new Findings(views, observe);
  const pass = troubles.pass('bytes');
  let objects = 0;
  let bytes = 0;
  let missing = 0;
  for await (const current of views.everyObject()) {
    run.signal.throwIfAborted();
    const { row } = current;
    const fault = await faultOf(parts, row, run);
    objects += 1;
    bytes += row.size;
    run.progress(bytes);
    // The rows are those of when the check began.
    if (!fault) pass.look(row.blob_id);
    else if (isCurrent(views, current)) {
      if (fault.problem === 'missing') missing += 1;
      pass.look(row.blob_id, fault.problem === 'missing' ? 'missing' : 'damaged');
      await findings.add(current, fault);
    }
  }
  pass.end();
  const { count, listed } = findings;
  return {
    ok: count === 0,
    objects,
    bytes,
    missing,
    damaged: count - missing,
    findings: listed,
  };
}

async function faultOf(
  { views, blobs }: VerifyParts,
  { blob_id: blobId, size: sizeBytes, etag: blake3 }: ObjectRow,
  { signal, throttle }: VerifyRun,
): Promise<Pick<Finding, 'problem' | 'detail'> | undefined> {
  const crcs = views.crcs(blobId);
  if (!crcs) return { problem: 'damaged', detail: 'no checksums are known of its blob' };
  try {
    const blob = await blobs.open({ blobId, sizeBytes, blake3, crcs }, { fromDisk: true });
    try {
      for await (const chunk of blob.bytes()) {
        signal.throwIfAborted();
        await throttle(chunk.byteLength);
      }
      return undefined;
    } finally {
      await blob.close();
    }
  } catch (fault) {
    signal.throwIfAborted();
    if (fault instanceof BlobMissing)
      return { problem: 'missing', detail: 'its blob is not there' };
    if (fault instanceof BlobDamaged) {
      return { problem: 'damaged', detail: 'the bytes of its blob are not those that were stored' };
    }
    return { problem: 'unreadable', detail: `its blob can't be read: ${codeOf(fault)}` };
  }
}

function codeOf(fault: unknown): string {
  const { code } = fault as { readonly code?: unknown };
  return typeof code === 'string' ? code : String(fault);
}

/**
 * The quarantine: what the sweep set aside, until its grace has passed or an operator decides. What a
 * row knows of is never freed but given back, however it came to lie there.
 */
import type { BlobStore, Quarantined } from '../../blobs/blob-store.ts';
import type { Clock, Observe } from '../../domain/effects.ts';
import { isKnown, type Trust } from './trust.ts';

export interface QuarantineParts extends Trust {
  readonly blobs: Pick<BlobStore, 'quarantined' | 'restore' | 'purge' | 'finalize'>;
  readonly clock: Clock;
  readonly observe: Observe;
  /** How long a thing lies in quarantine before its bytes are freed. */
  readonly graceMs: number;
}

/** A quarantined thing as it is shown; `path` is that of a foreign one, below `blobs/`. */
export interface QuarantineEntry {
  readonly id: string;
  readonly kind: 'blob' | 'foreign';
  readonly path: string | null;
  readonly size: number;
  readonly arrived_at: string;
  /** When a sweep may free it. */
  readonly frees_at: string;
}

export interface QuarantineState {
  readonly count: number;
  readonly bytes: number;
}

export interface QuarantineListing extends QuarantineState {
  /** The first ones, as the folder has them. */
  readonly entries: readonly QuarantineEntry[];
}

export interface ReviewReport {
  /** Given back, because a row knows of them. */
  readonly restored: number;
  readonly purged: number;
  readonly purged_bytes: number;
  /** What is left. */
  readonly quarantined: number;
  readonly quarantined_bytes: number;
}

const maxListed = 1000;

/** Gives back what is known, frees what is past its grace. */
export async function reviewQuarantine(
  parts: QuarantineParts,
  signal: AbortSignal,
): Promise<ReviewReport> {
  const now = parts.clock.now();
  return decideEach(parts, signal, ({ arrivedMs }) =>
    arrivedMs + parts.graceMs <= now ? 'purge' : 'keep',
  );
}

/** What was asked for by id, and what came of it. */
export interface ChosenReport extends ReviewReport {
  /** Nothing asked for was unknown, and each was done. */
  readonly ok: boolean;
  /** Ids that are not in quarantine. */
  readonly unknown: readonly string[];
}

/** Purges or restores `ids`, or everything, whatever its grace. */
export async function decideQuarantine(
  parts: QuarantineParts,
  signal: AbortSignal,
  {
    verdict,
    ids,
  }: { readonly verdict: 'purge' | 'restore'; readonly ids: readonly string[] | 'all' },
): Promise<ChosenReport> {
  const unknown = new Set(ids === 'all' ? [] : ids);
  let chosen = 0;
  const report = await decideEach(parts, signal, ({ id }) => {
    if (ids !== 'all' && !ids.includes(id)) return 'keep';
    unknown.delete(id);
    chosen += 1;
    return verdict;
  });
  const done = verdict === 'purge' ? report.purged : report.restored;
  return { ok: unknown.size === 0 && done >= chosen, ...report, unknown: [...unknown] };
}

export async function listQuarantine(
  { blobs, graceMs }: QuarantineParts,
  signal: AbortSignal,
): Promise<QuarantineListing> {
  const entries: QuarantineEntry[] = [];
  let count = 0;
  let bytes = 0;
  for await (const entry of blobs.quarantined()) {
    signal.throwIfAborted();
    count += 1;
    bytes += entry.sizeBytes;
    if (entries.length < maxListed) entries.push(shown(entry, graceMs));
  }
  return { count, bytes, entries };
}

function shown(entry: Quarantined, graceMs: number): QuarantineEntry {
  const { id, blobId, path = null, sizeBytes: size, arrivedMs } = entry;
  return {
    id,
    kind: blobId === undefined ? 'foreign' : 'blob',
    path,
    size,
    arrived_at: new Date(arrivedMs).toISOString(),
    frees_at: new Date(arrivedMs + graceMs).toISOString(),
  };
}

type Verdict = 'keep' | 'purge' | 'restore';

async function decideEach(
  parts: QuarantineParts,
  signal: AbortSignal,
  decide: (entry: Quarantined) => Verdict,
): Promise<ReviewReport> {
  const { blobs, observe } = parts;
  const report = { restored: 0, purged: 0, purged_bytes: 0, quarantined: 0, quarantined_bytes: 0 };
  for await (const entry of blobs.quarantined()) {
    signal.throwIfAborted();
    const { blobId, sizeBytes } = entry;
    const isInUse = blobId !== undefined && (await isKnown(parts, blobId));
    const decided = decide(entry);
    const verdict = isInUse ? 'restore' : decided;
    if (isInUse)
      observe.warn('a blob in quarantine is in use: it is given back', { blob_id: blobId });
    if (verdict === 'restore' && (await blobs.restore(entry))) {
      report.restored += 1;
    } else if (verdict === 'purge' && (await blobs.purge(entry))) {
      report.purged += 1;
      report.purged_bytes += sizeBytes;
    } else {
      report.quarantined += 1;
      report.quarantined_bytes += sizeBytes;
    }
  }
  if (report.restored > 0) await blobs.finalize();
  if (report.purged > 0) observe.info('freed quarantined bytes', { ...report });
  return report;
}

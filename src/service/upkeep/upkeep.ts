/**
 * What keeps the store in order beside requests: the sweep in both directions, the collection of
 * released blobs, the quarantine, the check of all bytes. It owns their kinds of jobs and their figures.
 */
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Clock, Observe } from '../../domain/effects.ts';
import type { Position } from '../../domain/names.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Views } from '../../views/views.ts';
import type { Commit } from '../commit.ts';
import type { BlobTroubles } from './blob-troubles.ts';
import { type CollectionReport, collectReleased } from './collection.ts';
import { idsOption, rateOption, unknownOption } from './job-options.ts';
import type { JobContext, JobKind, JobKinds, JobOptions } from './jobs.ts';
import { findMissing, type MissingReport } from './missing.ts';
import { type OrphanReport, quarantineOrphans } from './orphans.ts';
import {
  decideQuarantine,
  listQuarantine,
  type QuarantineState,
  type ReviewReport,
  reviewQuarantine,
} from './quarantine.ts';
import { createThrottle, type Pause } from './rate.ts';
import { verifyBlobs } from './verify-blobs.ts';

export interface UpkeepSettings {
  readonly orphanGraceMs: number;
  /** Of the bytes of deleted and overwritten objects. */
  readonly retentionMs: number | 'keep';
}

export interface UpkeepParts {
  readonly views: Views;
  readonly blobs: BlobStore;
  readonly journal: { readonly head: Position };
  readonly applier: { waitFor(position: Position): Promise<void> };
  readonly commit: Commit;
  readonly clock: Clock;
  readonly observe: Observe;
  readonly troubles: BlobTroubles;
  readonly settings: UpkeepSettings;
  /** Why the views may not be believed now. */
  readonly untrusted: () => Rejection | undefined;
  readonly pause: Pause;
}

export interface SweepReport
  extends CollectionReport,
    OrphanReport,
    ReviewReport,
    Omit<MissingReport, 'findings'> {
  /** Packs whose live bytes were copied elsewhere, and what room that gave back. */
  readonly compacted_packs: number;
  readonly compacted_bytes: number;
  /** Every current row has its blob. */
  readonly ok: boolean;
  readonly findings: MissingReport['findings'];
}

/** What the status shows. Numbers are null until the first sweep has found them out. */
export interface UpkeepFigures {
  readonly last_sweep_at: string | null;
  /** That the last sweep found, and all that were found since the start. */
  readonly orphans: number | null;
  readonly orphans_found: number;
  readonly quarantined: number | null;
  readonly quarantined_bytes: number | null;
  readonly missing_blobs: number | null;
  /** Released blobs whose bytes were freed since the start. */
  readonly collected_blobs: number;
}

export interface Upkeep {
  readonly kinds: JobKinds;
  readonly figures: UpkeepFigures;
  /** The check from rows to blobs alone, as it follows a start. Rejects with the signal's reason. */
  findMissing(signal: AbortSignal): Promise<void>;
}

/** Bytes a second that a sweep copies out of packs that are mostly dead. */
const compactionRate = 32 * 1024 * 1024;

/** Bytes a second that `blobs-verify` reads unless told. */
const defaultRate = 64 * 1024 * 1024;

interface Figures {
  lastSweepMs: number | undefined;
  orphans: number | null;
  orphansFound: number;
  quarantine: QuarantineState | undefined;
  missing: number | null;
  collected: number;
}

export function createUpkeep(parts: UpkeepParts): Upkeep {
  const figures: Figures = {
    lastSweepMs: undefined,
    orphans: null,
    orphansFound: 0,
    quarantine: undefined,
    missing: null,
    collected: 0,
  };
  return {
    kinds: kindsOf(parts, figures),
    get figures() {
      return shown(figures);
    },
    async findMissing(signal) {
      figures.missing = (await findMissing(parts, signal)).missing;
    },
  };
}

function shown({ lastSweepMs, quarantine, ...figures }: Figures): UpkeepFigures {
  return {
    last_sweep_at: lastSweepMs === undefined ? null : new Date(lastSweepMs).toISOString(),
    orphans: figures.orphans,
    orphans_found: figures.orphansFound,
    quarantined: quarantine?.count ?? null,
    quarantined_bytes: quarantine?.bytes ?? null,
    missing_blobs: figures.missing,
    collected_blobs: figures.collected,
  };
}

function kindsOf(parts: UpkeepParts, figures: Figures): JobKinds {
  const { orphanGraceMs: graceMs } = parts.settings;
  const quarantine = { ...parts, graceMs, assertTrusted: () => assertTrusted(parts) };
  const keep = ({ quarantined, quarantined_bytes }: ReviewReport) => {
    figures.quarantine = { count: quarantined, bytes: quarantined_bytes };
  };
  const deciding =
    (verdict: 'purge' | 'restore'): JobKind =>
    (options) =>
      withIds(parts, options, async (ids, { signal }) => {
        const report = await decideQuarantine(quarantine, signal, { verdict, ids });
        keep(report);
        return report;
      });
  return {
    sweep: plain(parts, (context) => sweep(parts, context, figures)),
    'blobs-verify': (options) => verifying(parts, options),
    'quarantine-list': plain(parts, async ({ signal }) => {
      const listing = await listQuarantine(quarantine, signal);
      figures.quarantine = { count: listing.count, bytes: listing.bytes };
      return listing;
    }),
    'quarantine-restore': deciding('restore'),
    'quarantine-purge': deciding('purge'),
  };
}

async function sweep(
  parts: UpkeepParts,
  { signal, progress }: JobContext,
  figures: Figures,
): Promise<SweepReport> {
  const { views, settings } = parts;
  const trusting = { ...parts, assertTrusted: () => assertTrusted(parts) };
  trusting.assertTrusted();
  // Each row is looked at once, and about as many blobs.
  const total = 2 * (await countRows(views));
  let done = 0;
  const looked = () => {
    done += 1;
    progress(done, total);
  };
  const collected = await collectReleased({ ...trusting, ...settings }, signal);
  figures.collected += collected.collected;
  const orphans = await quarantineOrphans(trusting, signal, looked);
  figures.orphansFound += orphans.orphans;
  const graceMs = settings.orphanGraceMs;
  const review = await reviewQuarantine({ ...trusting, graceMs }, signal);
  const { findings, ...missing } = await findMissing(parts, signal, looked);
  figures.orphans = orphans.orphans;
  figures.quarantine = { count: review.quarantined, bytes: review.quarantined_bytes };
  figures.missing = missing.missing;
  figures.lastSweepMs = parts.clock.now();
  // Last, for it needs room: a disk that is full must not keep the rest from being looked at.
  const throttle = createThrottle(parts, compactionRate, signal);
  const { packs, freedBytes } = await parts.blobs.compact({ signal, throttle });
  return {
    ok: missing.missing === 0,
    ...collected,
    ...orphans,
    ...review,
    compacted_packs: packs,
    compacted_bytes: freedBytes,
    ...missing,
    findings,
  };
}

function assertTrusted({ untrusted }: Pick<UpkeepParts, 'untrusted'>): void {
  if (untrusted()) throw new Error('the views are being checked or built anew');
}

async function countRows(views: UpkeepParts['views']): Promise<number> {
  const buckets = await views.buckets();
  return buckets.reduce((sum, { keyspace }) => sum + views.totals(keyspace).count, 0);
}

function verifying(parts: UpkeepParts, options: JobOptions): ReturnType<JobKind> {
  const { views, clock, pause } = parts;
  const unknown = parts.untrusted() ?? unknownOption(options, ['rate']);
  if (unknown) return refuse(unknown);
  const rate = rateOption(options);
  if (!rate.ok) return rate;
  return ok(async ({ signal, progress }) => {
    const buckets = await views.buckets();
    const total = buckets.reduce((sum, { keyspace }) => sum + views.totals(keyspace).bytes, 0);
    const throttle = createThrottle({ clock, pause }, rate.value ?? defaultRate, signal);
    return verifyBlobs(parts, { signal, throttle, progress: (done) => progress(done, total) });
  });
}

/** Work without options. */
function plain(
  { untrusted }: Pick<UpkeepParts, 'untrusted'>,
  work: (context: JobContext) => Promise<unknown>,
): JobKind {
  return (options) => {
    const refusal = untrusted() ?? unknownOption(options, []);
    return refusal ? refuse(refusal) : ok(work);
  };
}

function withIds(
  { untrusted }: Pick<UpkeepParts, 'untrusted'>,
  options: JobOptions,
  work: (ids: readonly string[] | 'all', context: JobContext) => Promise<unknown>,
): Result<(context: JobContext) => Promise<unknown>> {
  const refusal = untrusted() ?? unknownOption(options, ['ids', 'all']);
  if (refusal) return refuse(refusal);
  const ids = idsOption(options);
  return ids.ok ? ok((context) => work(ids.value, context)) : ids;
}

/**
 * Start-up: from what a stop of any kind left behind to views that are level with the log.
 *
 * What it promises: nothing is served before the views hold every committed record and every staged
 * blob that a record refers to has its name; views whose state is not vouched for by a clean marker
 * or a fence are replayed or built anew, never believed; a log that holds less than the views were
 * ever shown is not begun again; one report says what was found and done.
 */
import type { Files } from '#files';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Totals } from '../domain/bucket.ts';
import type { Clock, Observe } from '../domain/effects.ts';
import type { BlobId, KeyspaceId, Position } from '../domain/names.ts';
import {
  type CleanMarker,
  type Fence,
  readCleanMarker,
  readFence,
  removeCleanMarker,
  writeFence,
} from '../home/control.ts';
import type { Layout } from '../home/layout.ts';
import type { CommittedFrame, Journal, JournalWitness } from '../journal/index.ts';
import { type Applier, type ApplierOptions, openApplier } from '../views/applier.ts';
import { readEveryTotals } from '../views/buckets.ts';
import type { FenceInfo, FenceInterval } from '../views/fences.ts';
import { openViews } from '../views/open-views.ts';
import { PROJECTION } from '../views/projection.ts';
import type { ViewsStore } from '../views/store.ts';
import { type Views, ViewsDamaged } from '../views/views.ts';
import type { RecoveryReport } from './service.ts';

/** What the last stop and the last flush say that the log and the views hold. */
export interface Remembered {
  readonly marker: CleanMarker | undefined;
  readonly fence: Fence | undefined;
  /** The same, for the log to be held against. */
  readonly witnesses: readonly JournalWitness[];
}

/** Throws ControlDamaged. */
export async function remember(files: Files, layout: Layout): Promise<Remembered> {
  const marker = await readCleanMarker(files, layout);
  const fence = await readFence(files, layout);
  const witnesses = [
    ...(marker ? [{ name: 'the clean marker', ...placeOf(marker) }] : []),
    ...(fence ? [{ name: 'the fence', ...placeOf(fence) }] : []),
  ];
  return { marker, fence, witnesses };
}

export interface LeftViews {
  /** None where they were damaged. */
  readonly store: ViewsStore | undefined;
  /**
   * What they say of the log: only durable records are applied, so one that they hold was in it. They
   * are not believed in anything else, for earlier rows may be missing.
   */
  readonly witnesses: readonly JournalWitness[];
}

/** The views as the last stop left them, opened before the log is: what they hold it must hold. */
export async function openLeftViews({
  openStore,
  observe,
}: Pick<RecoveryParts, 'openStore' | 'observe'>): Promise<LeftViews> {
  try {
    const store = await openStore({ fresh: false });
    return { store, witnesses: [{ name: 'the views folder', position: store.applied }] };
  } catch (fault) {
    if (!(fault instanceof ViewsDamaged)) throw fault;
    tellOfDamage(observe, fault);
    return { store: undefined, witnesses: [] };
  }
}

export interface RecoveryParts {
  readonly files: Files;
  readonly layout: Layout;
  readonly remembered: Remembered;
  readonly journal: Journal;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly observe: Observe;
  readonly alarms: ApplierOptions['alarms'];
  /** Opens the views that are there; `fresh` removes them and begins new ones. */
  readonly openStore: (options: { readonly fresh: boolean }) => Promise<ViewsStore>;
  readonly fenceEvery?: FenceInterval;
  /** When the start began, Unix ms. */
  readonly startedMs: number;
  /** Records that were replayed, and that there are to replay. */
  readonly onProgress?: (records: number, total: number) => void;
}

/** Views that hold all of the log, and the one that keeps them so. */
export interface LevelViews {
  readonly store: ViewsStore;
  readonly views: Views;
  readonly applier: Applier;
}

export interface Recovered extends LevelViews {
  /** Without what is only known once the store is open: missing blobs. */
  readonly report: Omit<RecoveryReport, 'missing_blobs'>;
}

/** `left` is taken over: used, or closed. Without it the views are built anew. */
export async function recover(parts: RecoveryParts, left: LeftViews['store']): Promise<Recovered> {
  const { files, layout, observe } = parts;
  const start = await startingPoint(parts, left);
  // From here on the views move, so the marker no longer tells the truth about them.
  await removeCleanMarker(files, layout);
  try {
    return await goOn(parts, start);
  } catch (fault) {
    if (start.kind === 'rebuilt' || !(fault instanceof ViewsDamaged)) throw fault;
    tellOfDamage(observe, fault);
    return goOn(parts, await newViews(parts));
  }
}

/**
 * Views made from the log's start, in a store that runs: nobody uses the old ones any more. Rejects
 * also where published blobs can't be made durable any more, which only a new start can mend.
 */
export async function rebuild(parts: RecoveryParts): Promise<LevelViews> {
  const { blobs } = parts;
  const { store, views, applier } = await level(parts, await newViews(parts));
  return orLetGo({ store, applier }, async () => {
    // What the old applier had still to publish. Other staged blobs belong to uploads that run.
    const known: BlobId[] = [];
    for (const blobId of await blobs.listStaged()) {
      if (await views.knowsBlob(blobId)) known.push(blobId);
    }
    await blobs.publish(known);
    await blobs.finalize();
    return { store, views, applier };
  });
}

/** From the starting point to views that are level, with nothing staged that nobody refers to. */
async function goOn(parts: RecoveryParts, start: StartingPoint): Promise<Recovered> {
  const { journal, blobs, clock } = parts;
  const { replayed, store, views, applier } = await level(parts, start);
  return orLetGo({ store, applier }, async () => {
    const drains = (await views.drains()).length;
    // What is removed is gone: a row that was lost to damage does not make a blob nobody's.
    const staging = await blobs.clearStaging((blobId) => views.knowsBlob(blobId));
    await blobs.finalize();
    const report = {
      took_ms: clock.now() - parts.startedMs,
      log_segments: journal.recovery.segments,
      torn_bytes: journal.recovery.tornBytes,
      set_aside: journal.recovery.setAside,
      views: start.kind,
      replayed_records: replayed,
      replayed_from: start.applied,
      published_blobs: staging.published,
      removed_staging: staging.removed,
      drains_resumed: drains,
    };
    return { store, views, applier, report };
  });
}

/** Where `use` fails, nobody else will close the views, nor wait for what their applier still does. */
async function orLetGo<T>(
  { store, applier }: Pick<LevelViews, 'store' | 'applier'>,
  use: () => Promise<T>,
): Promise<T> {
  try {
    return await use();
  } catch (fault) {
    await applier.close();
    await store.close();
    throw fault;
  }
}

/** Applies what the log has after the starting point. */
async function level(
  parts: RecoveryParts,
  { store, applied, totals }: StartingPoint,
): Promise<LevelViews & { readonly replayed: number }> {
  const { files, layout, journal, blobs, clock, observe, alarms, fenceEvery } = parts;
  const applier = openApplier({
    store,
    blobs,
    observe,
    alarms,
    applied,
    totals,
    fence: (info) => writeFence(files, layout, fenceOf(info, clock)),
    ...(fenceEvery ? { fenceEvery } : {}),
  });
  const total = journal.distance(applied, journal.head);
  const before = { records: 0 };
  const frames = reporting(journal.read(applied), ({ records, epoch }) => {
    // The record that this start itself has appended is no work that the last stop left.
    if (epoch < journal.epoch) before.records += records.length;
    parts.onProgress?.(journal.distance(applied, records.at(-1)?.position ?? applied), total);
  });
  return orLetGo({ store, applier }, async () => {
    await applier.replay(frames);
    return { store, views: openViews(store), applier, replayed: before.records };
  });
}

interface StartingPoint {
  readonly kind: RecoveryReport['views'];
  readonly store: ViewsStore;
  readonly applied: Position;
  readonly totals: Iterable<readonly [KeyspaceId, Totals]>;
}

/** The latest position that the views are known to hold everything of. */
async function startingPoint(
  parts: RecoveryParts,
  left: LeftViews['store'],
): Promise<StartingPoint> {
  const known = left ? await knownViews(parts, left) : undefined;
  if (known) return known;
  await left?.close();
  return newViews(parts);
}

async function newViews({ openStore }: RecoveryParts): Promise<StartingPoint> {
  const store = await openStore({ fresh: true });
  return { kind: 'rebuilt', store, applied: 0 as Position, totals: [] };
}

/** Damaged views are no fault of the log: they are built anew like views that nothing vouches for. */
async function knownViews(
  { remembered, observe }: RecoveryParts,
  left: ViewsStore,
): Promise<StartingPoint | undefined> {
  try {
    return await vouchedFor(left, remembered);
  } catch (fault) {
    if (!(fault instanceof ViewsDamaged)) throw fault;
    tellOfDamage(observe, fault);
    return undefined;
  }
}

function tellOfDamage(observe: Observe, fault: ViewsDamaged): void {
  observe.warn('the views are damaged and are built anew', { fault: fault.message });
}

async function vouchedFor(
  store: ViewsStore,
  { marker, fence }: Remembered,
): Promise<StartingPoint | undefined> {
  const vouches = (witness: CleanMarker | Fence | undefined) =>
    witness?.viewsId === store.viewsId &&
    witness.projection === PROJECTION &&
    store.projection === PROJECTION;
  if (marker && vouches(marker) && store.applied === marker.position) {
    const totals = await readEveryTotals(store);
    return { kind: 'clean', store, applied: marker.position, totals };
  }
  if (fence && vouches(fence)) {
    return { kind: 'fence', store, applied: fence.position, totals: totalsIn(fence) };
  }
  return undefined;
}

function placeOf({ position, chain }: CleanMarker | Fence) {
  return { position, ...(chain === undefined ? {} : { chain }) };
}

function fenceOf({ totals, ...place }: FenceInfo, clock: Clock): Fence {
  return {
    ...place,
    timeMs: clock.now(),
    totals: totals.map(([keyspace, { count, bytes, foreign }]) => [
      keyspace,
      count,
      bytes,
      foreign,
    ]),
  };
}

function totalsIn({ totals }: Fence): [KeyspaceId, Totals][] {
  return totals.map(([keyspace, count, bytes, foreign]) => [keyspace, { count, bytes, foreign }]);
}

async function* reporting(
  frames: AsyncIterable<CommittedFrame>,
  report: (frame: CommittedFrame) => void,
): AsyncGenerator<CommittedFrame> {
  for await (const frame of frames) {
    yield frame;
    report(frame);
  }
}

/**
 * A store over a data directory: log, blobs, views and the use cases on top, recovered and open for
 * writing; and its end in good order, which leaves the clean marker.
 */
import type { Files } from '#files';
import type { BlobStore } from './blobs/blob-store.ts';
import type { Clock, Ids } from './domain/effects.ts';
import type { BucketCreators } from './domain/policy.ts';
import { writeCleanMarker } from './home/control.ts';
import type { Layout } from './home/layout.ts';
import type { SigningKeys } from './home/signing-keys.ts';
import {
  type Journal,
  type JournalOptions,
  openJournal,
  openWaitingJournal,
} from './journal/index.ts';
import { createAccess } from './service/access.ts';
import { createAdmin } from './service/admin.ts';
import { createBuckets } from './service/buckets.ts';
import { createCommit } from './service/commit.ts';
import { createDrainer, type Drainer } from './service/drain.ts';
import { createFollowers, type FollowerSettings, type Followers } from './service/followers.ts';
import { createDiskGuard, type DiskGuard, type DiskMarks } from './service/guard/disk-guard.ts';
import { countStart, uncountStart } from './service/guard/doubtful-views.ts';
import { guardService } from './service/guard/gate.ts';
import { followViews, type LiveViews } from './service/guard/live-views.ts';
import {
  beginWriting,
  hadRoom,
  openOrWait,
  type Spendable,
  withReserve,
} from './service/guard/scarce-disk.ts';
import { viewsJobs } from './service/guard/views-check.ts';
import { createHealth, type HealthMonitor } from './service/health.ts';
import { createOnce } from './service/idempotency.ts';
import { createLocks } from './service/locks.ts';
import { createObjectChanges } from './service/objects/changes.ts';
import { createObjects, openBlob } from './service/objects.ts';
import { createQueries } from './service/query/query.ts';
import {
  type LeftViews,
  type LevelViews,
  openLeftViews,
  type Recovered,
  type RecoveryParts,
  rebuild,
  recover,
  remember,
} from './service/recovery.ts';
import type { RecoveryReport, Service } from './service/service.ts';
import { createSignedUrls } from './service/signed-urls/signed-urls.ts';
import { statusOf } from './service/status.ts';
import { createSubscriptions, type StreamLimits } from './service/subscriptions/subscriptions.ts';
import { type BackgroundUpkeep, startUpkeep } from './service/upkeep/background.ts';
import {
  type BlobTroubles,
  blobAlarms,
  createBlobTroubles,
} from './service/upkeep/blob-troubles.ts';
import { createJobs, type Jobs } from './service/upkeep/jobs.ts';
import { type Pause, timerPause } from './service/upkeep/rate.ts';
import { createUpkeep, type Upkeep, type UpkeepSettings } from './service/upkeep/upkeep.ts';
import { createUploads } from './service/upload/upload.ts';
import { type BlobSettings, openBlobs } from './store-blobs.ts';
import type { FenceInterval } from './views/fences.ts';
import type { Views } from './views/views.ts';
import type { ObserveWithCounts } from './world.ts';

export interface StoreOptions {
  readonly files: Files;
  readonly layout: Layout;
  readonly nodeId: string;
  readonly version: string;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Bytes from a cryptographic source. */
  readonly random: (count: number) => Uint8Array;
  readonly observe: ObserveWithCounts;
  readonly maxFileSizeBytes: number;
  readonly bucketCreators: BucketCreators;
  readonly signingKeys: SigningKeys;
  readonly signedUrlMaxTtlMs: number;
  readonly streams?: StreamLimits;
  readonly followers?: FollowerSettings;
  readonly diskMarks: DiskMarks;
  /** What is given up when the disk is full, and restored when it is not. */
  readonly reserve: Spendable;
  readonly upkeep: UpkeepSettings & {
    /** Without it nothing is swept but on demand. */
    readonly intervalMs?: number;
  };
  /** A timer unless told. */
  readonly pause?: Pause;
  readonly openViewsStore: RecoveryParts['openStore'];
  readonly blobSettings?: BlobSettings;
  readonly fenceEvery?: FenceInterval;
  readonly logLimits?: NonNullable<JournalOptions['limits']>;
  /** Build the views anew whatever they are. */
  readonly rebuild?: boolean;
  readonly onProgress?: NonNullable<RecoveryParts['onProgress']>;
}

export interface Store {
  readonly service: Service;
  readonly views: Views;
  readonly report: RecoveryReport;
  readonly diskGuard: Pick<DiskGuard, 'look'>;
  readonly jobs: Pick<Jobs, 'find' | 'ended'>;
  /** Resolves, with the cause, when the store can't go on: the process must end. */
  readonly failed: Promise<unknown>;
  /** Resolves once what start-up left to the background is done. */
  settled(): Promise<void>;
  /**
   * Finishes what runs and leaves the clean marker, where the views hold all of the log. Rejects where
   * that fails, having let go of everything.
   */
  close(): Promise<void>;
}

/** Throws ControlDamaged, LogCorrupt, LogBehindWitness, ViewsDamaged, or an error of the disk. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { observe } = options;
  const health = createHealth();
  const troubles = createBlobTroubles(health);
  const alarms = blobAlarms(health, troubles);
  const { journal, blobs, recovery, recovered } = await openRecovered(options, alarms);
  const live = followViews({
    recovered,
    journal,
    health,
    observe,
    rebuild: () => rebuild(recovery),
    onRebuilt: () => background.drainer.wake(),
  });
  const { views, applier } = live;
  const open: OpenParts = { journal, blobs, live, views, applier, health, troubles };
  const background = startBackground(options, open);
  const report = (): RecoveryReport => ({
    ...recovered.report,
    missing_blobs: background.upkeep.figures.missing_blobs,
  });
  const { service, followers } = createService(options, { ...open, ...background, report });
  if ('begin' in journal) await beginWriting(journal, { health, observe });
  await background.diskGuard.look();
  health.recovered();
  background.drainer.wake();
  await followers.start();
  observe.info('recovered', { ...report() });
  return {
    service,
    views,
    get report() {
      return report();
    },
    diskGuard: background.diskGuard,
    jobs: background.jobs,
    failed: Promise.race([journal.poisoned, live.failed]),
    async settled() {
      await background.upkeepRun.settled();
      await live.settled();
      await background.drainer.idle();
    },
    close: () => close(options, open, { ...background, followers }),
  };
}

interface OpenRecovered {
  readonly journal: Journal;
  readonly blobs: BlobStore;
  readonly recovery: RecoveryParts;
  readonly recovered: Recovered;
}

/** Log, blobs and views, level; the views are opened first, for the log is held against them. */
async function openRecovered(
  options: StoreOptions,
  alarms: RecoveryParts['alarms'],
): Promise<OpenRecovered> {
  const { files, layout, clock, observe, openViewsStore: openStore } = options;
  const startedMs = clock.now();
  const remembered = await remember(files, layout);
  const mark = remembered.marker ?? remembered.fence;
  const isDoubtful = mark !== undefined && (await countStart(files, layout, mark));
  if (isDoubtful) observe.warn('starts keep ending under the views: they are built anew');
  // Views that are to go are not opened: LevelDB may end the process over what is wrong with them.
  const openLeft = async (): Promise<LeftViews> =>
    options.rebuild || isDoubtful
      ? { store: undefined, witnesses: [] }
      : openLeftViews({ ...options, openStore });
  const left = await withReserve(options, openLeft);
  const witnesses = [...remembered.witnesses, ...left.witnesses];
  const journal = await openLog(options, witnesses).catch(async (cause: unknown) => {
    await left.store?.close();
    await uncountStart(files, layout);
    throw cause;
  });
  let views: LeftViews | undefined = left;
  let blobs: BlobStore | undefined;
  try {
    blobs = await withReserve(options, () => openBlobs(options));
    const recovery = { ...options, startedMs, remembered, journal, blobs, alarms, openStore };
    const recovered = await withReserve(options, async () => {
      // A step that is done once more finds them closed.
      const { store } = views ?? (await openLeft());
      views = undefined;
      return recover(recovery, store);
    });
    return { journal, blobs, recovery, recovered };
  } catch (cause) {
    // Views that recovery took over it has closed. What kept the store from opening is what is told.
    for (const part of [blobs, views?.store, journal]) await part?.close().catch(() => {});
    throw cause;
  }
}

function openLog(options: StoreOptions, witnesses: JournalOptions['witnesses']): Promise<Journal> {
  const { layout, logLimits } = options;
  const limits = logLimits ? { limits: logLimits } : {};
  const place = { ...options, directory: layout.wal, witnesses, ...limits };
  return openOrWait(
    () => withReserve(options, () => openJournal(place)),
    () => openWaitingJournal(place),
  );
}

interface OpenParts {
  readonly journal: Journal;
  readonly blobs: BlobStore;
  readonly live: LiveViews;
  readonly views: LiveViews['views'];
  readonly applier: LiveViews['applier'];
  readonly health: HealthMonitor;
  readonly troubles: BlobTroubles;
}

interface Background {
  readonly commit: ReturnType<typeof createCommit>;
  readonly drainer: Drainer;
  readonly upkeep: Upkeep;
  readonly jobs: Jobs;
  readonly upkeepRun: BackgroundUpkeep;
  readonly diskGuard: DiskGuard;
}

function startBackground(options: StoreOptions, open: OpenParts): Background {
  const { files, layout, diskMarks, observe } = options;
  const { journal, views, applier, health } = open;
  const closedTo = () => health.closedTo('write');
  const commit = createCommit({ locks: createLocks(), journal, applier, closedTo });
  const drainer = createDrainer({
    views,
    commit,
    health,
    observe,
    pause: options.pause ?? timerPause,
  });
  const diskGuard = createDiskGuard({
    files,
    directory: layout.directory,
    marks: diskMarks,
    health,
    observe,
    onRoom: () => void useRoom(options, open),
    onRelief: () => drainer.wake(),
  });
  const upkept = keepUp(options, { ...open, commit });
  return { commit, drainer, diskGuard, ...upkept };
}

/** There is space: the log is opened for writing where it could not be, and the reserve filled. */
async function useRoom(
  { reserve, observe }: StoreOptions,
  { journal, health }: OpenParts,
): Promise<void> {
  // While it recovers, start-up itself sees to the log.
  if (health.closedTo('read')) return;
  try {
    await beginWriting(journal, { health, observe });
    await reserve.restore();
  } catch (fault) {
    observe.warn('the reserve could not be written', { fault: String(fault) });
  }
}

function keepUp(
  options: StoreOptions,
  open: OpenParts & Pick<Background, 'commit'>,
): Pick<Background, 'upkeep' | 'jobs' | 'upkeepRun'> {
  const { clock, ids, observe, upkeep: settings, pause = timerPause } = options;
  const { health } = open;
  const untrusted = () => health.closedTo('read');
  const shared = { clock, observe, pause };
  const upkeep = createUpkeep({ ...open, ...shared, settings, untrusted });
  const jobs = createJobs({
    ...shared,
    ids,
    kinds: { ...upkeep.kinds, ...viewsJobs({ ...open, ...shared }) },
  });
  const { intervalMs } = settings;
  const interval = intervalMs === undefined ? {} : { intervalMs };
  const upkeepRun = startUpkeep({ ...shared, upkeep, jobs, ...interval });
  return { upkeep, jobs, upkeepRun };
}

function createService(
  options: StoreOptions,
  parts: OpenParts & Background & { readonly report: () => RecoveryReport },
): { readonly service: Service; readonly followers: Followers } {
  const { observe } = options;
  const { views, drainer, diskGuard, health, report } = parts;
  const access = createAccess(observe);
  const startedMs = options.clock.now();
  const counters = () => observe.counts();
  const shared = { ...options, ...parts, access };
  const once = createOnce({ ...shared, locks: createLocks() });
  const subscriptions = createSubscriptions(shared);
  const followers = createFollowers({ ...shared, once, subscriptions });
  const service: Service = {
    buckets: createBuckets({ ...shared, once, drainSoon: () => drainer.wake() }),
    objects: {
      ...createObjects(shared),
      ...createObjectChanges({ ...shared, once }),
      ...createUploads({
        ...shared,
        once,
        closedTo: () => health.closedTo('upload'),
        onNoRoom: () => diskGuard.suspect(),
      }),
    },
    signedUrls: createSignedUrls({
      ...shared,
      once,
      open: (found) => openBlob(shared, found),
    }),
    queries: createQueries(shared),
    subscriptions,
    consumers: followers.consumers,
    webhooks: followers.webhooks,
    admin: createAdmin({
      ...shared,
      status: () => statusOf({ ...options, ...parts, startedMs, counters }),
      recovery: report,
      digest: async () => ({ digest: await views.digest(), position: views.applied }),
    }),
    health: () => health.now(),
  };
  return { service: guardService(service, { health, observe }), followers };
}

type Head = Awaited<ReturnType<Journal['close']>>;

async function close(
  options: StoreOptions,
  { journal, blobs, live, health }: OpenParts,
  { drainer, upkeepRun, diskGuard, followers }: Background & { readonly followers: Followers },
): Promise<void> {
  let end: { readonly head: Head; readonly isFenced: boolean };
  try {
    if (diskGuard.isFull) await options.reserve.spend();
    health.closing();
    diskGuard.stop();
    await followers.stop();
    await upkeepRun.stop();
    await drainer.stop();
    await live.settled();
    // What was appended is finished; then the follower has all of it and ends.
    const head = await journal.close();
    await live.finish();
    const { applier } = live.current;
    const isWhole = applier.applied === head.position;
    end = { head, isFenced: isWhole && (await hadRoom(options, () => applier.fence())) };
  } finally {
    await letGo(live.current, blobs);
  }
  if (!end.isFenced) return;
  const { viewsId, projection } = live.current.store;
  const { files, layout, clock } = options;
  const marker = { ...end.head, viewsId, projection, timeMs: clock.now() };
  await hadRoom(options, () => writeCleanMarker(files, layout, marker));
}

/** Each is closed, whatever the one before it says. */
async function letGo({ applier, store }: LevelViews, blobs: BlobStore): Promise<void> {
  try {
    await applier.close();
  } finally {
    try {
      await store.close();
    } finally {
      await blobs.close();
    }
  }
}

/**
 * A whole store on a faulty disk and forgetful views: opened, used through its use cases, killed, cut
 * off from power, and opened again.
 */
import type { BlobId, BucketName, ObjectPath } from '../../src/domain/names.ts';
import { openHome } from '../../src/home/home.ts';
import { layoutOf } from '../../src/home/layout.ts';
import { openSigningKeys } from '../../src/home/signing-keys.ts';
import { openWebhookSecrets, type WebhookSecrets } from '../../src/home/webhook-secrets.ts';
import type { FollowerSettings } from '../../src/service/followers.ts';
import type { Call } from '../../src/service/service.ts';
import type { JobOptions } from '../../src/service/upkeep/jobs.ts';
import { openStore, type Store, type StoreOptions } from '../../src/store.ts';
import type { ObserveWithCounts } from '../../src/world.ts';
import { createFaultyDisk, type FaultyDisk, seededRandom } from './faulty-disk.ts';
import { type ForgetfulIndex, forgetfulIndex } from './forgetful-index.ts';
import { type ForgetfulViews, forgetfulViews } from './forgetful-views.ts';

export const dataDirectory = '/data';
export const hourMs = 60 * 60 * 1000;

export interface Rig {
  /** Replaced by `kill` and `cutPower`. */
  disk: FaultyDisk;
  readonly views: ForgetfulViews;
  readonly packIndex: ForgetfulIndex;
  store: Store;
  /** What was logged at warn and above since the last start. */
  readonly alarms: string[];
  open(): Promise<Store>;
  /** Those of the disk as it is. */
  webhookSecrets(): WebhookSecrets;
  /** Lets time pass; what it is now, Unix ms. */
  advance(ms: number): number;
  /** Ends in good order. */
  close(): Promise<void>;
  /** The process is gone; the kernel keeps what it was given. */
  kill(): Promise<void>;
  /** The machine is gone; the disk keeps what was synced and a seeded part of the rest. */
  cutPower(seed: number): Promise<void>;
}

export interface RigOptions {
  readonly disk?: FaultyDisk;
  readonly views?: ForgetfulViews;
  readonly packIndex?: ForgetfulIndex;
  /** Longer bodies get a file of their own; with 0 every body does. */
  readonly packUpToBytes?: number;
  readonly packLimits?: NonNullable<StoreOptions['blobSettings']>['packLimits'];
  readonly seed?: number;
  readonly followers?: FollowerSettings;
  readonly store?: Partial<
    Pick<
      StoreOptions,
      | 'fenceEvery'
      | 'logLimits'
      | 'maxFileSizeBytes'
      | 'bucketCreators'
      | 'signedUrlMaxTtlMs'
      | 'diskMarks'
      | 'streams'
      | 'upkeep'
      | 'pause'
    >
  >;
}

/** A rig whose store is open. */
export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const rig = makeRig(options);
  await rig.open();
  return rig;
}

const lock = async () => ({ release: async () => {} });

export function makeRig(options: RigOptions = {}): Rig {
  const { disk, views, packIndex, seed = 1, followers, store: settings = {} } = options;
  const random = seededRandom(seed);
  const alarms: string[] = [];
  const observe = noting(alarms);
  let timeMs = Date.UTC(2026, 0, 1);
  let store: Store | undefined;
  let leave: (() => Promise<void>) | undefined;
  const rig: Rig = {
    disk: disk ?? createFaultyDisk(),
    views: views ?? forgetfulViews(),
    packIndex: packIndex ?? forgetfulIndex(),
    alarms,
    get store() {
      if (!store) throw new Error('the store is not open');
      return store;
    },
    set store(opened) {
      store = opened;
    },
    webhookSecrets: () =>
      openWebhookSecrets({
        files: rig.disk.files,
        layout: layoutOf(dataDirectory),
        random: (count) => Buffer.from(hex(random, count * 2), 'hex'),
        lock,
      }),
    async open() {
      const { files } = rig.disk;
      alarms.length = 0;
      const home = await openHome({ files, directory: dataDirectory, reserveBytes: 4096, lock });
      leave = () => home.close();
      store = await openStore({
        files,
        layout: home.layout,
        reserve: home.reserve,
        nodeId: home.nodeId,
        version: 'test',
        clock: {
          now: () => {
            timeMs += 1;
            return timeMs;
          },
        },
        ids: {
          uuid: () => hex(random, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
          blobId: () => hex(random, 32) as BlobId,
        },
        random: (count) => Buffer.from(hex(random, count * 2), 'hex'),
        observe,
        maxFileSizeBytes: 64 * 1024 * 1024,
        bucketCreators: 'authenticated',
        signedUrlMaxTtlMs: 7 * 24 * hourMs,
        signingKeys: openSigningKeys({
          files,
          layout: home.layout,
          random: (count) => Buffer.from(hex(random, count * 2), 'hex'),
          now: () => timeMs,
          lock,
        }),
        diskMarks: { low: { kind: 'bytes', bytes: 0 }, hard: { kind: 'bytes', bytes: 0 } },
        upkeep: { orphanGraceMs: 24 * hourMs, retentionMs: 7 * 24 * hourMs },
        followers: {
          ...followers,
          secrets: rig.webhookSecrets(),
        },
        openViewsStore: (how) => rig.views.openStore(how),
        blobSettings: {
          openIndex: (how) => rig.packIndex.open(how),
          ...(options.packUpToBytes === undefined ? {} : { packUpToBytes: options.packUpToBytes }),
          ...(options.packLimits ? { packLimits: options.packLimits } : {}),
        },
        ...settings,
      });
      return store;
    },
    advance(ms) {
      timeMs += ms;
      return timeMs;
    },
    async close() {
      await rig.store.close();
      await leave?.();
    },
    async kill() {
      rig.disk = rig.disk.restart();
      rig.views.restart();
    },
    async cutPower(seedOfCut) {
      rig.disk = rig.disk.powerLoss(seedOfCut);
      rig.views.powerLoss(seedOfCut + 1);
      rig.packIndex.powerLoss(seedOfCut + 2);
    },
  };
  return rig;
}

export const user = (id: string): Call => ({ caller: { kind: 'user', id }, requestId: 'test' });
export const service: Call = { caller: { kind: 'service', id: null }, requestId: 'test' };
export const nobody: Call = { caller: { kind: 'anonymous' }, requestId: 'test' };

export const key = (bucket: string, path: string) => ({
  bucket: bucket as BucketName,
  path: path as ObjectPath,
});

export interface PutOptions {
  readonly contentType?: string;
  readonly metadata?: string;
}

/** Uploads `bytes`; the result is that of the step which refused, or of the commit. */
export async function put(
  { store }: Rig,
  call: Call,
  upload: PutOptions & {
    readonly bucket: string;
    readonly path: string;
    readonly bytes: Uint8Array;
  },
) {
  const { bytes, contentType = 'text/plain', metadata = null } = upload;
  const admission = await store.service.objects.admit(call, {
    ...key(upload.bucket, upload.path),
    contentType,
    sizeBytes: bytes.byteLength,
    conditions: { overwrite: true },
  });
  if (!admission.ok) return admission;
  return store.service.objects.store(call, admission.value, {
    bytes: chunksOf(bytes),
    details: async () => ({ ok: true, value: { cacheControl: null, metadata } }),
  });
}

/** The object's bytes, or the code of the refusal. */
export async function get({ store }: Rig, call: Call, path: { bucket: string; path: string }) {
  const found = await store.service.objects.read(call, key(path.bucket, path.path));
  if (!found.ok) return found.rejection.code;
  const blob = await found.value.open();
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.bytes()) chunks.push(Uint8Array.from(chunk));
    return Buffer.concat(chunks);
  } finally {
    await blob.close();
  }
}

export async function createBucket(
  { store }: Rig,
  call: Call,
  name: string,
  settings: Partial<Parameters<Store['service']['buckets']['create']>[2]> = {},
) {
  return store.service.buckets.create(call, name as BucketName, {
    policy: 'private',
    write_policy: 'owner',
    allowed_mime_types: null,
    max_file_size: null,
    ...settings,
  });
}

/** Runs a job to its end; what it found, or a throw with the reason why it did not. */
export async function runJob({ store }: Rig, kind: string, options: JobOptions = {}) {
  const started = await store.service.admin.startJob(service, kind, options);
  if (!started.ok) throw new Error(`${started.rejection.code}: ${started.rejection.message}`);
  const job = await store.jobs.ended(started.value.id);
  if (job?.state !== 'done') throw new Error(`${kind} ${job?.state}: ${job?.error}`);
  return job.result as Record<string, unknown>;
}

/** Every path that the caller is shown. */
export async function pathsIn({ store }: Rig, call: Call, bucket: string): Promise<string[]> {
  const page = await store.service.objects.list(call, {
    bucket: bucket as BucketName,
    prefix: '',
    limit: 1000,
  });
  return page.ok ? page.value.objects.map(({ path }) => path) : [page.rejection.code];
}

async function* chunksOf(bytes: Uint8Array, chunkBytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    yield bytes.subarray(offset, offset + chunkBytes);
  }
}

function hex(random: () => number, digits: number): string {
  let text = '';
  while (text.length < digits) text += Math.floor(random() * 16).toString(16);
  return text;
}

function noting(alarms: string[]): ObserveWithCounts {
  const counts = { service_bypass: 0, policy_denial: 0, missing_blob: 0, auth_failure: 0 };
  const note = (message: string, facts?: object) =>
    void alarms.push(facts ? `${message} ${JSON.stringify(facts)}` : message);
  return {
    debug() {},
    info() {},
    warn: note,
    error: note,
    count: (counter) => {
      counts[counter] += 1;
    },
    counts: () => ({ ...counts }),
  };
}

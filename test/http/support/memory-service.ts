/**
 * A Service in memory, on the domain's own decisions, that tells what happened to it: which uploads
 * were begun and stored, which blobs are open. Not the real one, so that the door is tested alone.
 */
import { createHash } from 'node:crypto';
import { BlobDamaged, BlobMissing } from '../../../src/blobs/blob-store.ts';
import type { BucketRow } from '../../../src/domain/bucket.ts';
import { noTotals } from '../../../src/domain/bucket.ts';
import {
  decideCreate,
  decideDeleteBucket,
  decideEmpty,
  decideUpdate,
} from '../../../src/domain/bucket-decisions.ts';
import { callerId } from '../../../src/domain/caller.ts';
import type { BlobId, BucketUid, ObjectId, Position } from '../../../src/domain/names.ts';
import type { ObjectRow } from '../../../src/domain/object.ts';
import { admitUpload, decideDelete, tooLarge } from '../../../src/domain/object-decisions.ts';
import { authorize, seesBucket } from '../../../src/domain/policy.ts';
import { rejection } from '../../../src/domain/rejection.ts';
import { ok, type Result, refuse } from '../../../src/domain/result.ts';
import {
  type Admin,
  BodyRefused,
  type Buckets,
  type Health,
  type ObjectListing,
  type Objects,
  type Service,
} from '../../../src/service/service.ts';
import type { Job } from '../../../src/service/upkeep/jobs.ts';

export interface MemoryService extends Service {
  readonly rows: Map<string, BucketRow>;
  readonly objects_: Map<string, ObjectRow & { readonly bytes: Buffer }>;
  /** How often a body was begun to be read, was done with, and was stored; and the open blobs. */
  readonly counts: { begun: number; ended: number; stored: number; open: number };
  /** The changes without an upload that were asked for. */
  readonly asked: object[];
  /** The last listing asked for. */
  lastListing: ObjectListing | undefined;
  /** What the next opened blob does instead of giving its bytes. */
  fault: 'missing' | 'damaged at once' | 'damaged later' | undefined;
  health_: Health;
}

export const maxFileSizeBytes = 8 * 1024 * 1024;
const chunkBytes = 64 * 1024;

export function memoryService(): MemoryService {
  const state = {
    rows: new Map<string, BucketRow>(),
    objects_: new Map<string, ObjectRow & { readonly bytes: Buffer }>(),
    counts: { begun: 0, ended: 0, stored: 0, open: 0 },
    asked: [] as object[],
    lastListing: undefined as ObjectListing | undefined,
    fault: undefined as MemoryService['fault'],
    health_: { status: 'ready', reasons: [] } as Health,
  };
  const clock = createClock();
  const service = state as unknown as MemoryService;
  return Object.assign(service, {
    buckets: memoryBuckets(service, clock),
    objects: memoryObjects(service, clock),
    admin: memoryAdmin(),
    health: () => service.health_,
  });
}

function createClock() {
  let position = 0;
  return {
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    next: () => {
      position += 1;
      return position as Position;
    },
  };
}
type TestClock = ReturnType<typeof createClock>;

function memoryBuckets({ rows, objects_ }: MemoryService, clock: TestClock): Buckets {
  const heldBy = (name: string) =>
    [...objects_.keys()].filter((key) => key.startsWith(`${name}\n`));
  const state = (name: string) => ({
    bucket: rows.get(name),
    totals: { ...noTotals, count: heldBy(name).length },
  });
  return {
    async create({ caller }, name, settings) {
      const uid = crypto.randomUUID() as BucketUid;
      const bucketCreators = 'authenticated';
      const decided = decideCreate(state(name), { caller, name, settings, uid, bucketCreators });
      if (!decided.ok) return decided;
      const position = clock.next();
      const at = clock.now();
      const bucket = {
        ...decided.value.bucket,
        keyspace: position,
        created_at: at,
        updated_at: at,
      };
      rows.set(name, bucket);
      return ok({ bucket, position });
    },
    async get({ caller }, name) {
      const bucket = rows.get(name);
      const { refusal } = authorize({ caller, action: 'bucket.see', bucket });
      if (refusal || !bucket) return refuse(refusal ?? rejection('NoSuchBucket'));
      return ok(bucket);
    },
    async list({ caller }, { limit, offset }) {
      const seen = [...rows.values()].filter((bucket) => seesBucket(caller, bucket));
      return ok(seen.slice(offset, offset + limit));
    },
    async update({ caller }, name, changes) {
      const decided = decideUpdate(state(name), { caller, changes });
      if (!decided.ok) return decided;
      const before = rows.get(name);
      if (!before) return refuse(rejection('NoSuchBucket'));
      const bucket = { ...before, ...decided.value?.bucket };
      rows.set(name, bucket);
      return ok({ bucket, position: clock.next() });
    },
    async empty({ caller }, name) {
      const decided = decideEmpty(state(name), { caller });
      if (!decided.ok) return decided;
      for (const key of heldBy(name)) objects_.delete(key);
      return ok({ deleted: decided.value.count, position: clock.next() });
    },
    async remove({ caller }, name, { force }) {
      const decided = decideDeleteBucket(state(name), { caller, force });
      if (!decided.ok) return decided;
      rows.delete(name);
      return ok({ position: clock.next() });
    },
  };
}

function memoryObjects(service: MemoryService, clock: TestClock): Objects {
  const { rows, objects_, counts, asked } = service;
  const keyOf = (key: { bucket: string; path: string }) => `${key.bucket}\n${key.path}`;
  const stateOf = (key: { bucket: string; path: string }) => ({
    bucket: rows.get(key.bucket),
    object: objects_.get(keyOf(key)),
  });
  return {
    async admit({ caller }, intent) {
      const contentType = intent.contentType || 'text/x-guessed';
      const { sizeBytes, conditions } = intent;
      const admitted = admitUpload(stateOf(intent), {
        caller,
        contentType,
        sizeBytes,
        conditions,
        maxFileSizeBytes,
      });
      return admitted.ok ? ok({ intent, contentType, ...admitted.value }) : admitted;
    },
    async store({ caller }, { intent, contentType, maxBytes }, body) {
      counts.begun += 1;
      const chunks: Uint8Array[] = [];
      let size = 0;
      try {
        for await (const chunk of body.bytes) {
          size += chunk.byteLength;
          if (size > maxBytes) return refuse(tooLarge(maxBytes));
          chunks.push(Buffer.from(chunk));
          // A disk is slower than a socket: bodies must wait for it.
          await new Promise((resolve) => setImmediate(resolve));
        }
      } catch (error) {
        if (error instanceof BodyRefused) return refuse(error.rejection);
        throw error;
      } finally {
        counts.ended += 1;
      }
      const details = await body.details();
      if (!details.ok) return details;
      counts.stored += 1;
      const bytes = Buffer.concat(chunks);
      const before = objects_.get(keyOf(intent));
      const object = {
        id: (before?.id ?? crypto.randomUUID()) as ObjectId,
        path: intent.path,
        owner_id: callerId(caller),
        content_type: details.value.contentType ?? contentType,
        size,
        etag: createHash('sha256').update(bytes).digest('hex'),
        blob_id: 'blob' as BlobId,
        version: crypto.randomUUID(),
        cache_control: details.value.cacheControl,
        metadata: details.value.metadata,
        created_at: clock.now(),
        updated_at: clock.now(),
        position: clock.next(),
      };
      objects_.set(keyOf(intent), { ...object, bytes });
      return ok({ object, position: object.position });
    },
    async read({ caller }, key, { publicOnly = false } = {}) {
      const { bucket, object } = stateOf(key);
      if (publicOnly && bucket?.policy !== 'public') return refuse(rejection('NoSuchBucket'));
      const { refusal } = authorize({ caller, action: 'object.read', bucket, object });
      if (refusal || !bucket || !object) return refuse(refusal ?? rejection('NoSuchKey'));
      return ok({ bucket, object, open: async () => openBlob(service, object.bytes) });
    },
    async remove({ caller }, key, expected = {}) {
      const decided = decideDelete(stateOf(key), { caller, ...expected });
      if (!decided.ok) return decided;
      objects_.delete(keyOf(key));
      return ok({ position: clock.next() });
    },
    ...memoryChanges(service, clock),
    async browse(call, browsing) {
      asked.push({ call, ...browsing });
      return ok({ entries: [], next: undefined });
    },
    async list({ caller }, listing) {
      service.lastListing = listing;
      const bucket = rows.get(listing.bucket);
      const { refusal } = authorize({ caller, action: 'object.list', bucket });
      if (refusal) return refuse(refusal);
      const all = [...objects_.entries()]
        .filter(([key]) => key.startsWith(`${listing.bucket}\n${listing.prefix}`))
        .map(([, row]) => row)
        .filter(({ path }) => path > (listing.after?.value ?? ''))
        .sort((left, right) => (left.path < right.path ? -1 : 1));
      const objects = all.slice(0, listing.limit);
      const last = objects.at(-1);
      const next =
        all.length > objects.length && last
          ? { kind: 'path' as const, value: last.path }
          : undefined;
      return ok({ objects, prefixes: [], next });
    },
  };
}

/** What was asked for, and an answer of its kind: the use cases themselves have their own tests. */
function memoryChanges(
  { objects_, asked }: MemoryService,
  clock: TestClock,
): Pick<Objects, 'removeMany' | 'copy' | 'move' | 'patch'> {
  const answer = (key: { bucket: string; path: string }) => {
    const object = objects_.get(`${key.bucket}\n${key.path}`);
    return object ? ok({ object, position: clock.next() }) : refuse(rejection('NoSuchKey'));
  };
  return {
    async removeMany(call, bucket, paths) {
      asked.push({ call, bucket, paths });
      const rows = paths.flatMap((path) => objects_.get(`${bucket}\n${path}`) ?? []);
      const skipped = paths.length - rows.length;
      return ok({ position: clock.next(), rows, deleted: rows.length, skipped });
    },
    async copy(call, transfer) {
      asked.push({ call, ...transfer });
      return answer(transfer.source);
    },
    async move(call, transfer) {
      asked.push({ call, ...transfer });
      return answer(transfer.source);
    },
    async patch(call, key, patch) {
      asked.push({ call, ...key, ...patch });
      return answer(key);
    },
  };
}

function openBlob(service: MemoryService, bytes: Buffer) {
  const { fault, counts } = service;
  if (fault === 'missing') throw new BlobMissing('/secret/path is gone');
  counts.open += 1;
  return {
    async *bytes(range = { start: 0, end: bytes.byteLength - 1 }) {
      if (fault === 'damaged at once') throw new BlobDamaged('/secret/path is damaged');
      // One buffer for all chunks, as a producer may do: who keeps a chunk sees it change.
      const buffer = Buffer.alloc(chunkBytes);
      for (let at = range.start; at <= range.end; at += chunkBytes) {
        if (fault === 'damaged later' && at > range.start) throw new BlobDamaged('damaged');
        const copied = bytes.copy(buffer, 0, at, Math.min(at + chunkBytes, range.end + 1));
        yield buffer.subarray(0, copied);
      }
    },
    async close() {
      counts.open -= 1;
    },
  };
}

const memoryJob: Job = {
  id: 'job-1',
  kind: 'sweep',
  state: 'running',
  progress: { done: 1, total: 2 },
  result: null,
  error: null,
  started_at: '2026-01-02T03:04:05.678Z',
  ended_at: null,
};

function memoryAdmin(): Admin {
  const refuseOthers = <T>(kind: string, value: T): Result<T> =>
    kind === 'service' ? ok(value) : refuse(rejection('AccessDenied', 'Only the service role'));
  return {
    status: async ({ caller }) => refuseOthers(caller.kind, { version: '1' } as never),
    recovery: async ({ caller }) => refuseOthers(caller.kind, { tookMs: 1 } as never),
    digest: async ({ caller }) =>
      refuseOthers(caller.kind, { digest: 'abc', position: 1 as Position }),
    startJob: async ({ caller }, kind, options) => {
      const job = { ...memoryJob, kind, result: options };
      const allowed = refuseOthers(caller.kind, job);
      if (!allowed.ok || kind === memoryJob.kind) return allowed;
      return refuse(rejection('InvalidRequest', `The field "kind": there is no kind "${kind}"`));
    },
    jobs: async ({ caller }) => refuseOthers(caller.kind, [memoryJob]),
    job: async ({ caller }, id) =>
      refuseOthers(caller.kind, id === memoryJob.id ? memoryJob : undefined),
    cancelJob: async ({ caller }, id) =>
      refuseOthers(
        caller.kind,
        id === memoryJob.id ? { ...memoryJob, state: 'cancelled' } : undefined,
      ),
  };
}

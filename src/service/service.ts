/**
 * The use cases, as the doors above see them. Every method decides access by domain/policy before
 * it does anything; a refusal is a value, a fault throws.
 */
import type { ByteStream, OpenBlob } from '../blobs/blob-store.ts';
import type { BucketRow, BucketSettings, Totals } from '../domain/bucket.ts';
import type { BucketChanges } from '../domain/bucket-decisions.ts';
import type { Caller } from '../domain/caller.ts';
import type { Idempotency } from '../domain/events.ts';
import type { BucketName, ObjectPath, Position } from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import type { ObjectChanges } from '../domain/object-decisions.ts';
import type { Expected, WriteConditions } from '../domain/preconditions.ts';
import type { Rejection } from '../domain/rejection.ts';
import type { Result } from '../domain/result.ts';
import type { UploadClaims } from '../domain/signed-urls/token.ts';
import type { BrowsePage, BrowseQuery, ListMark, ListPage } from '../views/views.ts';
import type { Consumers } from './consumers/consumers.ts';
import type { ProcessFigures } from './guard/process-figures.ts';
import type { Queries } from './query/queries.ts';
import type { SignedUrls } from './signed-urls/signed-urls.ts';
import type { Subscriptions } from './subscriptions/subscriptions.ts';
import type { Job, JobOptions } from './upkeep/jobs.ts';
import type { UpkeepFigures } from './upkeep/upkeep.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

/** Who asks, in which request. */
export interface Call {
  readonly caller: Caller;
  readonly requestId: string;
  /** Where the request carried a key: a repeat is answered as the first was, and changes nothing. */
  readonly idempotency?: Idempotency;
}

/** A change that is durable and visible at `position`. */
export interface Changed {
  readonly position: Position;
}

export interface BucketListing {
  readonly limit: number;
  readonly offset: number;
  /** Case-insensitive part of the name. */
  readonly search: string;
  readonly sortColumn: 'id' | 'name' | 'created_at' | 'updated_at';
  readonly sortOrder: 'asc' | 'desc';
}

export interface Buckets {
  create(
    call: Call,
    name: BucketName,
    settings: BucketSettings,
  ): Promise<Result<Changed & { readonly bucket: BucketRow }>>;
  get(call: Call, name: BucketName): Promise<Result<BucketRow>>;
  list(call: Call, listing: BucketListing): Promise<Result<readonly BucketRow[]>>;
  update(
    call: Call,
    name: BucketName,
    changes: BucketChanges,
  ): Promise<Result<Changed & { readonly bucket: BucketRow }>>;
  empty(call: Call, name: BucketName): Promise<Result<Changed & { readonly deleted: number }>>;
  remove(
    call: Call,
    name: BucketName,
    options: { readonly force: boolean },
  ): Promise<Result<Changed>>;
}

export interface ObjectKey {
  readonly bucket: BucketName;
  readonly path: ObjectPath;
}

/** What is known of an upload before its bytes: the request line and headers, or the part's header. */
export interface UploadIntent extends ObjectKey {
  /** As it was sent; '' where it was not, and is then guessed from the path. */
  readonly contentType: string;
  /** Bytes, as declared; undefined where the body has no declared length. */
  readonly sizeBytes: number | undefined;
  readonly conditions: WriteConditions;
  /** Of an upload by a signed URL. */
  readonly grant?: UploadGrant;
}

/** What a signed URL lets its holder upload, in its issuer's name. */
export interface UploadGrant {
  readonly claims: UploadClaims;
  /** Why it may not be used, asked again under the locks. */
  refuse(): Promise<Rejection | undefined>;
}

/** A decided intent; `store` decides again with the bytes at hand. */
export interface Admission {
  readonly intent: UploadIntent;
  /** undefined for a repeat of an idempotent upload, which nothing but its body decides. */
  readonly bucket: BucketRow | undefined;
  readonly contentType: string;
  /** The most bytes that the body may have. */
  readonly maxBytes: number;
}

/** What may come after the bytes: form fields, a checked digest. */
export interface UploadDetails {
  /** Replaces the admitted one where given. */
  readonly contentType?: string;
  readonly cacheControl: string | null;
  /** JSON text. */
  readonly metadata: string | null;
}

export interface UploadBody {
  readonly bytes: ByteStream;
  /** Called once the last byte has been read, before the commit. */
  readonly details: () => Promise<Result<UploadDetails>>;
  readonly signal?: AbortSignal;
}

/** An object that the caller may read. Its bytes stay readable once opened, whatever becomes of it. */
export interface ReadableObject {
  readonly bucket: BucketRow;
  readonly object: ObjectRow;
  /** Throws BlobMissing, BlobDamaged or Refused. */
  open(): Promise<OpenBlob>;
}

export interface ObjectListing {
  readonly bucket: BucketName;
  readonly prefix: string;
  readonly delimiter?: string;
  readonly after?: ListMark;
  readonly limit: number;
}

export type ObjectBrowsing = Omit<BrowseQuery, 'keyspace' | 'ownerId'> & {
  readonly bucket: BucketName;
};

/** From one path to another, perhaps of another bucket. */
export interface Transfer {
  readonly source: ObjectKey;
  readonly target: ObjectKey;
  /** False refuses a target that holds an object. */
  readonly overwrite: boolean;
  /** JSON text in place of the source's; null for none. The source's goes along where left out. */
  readonly metadata?: string | null;
}

export interface Patch extends Expected {
  /** A content type of null is guessed from the path. */
  readonly changes: Pick<ObjectChanges, 'metadata' | 'cache_control'> & {
    readonly content_type?: string | null;
  };
  readonly ifVersion?: string | undefined;
}

export type ChangedObject = Changed & { readonly object: ObjectRow };

export interface ManyRemoved extends Changed {
  /** Of the deleted, those that the caller may read, as they were. */
  readonly rows: readonly ObjectRow[];
  readonly deleted: number;
  /** Paths that hold nothing, or nothing that the caller may delete. */
  readonly skipped: number;
}

export interface Objects {
  /** Decides an upload before a byte of it is read. */
  admit(call: Call, intent: UploadIntent): Promise<Result<Admission>>;
  /** Streams the body to disk and commits it. `bytes` may throw `BodyRefused`. */
  store(call: Call, admission: Admission, body: UploadBody): Promise<Result<ChangedObject>>;
  read(
    call: Call,
    key: ObjectKey,
    /** `publicOnly`: a bucket of another policy is as good as missing. */
    options?: { readonly publicOnly?: boolean },
  ): Promise<Result<ReadableObject>>;
  remove(call: Call, key: ObjectKey, expected?: Expected): Promise<Result<Changed>>;
  /** All that the caller may delete, in one frame; a path that is named twice counts once. */
  removeMany(
    call: Call,
    bucket: BucketName,
    paths: readonly ObjectPath[],
  ): Promise<Result<ManyRemoved>>;
  copy(call: Call, transfer: Transfer): Promise<Result<ChangedObject>>;
  move(call: Call, transfer: Transfer): Promise<Result<ChangedObject>>;
  patch(call: Call, key: ObjectKey, patch: Patch): Promise<Result<ChangedObject>>;
  list(call: Call, listing: ObjectListing): Promise<Result<ListPage>>;
  /** Refused where it would read too much. */
  browse(call: Call, browsing: ObjectBrowsing): Promise<Result<BrowsePage>>;
}

export interface Health {
  readonly status: 'ready' | 'degraded' | 'not_ready';
  /** Why it is not plainly ready, one phrase each. */
  readonly reasons: readonly string[];
}

/** What start-up found and did: counts, bytes, and milliseconds for what took time. */
export interface RecoveryReport {
  readonly took_ms: number;
  readonly log_segments: number;
  /** Bytes of a torn last frame that were cut off; the original is kept as `.broken`. */
  readonly torn_bytes: number;
  readonly set_aside: readonly string[];
  /** How the views were found: trusted after a clean stop, replayed from a fence, or built anew. */
  readonly views: 'clean' | 'fence' | 'rebuilt';
  readonly replayed_from: Position;
  readonly replayed_records: number;
  readonly published_blobs: number;
  readonly removed_staging: number;
  readonly drains_resumed: number;
  /** Current rows without their bytes; null until the check, which runs beside requests, has ended. */
  readonly missing_blobs: number | null;
}

export interface StoreStatus {
  readonly version: string;
  readonly node_id: string;
  readonly started_at: string;
  readonly health: Health;
  readonly epoch: number;
  readonly positions: {
    readonly head: Position;
    readonly applied: Position;
    readonly finalized: Position;
    readonly oldest: Position;
  };
  readonly buckets: number;
  readonly totals: Totals;
  readonly drains: number;
  readonly upkeep: UpkeepFigures;
  readonly counters: Readonly<Record<string, number>>;
  readonly process: ProcessFigures;
}

/** The service role's view of the store. */
export interface Admin {
  status(call: Call): Promise<Result<StoreStatus>>;
  recovery(call: Call): Promise<Result<RecoveryReport>>;
  digest(call: Call): Promise<Result<{ readonly digest: string; readonly position: Position }>>;
  /** Answers the one that runs already, where it has the same kind and options. */
  startJob(call: Call, kind: string, options: JobOptions): Promise<Result<Job>>;
  /** The latest first. */
  jobs(call: Call): Promise<Result<readonly Job[]>>;
  job(call: Call, id: string): Promise<Result<Job | undefined>>;
  /** Resolves once it has ended. */
  cancelJob(call: Call, id: string): Promise<Result<Job | undefined>>;
}

export interface Service {
  readonly buckets: Buckets;
  readonly objects: Objects;
  readonly signedUrls: SignedUrls;
  readonly queries: Queries;
  readonly subscriptions: Subscriptions;
  readonly consumers: Consumers;
  readonly webhooks: Webhooks;
  readonly admin: Admin;
  health(): Health;
}

/** A refusal where no result can be answered. */
export class Refused extends Error {
  override readonly name: string = 'Refused';
  readonly rejection: Rejection;

  constructor(rejection: Rejection, options?: ErrorOptions) {
    super(rejection.code, options);
    this.rejection = rejection;
  }
}

/** Thrown by the bytes of an upload to end it with a refusal of the door's own making. */
export class BodyRefused extends Refused {
  override readonly name = 'BodyRefused';
}

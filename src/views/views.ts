/**
 * What can be read from the views. All of it is a function of the log up to `applied`, and reads of
 * one call come from one snapshot.
 */
import type { BucketFacts, BucketRow, Totals } from '../domain/bucket.ts';
import type { ConsumerRow } from '../domain/consumers/consumer.ts';
import type {
  Actor,
  Crcs,
  Idempotency,
  SubscriptionOwner,
  TokenRevoked,
} from '../domain/events.ts';
import type {
  BlobId,
  BucketName,
  BucketUid,
  KeyspaceId,
  ObjectId,
  ObjectPath,
  Position,
} from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import type { WebhookRow } from '../domain/webhooks/webhook.ts';

/** Where a list goes on: after a path, or after everything that begins with a common prefix. */
export interface ListMark {
  readonly kind: 'path' | 'prefix';
  readonly value: string;
}

export interface ListQuery {
  readonly keyspace: KeyspaceId;
  /** Only paths that begin with this; '' for all. */
  readonly prefix: string;
  /** Paths that hold it after the prefix are rolled up into one common prefix each. */
  readonly delimiter?: string;
  readonly after?: ListMark;
  /** By the UTF-8 bytes of the path; ascending unless told. */
  readonly order?: 'asc' | 'desc';
  /** Objects and prefixes together, at most. */
  readonly limit: number;
  /** Only this owner's objects, found by the owner index without a scan. */
  readonly ownerId?: string;
}

export interface ListPage {
  readonly objects: readonly ObjectRow[];
  readonly prefixes: readonly string[];
  /** undefined at the end. */
  readonly next: ListMark | undefined;
}

/** Where a walk begins or ends: at a path, or at a time and perhaps an id of that time. */
export interface WalkEdge {
  readonly at: string | { readonly createdAt: number; readonly id?: ObjectId };
  /** `beyond`: behind everything that begins with it. */
  readonly edge: 'before' | 'after' | 'beyond';
}

/** Rows of one keyspace in the order of one of its indexes. */
export interface WalkQuery {
  readonly keyspace: KeyspaceId;
  /** `path` and `owner` go by the UTF-8 bytes of the path, `created_at` by time, then id. */
  readonly by:
    | { readonly index: 'path' }
    | { readonly index: 'owner'; readonly ownerId: string }
    | { readonly index: 'created_at' };
  readonly direction: 'asc' | 'desc';
  /** The lower edge of what is walked through, whatever the direction; a path for `path` and `owner`. */
  readonly from?: WalkEdge;
  readonly to?: WalkEdge;
}

export interface Walk {
  /** The next row; undefined at the end. */
  next(): Promise<ObjectRow | undefined>;
  close(): Promise<void>;
}

/** The views as they are at one moment, whatever is written meanwhile. */
export interface Moment {
  bucket(name: BucketName): BucketRow | undefined;
  /** Every bucket, in order of name by UTF-8 bytes. */
  buckets(): Promise<BucketRow[]>;
  /** Where an owner has objects; among them may be keyspaces that no bucket names any more. */
  keyspacesOf(ownerId: string): Promise<KeyspaceId[]>;
  walk(query: WalkQuery): Walk;
}

/** What a token was signed for; its id left out where none in particular is meant. */
export interface TokenPlace {
  readonly jti?: string;
  readonly bucket_uid: BucketUid;
  readonly path: ObjectPath | null;
}

export type RevocationRow = Omit<TokenRevoked, 'type'>;

export interface BrowseQuery extends Omit<ListQuery, 'after'> {
  /** How what stands behind the prefix begins, in any case; '' for all. */
  readonly search: string;
  /** By a time, prefixes come first. */
  readonly by: 'path' | 'created_at' | 'updated_at';
  readonly order: 'asc' | 'desc';
  readonly offset: number;
  readonly after?: BrowseMark;
}

/** Where a browsing goes on: `time` is that of the last row, where a time orders them. */
export interface BrowseMark extends ListMark {
  readonly time: number;
}

export interface BrowsePage {
  readonly entries: readonly (
    | { readonly kind: 'prefix'; readonly value: string }
    | { readonly kind: 'object'; readonly row: ObjectRow }
  )[];
  /** undefined at the end. */
  readonly next: BrowseMark | undefined;
}

/** An old keyspace whose rows still have to be deleted by records of their own. */
export interface Drain {
  readonly keyspace: KeyspaceId;
  readonly bucket: BucketFacts;
  readonly cause: { readonly type: string; readonly position: Position };
}

/** History and releases that are old enough to go. */
export interface Due {
  /** All up to here may go. */
  readonly position: Position;
  /** The blobs that were released up to there; some may be in use again. */
  readonly blobIds: readonly BlobId[];
}

/** What an `i` row remembers of a request that was done. */
export interface IdempotencyRow {
  readonly request_hash: Idempotency['request_hash'];
  readonly position: Position;
  /** Its commit, Unix ms. */
  readonly time: number;
  /** What the use case answered, besides the position. */
  readonly answer: Readonly<Record<string, unknown>>;
}

export interface ObjectPlace {
  readonly keyspace: KeyspaceId;
  readonly path: ObjectPath;
  readonly position: Position;
}

export interface Views {
  /** The position up to which the log is applied. */
  readonly applied: Position;
  bucket(name: BucketName): BucketRow | undefined;
  /** Every bucket, in order of name by UTF-8 bytes. */
  buckets(): Promise<BucketRow[]>;
  totals(keyspace: KeyspaceId): Totals;
  object(keyspace: KeyspaceId, path: ObjectPath): ObjectRow | undefined;
  list(query: ListQuery): Promise<ListPage>;
  /** As `list`, by another order, by a part of the name, or from an offset; undefined: too much to read. */
  browse(query: BrowseQuery): Promise<BrowsePage | undefined>;
  /**
   * True where a caller owns at least one object in the keyspace. A promise, unlike the other point
   * reads: it asks whether a range holds anything, and LevelDB answers that off the main thread only.
   */
  ownsAny(keyspace: KeyspaceId, ownerId: string): Promise<boolean>;
  /** Reads that must agree with each other. What `use` opened is closed when it ends. */
  read<T>(use: (moment: Moment) => Promise<T>): Promise<T>;
  crcs(blobId: BlobId): Crcs | undefined;
  /** True where a current row refers to the blob or it was released and is still retained. */
  isRetained(blobId: BlobId): boolean;
  /**
   * True where any of the rows that tell of a blob is there: its CRCs, a reference, its last release.
   * For who would take its bytes away: a row that was lost to damage does not make it an orphan.
   */
  knowsBlob(blobId: BlobId): Promise<boolean>;
  /**
   * What was committed at `untilMs` or before, from the oldest on: about `limit` rows of each kind, so
   * that one record never removes more; undefined where nothing is due.
   */
  due(untilMs: number, limit: number): Promise<Due | undefined>;
  /** What is remembered of a request that the actor made with the key. */
  idempotent(actor: Pick<Actor, 'role' | 'sub'>, key: string): IdempotencyRow | undefined;
  /** The row that the record at `position` made, while history holds it. */
  objectAt(place: ObjectPlace): ObjectRow | undefined;
  /** True where a record says that the token, which was for one use, had it. */
  isTokenUsed(jti: string): boolean;
  /** Every revocation that may concern a token of this id, bucket and path. */
  revocations(token: TokenPlace): Promise<RevocationRow[]>;
  consumer(owner: SubscriptionOwner, name: string): ConsumerRow | undefined;
  /** The owner's, or everybody's. */
  consumers(owner?: SubscriptionOwner): Promise<ConsumerRow[]>;
  webhook(id: string): WebhookRow | undefined;
  /** Everybody's, in order of id. */
  webhooks(): Promise<WebhookRow[]>;
  drains(): Promise<Drain[]>;
  /** Up to `limit` rows of a keyspace, in path order: for draining. */
  rowsOf(keyspace: KeyspaceId, limit: number): Promise<ObjectRow[]>;
  /** Every current object row, in key order, with its keyspace: for checks over the whole store. */
  everyObject(): AsyncIterable<{ readonly keyspace: KeyspaceId; readonly row: ObjectRow }>;
  /** BLAKE3 over all rows but the views' own (id, applied position), hex. */
  digest(): Promise<string>;
}

/** A row's bytes are not what was written: the views must be rebuilt. */
export class ViewsDamaged extends Error {
  override readonly name = 'ViewsDamaged';
}

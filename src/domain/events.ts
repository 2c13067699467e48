/**
 * The records of the log: what happened, in the past tense, with every fact that a later reader
 * needs. docs/metadata-model.md holds the table; a golden file per type and version is decoded by a
 * test forever. A field is never renamed or given another meaning: a new shape is a new `v` and an
 * upcast in journal/.
 *
 * The keyspace that a record opens has that record's own position as its id and is not repeated in
 * the record (bucket.created, bucket.emptied, and the first object.restored of a restore).
 */
import type { BucketFacts, BucketRow } from './bucket.ts';
import type { BlobId, BucketUid, KeyspaceId, ObjectId, ObjectPath, Position } from './names.ts';
import type { ObjectFacts, ObjectRow, PreviousObject } from './object.ts';

/** Who did it. `system` is the store itself: draining, retention, recovery. */
export interface Actor {
  readonly sub: string | null;
  readonly role: 'anonymous' | 'user' | 'service' | 'system';
  readonly request_id: string | null;
}

export interface Idempotency {
  readonly key: string;
  /** BLAKE3 of what was asked, hex. */
  readonly request_hash: string;
}

/** CRC-32 of each 256 KiB of a blob, 4 bytes little-endian each. */
export type Crcs = Uint8Array;

export interface StoreOpened {
  readonly type: 'store.opened';
  /** The program's version. */
  readonly version: string;
  readonly node_id: string;
  /** Counts of the start-up recovery, by name. */
  readonly recovery: Readonly<Record<string, number>>;
}

export interface BucketCreated {
  readonly type: 'bucket.created';
  readonly bucket: Omit<BucketRow, 'keyspace' | 'created_at' | 'updated_at'>;
}

export interface BucketUpdated {
  readonly type: 'bucket.updated';
  readonly bucket: Omit<BucketRow, 'updated_at'>;
  readonly previous: BucketRow;
  /** The names of the settings that have another value now. */
  readonly changed: readonly string[];
}

/** `count` and `bytes` are what the old keyspace held. */
export interface BucketEmptied {
  readonly type: 'bucket.emptied';
  readonly bucket: BucketRow;
  readonly old_keyspace: KeyspaceId;
  readonly count: number;
  readonly bytes: number;
}

export interface BucketDeleted {
  readonly type: 'bucket.deleted';
  readonly bucket: BucketRow;
  readonly old_keyspace: KeyspaceId;
  readonly count: number;
  readonly bytes: number;
}

/** A restore became visible: the bucket's rows are now those of `new_keyspace`. */
export interface BucketSwitched {
  readonly type: 'bucket.switched';
  readonly bucket: BucketRow;
  readonly old_keyspace: KeyspaceId;
  readonly new_keyspace: KeyspaceId;
  readonly count: number;
  readonly bytes: number;
  readonly as_of: Position;
  readonly cause: string;
}

export interface ObjectStored {
  readonly type: 'object.stored';
  readonly bucket: BucketFacts;
  readonly keyspace: KeyspaceId;
  /** `created_at` is that of the first upload, null where this is the first. */
  readonly object: ObjectFacts & { readonly crcs: Crcs; readonly created_at: number | null };
  readonly previous: PreviousObject | null;
  /** Of a copy: where it came from. A copy shares its source's blob. */
  readonly source: {
    readonly bucket: BucketFacts;
    readonly path: ObjectPath;
    readonly id: ObjectId;
    readonly owner_id: string | null;
  } | null;
  /** Of a bringing back: the position or version that was asked for. */
  readonly restored_from: string | null;
  /** Of an upload by a signed URL: the token's id, used up by this record where `once`. */
  readonly token: {
    readonly jti: string;
    readonly once: boolean;
    readonly expires_at: number;
  } | null;
}

export interface ObjectPatched {
  readonly type: 'object.patched';
  readonly bucket: BucketFacts;
  readonly keyspace: KeyspaceId;
  /** The whole new row without what the commit adds. */
  readonly object: Omit<ObjectRow, 'updated_at' | 'position'>;
  readonly previous: PreviousObject;
  readonly changed: readonly string[];
}

export interface Place {
  readonly bucket: BucketFacts;
  readonly keyspace: KeyspaceId;
  readonly path: ObjectPath;
}

export interface ObjectMoved {
  readonly type: 'object.moved';
  readonly from: Place;
  readonly to: Place;
  /** The row under its new path. */
  readonly object: Omit<ObjectRow, 'updated_at' | 'position'>;
  /** The position of the row that left `from`. */
  readonly from_position: Position;
  /** What the target held. */
  readonly previous: (PreviousObject & { readonly id: ObjectId }) | null;
}

export interface ObjectDeleted {
  readonly type: 'object.deleted';
  readonly bucket: BucketFacts;
  readonly keyspace: KeyspaceId;
  readonly id: ObjectId;
  readonly path: ObjectPath;
  readonly previous: PreviousObject;
  /** Why, where the object went with its bucket: the path may live again by now. */
  readonly cause: { readonly type: string; readonly position: Position } | null;
}

/** A row written into a keyspace that no bucket names yet; null opens one at its own position. */
export interface ObjectRestored {
  readonly type: 'object.restored';
  readonly bucket: BucketFacts;
  readonly keyspace: KeyspaceId | null;
  readonly object: ObjectRow & { readonly crcs: Crcs };
}

export interface TokenUsed {
  readonly type: 'token.used';
  readonly jti: string;
  readonly bucket_uid: BucketUid;
  readonly path: ObjectPath;
  /** Unix ms; the use may be forgotten after it. */
  readonly expires_at: number;
}

/** Revokes one token (`jti`) or all of a bucket or path that were issued up to `issued_before`. */
export interface TokenRevoked {
  readonly type: 'token.revoked';
  readonly jti: string | null;
  readonly bucket_uid: BucketUid;
  readonly path: ObjectPath | null;
  /** Unix ms, inclusive. */
  readonly issued_before: number | null;
  readonly expires_at: number;
}

export interface EventFilter {
  readonly bucket: string | null;
  readonly prefix: string | null;
  readonly types: readonly string[] | null;
}

/**
 * Who made a consumer or a webhook, and as whom its events are decided. A user and a service of the
 * same name are two.
 */
export interface SubscriptionOwner {
  readonly owner_role: 'user' | 'service';
  readonly owner_id: string | null;
}

/** Made, or given another filter. */
export interface ConsumerDefined extends SubscriptionOwner {
  readonly type: 'consumer.defined';
  /** Of this life of the name: its cursor is kept under it. */
  readonly id: string;
  readonly name: string;
  readonly filter: EventFilter;
  /** Events after it are the consumer's; null for those after this record. */
  readonly from: Position | null;
  /** Unix ms; null where this record makes it. */
  readonly created_at: number | null;
}

export interface ConsumerRemoved extends SubscriptionOwner {
  readonly type: 'consumer.removed';
  readonly name: string;
}

/** `disabled` by the store itself, for a `reason`; `paused` by its owner. */
export const webhookStates = ['active', 'paused', 'disabled'] as const;
export type WebhookState = (typeof webhookStates)[number];

/** Made, or changed; the secrets themselves lie in `keys/`, by id. */
export interface WebhookDefined extends SubscriptionOwner {
  readonly type: 'webhook.defined';
  readonly id: string;
  readonly url: string;
  readonly filter: EventFilter;
  readonly state: WebhookState;
  readonly reason: string | null;
  /** The newest first; `until`, Unix ms, is when one signs no more, null for the newest. */
  readonly secrets: readonly { readonly id: string; readonly until: number | null }[];
  /** Events after it are the webhook's; null for those after this record. */
  readonly from: Position | null;
  /** Unix ms; null where this record makes it. */
  readonly created_at: number | null;
}

export interface WebhookRemoved {
  readonly type: 'webhook.removed';
  readonly id: string;
  readonly owner_id: string | null;
}

/** History and released blobs below `position`, and rows that expired before `time`, may go. */
export interface RetentionAdvanced {
  readonly type: 'retention.advanced';
  readonly position: Position;
  /** Unix ms. */
  readonly time: number;
}

export interface CheckpointSigned {
  readonly type: 'checkpoint.signed';
  readonly position: Position;
  readonly chain: Uint8Array;
  readonly key_id: string;
  readonly signature: Uint8Array;
}

/**
 * What was answered to a request with an idempotency key, where no other record of it says so: it
 * changed nothing, or it deleted many objects at once.
 */
export interface RequestAnswered {
  readonly type: 'request.answered';
  /** JSON. */
  readonly answer: string;
}

export type BucketEvent =
  | BucketCreated
  | BucketUpdated
  | BucketEmptied
  | BucketDeleted
  | BucketSwitched;

export type ObjectEvent =
  | ObjectStored
  | ObjectPatched
  | ObjectMoved
  | ObjectDeleted
  | ObjectRestored;

export type StoreEvent =
  | StoreOpened
  | BucketEvent
  | ObjectEvent
  | TokenUsed
  | TokenRevoked
  | ConsumerDefined
  | ConsumerRemoved
  | WebhookDefined
  | WebhookRemoved
  | RetentionAdvanced
  | RequestAnswered
  | CheckpointSigned;

export type EventType = StoreEvent['type'];

/** An event with who did it: what is appended as one record. */
export interface NewRecord {
  readonly event: StoreEvent;
  readonly actor: Actor;
  readonly idempotency?: Idempotency;
}

/** A record as it was read back. */
export interface CommittedRecord extends NewRecord {
  readonly position: Position;
  /** The frame's commit time, Unix ms. */
  readonly timeMs: number;
  readonly epoch: number;
}

/** The blob whose staged bytes this event makes final; a copy's blob was final before. */
export function newBlobOf(event: StoreEvent): BlobId | undefined {
  return event.type === 'object.stored' && event.source === null && event.restored_from === null
    ? event.object.blob_id
    : undefined;
}

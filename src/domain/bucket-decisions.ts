/** What may become of a bucket: command and state in, an event or a refusal out. Pure. */
import { type BucketRow, type BucketSettings, type Totals, widens } from './bucket.ts';
import { type Caller, callerId } from './caller.ts';
import type { BucketCreated, BucketDeleted, BucketEmptied, BucketUpdated } from './events.ts';
import type { BucketName, BucketUid } from './names.ts';
import { authorize, type BucketCreators } from './policy.ts';
import { rejection } from './rejection.ts';
import { ok, type Result, refuse } from './result.ts';

export interface BucketState {
  readonly bucket: BucketRow | undefined;
  readonly totals: Totals;
}

export interface CreateBucket {
  readonly caller: Caller;
  readonly name: BucketName;
  readonly settings: BucketSettings;
  readonly uid: BucketUid;
  readonly bucketCreators: BucketCreators;
}

export function decideCreate(state: BucketState, command: CreateBucket): Result<BucketCreated> {
  const { caller, name, settings, uid, bucketCreators } = command;
  const { refusal } = authorize({ caller, action: 'bucket.create', bucketCreators });
  if (refusal) return refuse(refusal);
  if (state.bucket) return refuse(rejection('BucketAlreadyExists'));
  return ok({
    type: 'bucket.created',
    bucket: { uid, name, owner_id: callerId(caller), ...settings },
  });
}

/**
 * `public` is Supabase's word: true is policy public. False is said of an authenticated bucket too,
 * and must not make it private: it closes a public one and leaves others alone.
 */
export type BucketChanges = Partial<BucketSettings> & { readonly public?: boolean };

export interface UpdateBucket {
  readonly caller: Caller;
  readonly changes: BucketChanges;
}

/** The event, or undefined where the settings are what was asked for already. */
export function decideUpdate(
  { bucket, totals }: BucketState,
  { caller, changes }: UpdateBucket,
): Result<BucketUpdated | undefined> {
  const { refusal } = authorize({ caller, action: 'bucket.update', bucket });
  if (refusal) return refuse(refusal);
  if (!bucket) return refuse(rejection('NoSuchBucket'));
  const { updated_at: _updated, ...row } = bucket;
  const next = { ...row, ...settled(bucket, changes) };
  if (opensToOthers({ bucket, totals, changes })) {
    const widening = authorize({ caller, action: 'bucket.widen', bucket });
    if (widening.refusal) {
      return refuse(
        rejection('AccessDenied', 'The bucket holds objects of others, so its policy stays', {
          hint: 'Ask for the service role to widen it, or let their owners move their objects.',
          facts: { objects_of_others: totals.foreign },
        }),
      );
    }
  }
  const changed = settingNames.filter((name) => !sameSetting(bucket[name], next[name]));
  if (changed.length === 0) return ok(undefined);
  return ok({ type: 'bucket.updated', bucket: next, previous: bucket, changed });
}

/** True where the change lets more callers read what others than the owner put into the bucket. */
export function opensToOthers(change: {
  readonly bucket: BucketRow;
  readonly totals: Totals;
  readonly changes: BucketChanges;
}): boolean {
  const { bucket, totals, changes } = change;
  const { policy = bucket.policy } = settled(bucket, changes);
  return totals.foreign > 0 && widens(bucket.policy, policy);
}

function settled(
  bucket: BucketRow,
  { public: isPublic, ...settings }: BucketChanges,
): Partial<BucketSettings> {
  if (isPublic === undefined || settings.policy !== undefined) return settings;
  if (isPublic) return { ...settings, policy: 'public' };
  return bucket.policy === 'public' ? { ...settings, policy: 'private' } : settings;
}

export function decideEmpty(
  { bucket, totals }: BucketState,
  { caller }: { readonly caller: Caller },
): Result<BucketEmptied> {
  const { refusal } = authorize({ caller, action: 'bucket.empty', bucket });
  if (refusal) return refuse(refusal);
  if (!bucket) return refuse(rejection('NoSuchBucket'));
  return ok({ type: 'bucket.emptied', bucket, ...held(bucket, totals) });
}

export interface DeleteBucket {
  readonly caller: Caller;
  /** Deletes what the bucket holds along with it. */
  readonly force: boolean;
}

export function decideDeleteBucket(
  { bucket, totals }: BucketState,
  { caller, force }: DeleteBucket,
): Result<BucketDeleted> {
  const { refusal } = authorize({ caller, action: 'bucket.delete', bucket });
  if (refusal) return refuse(refusal);
  if (!bucket) return refuse(rejection('NoSuchBucket'));
  if (totals.count > 0 && !force) {
    return refuse(
      rejection('BucketNotEmpty', undefined, {
        hint: 'Empty it first, or delete it with ?force=true.',
      }),
    );
  }
  return ok({ type: 'bucket.deleted', bucket, ...held(bucket, totals) });
}

const settingNames = ['policy', 'write_policy', 'allowed_mime_types', 'max_file_size'] as const;

function sameSetting(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function held(bucket: BucketRow, totals: Totals) {
  return { old_keyspace: bucket.keyspace, count: totals.count, bytes: totals.bytes };
}

/** Who may do what, in the words of docs/access-model.md; what a caller can't see does not exist. */
import { sizeOf } from '../contents.ts';
import type { Bucket, StoredObject, Who } from '../world.ts';

export function idOf(who: Who): string | null {
  return who === 'service' ? null : who;
}

export function owns(owner: string | null, who: Who): boolean {
  return owner !== null && owner === idOf(who);
}

export function sees(bucket: Bucket, who: Who): boolean {
  if (who === 'service') return true;
  if (who === 'nobody') return bucket.policy === 'public';
  return owns(bucket.owner, who) || bucket.policy !== 'private' || bucket.write_policy !== 'owner';
}

export function reads(bucket: Bucket, who: Who, object: Pick<StoredObject, 'owner'>): boolean {
  if (who === 'service' || owns(object.owner, who)) return true;
  if (who === 'nobody') return bucket.policy === 'public';
  return bucket.policy !== 'private';
}

/** The objects of the bucket that the caller is shown. */
export function readable(bucket: Bucket, who: Who): ReadonlyMap<string, StoredObject> {
  return new Map([...bucket.objects].filter(([, object]) => reads(bucket, who, object)));
}

/** Of what only the bucket's owner may do. */
export function refuseOwner(bucket: Bucket | undefined, who: Who): string | undefined {
  if (!bucket || !sees(bucket, who)) return 'NoSuchBucket';
  return who === 'service' || owns(bucket.owner, who) ? undefined : 'AccessDenied';
}

/** An object's owner keeps reading it, whatever became of the bucket's policy. */
export function refuseRead(bucket: Bucket | undefined, path: string, who: Who): string | undefined {
  const object = bucket?.objects.get(path);
  if (bucket && object && reads(bucket, who, object)) return undefined;
  return bucket && sees(bucket, who) ? 'NoSuchKey' : 'NoSuchBucket';
}

/** Of what an object's owner may do, and the bucket's where `byBucketOwner`. */
export function refuseChange(
  bucket: Bucket | undefined,
  object: Pick<StoredObject, 'owner'> | undefined,
  { who, byBucketOwner }: { readonly who: Who; readonly byBucketOwner: boolean },
): string | undefined {
  if (!bucket) return 'NoSuchBucket';
  const owner = owns(object?.owner ?? null, who) || (byBucketOwner && owns(bucket.owner, who));
  if (object && (owner || who === 'service')) return undefined;
  if (!sees(bucket, who)) return 'NoSuchBucket';
  return !object || !reads(bucket, who, object) ? 'NoSuchKey' : 'AccessDenied';
}

export function refuseAdd(bucket: Bucket | undefined, path: string, who: Who): string | undefined {
  if (!bucket) return 'NoSuchBucket';
  const object = bucket.objects.get(path);
  const allowed = object
    ? owns(object.owner, who)
    : owns(bucket.owner, who) || bucket.write_policy === 'authenticated';
  if (allowed || who === 'service') return undefined;
  return sees(bucket, who) ? 'AccessDenied' : 'NoSuchBucket';
}

/** What an upload, a copy, a move and a change of metadata all meet. */
export function refuseContent(
  bucket: Bucket,
  { content, type }: Pick<StoredObject, 'content' | 'type'>,
): string | undefined {
  if (sizeOf(content) > (bucket.max_file_size ?? Number.POSITIVE_INFINITY)) return 'EntityTooLarge';
  const allowed = bucket.allowed_mime_types?.some((pattern) =>
    pattern.endsWith('/*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern,
  );
  return allowed === false ? 'InvalidMimeType' : undefined;
}

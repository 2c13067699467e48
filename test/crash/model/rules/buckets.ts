/** The model of buckets. */
import type { Asked, BucketOperation } from '../operations.ts';
import type { Bucket, Policy, World } from '../world.ts';
import { idOf, refuseOwner } from './access.ts';
import { type Step, type Words, withBucket } from './words.ts';

type AskedOfBucket = Asked & { readonly operation: BucketOperation };

export function stepBucket(world: World, { id, operation }: AskedOfBucket, words: Words): Step {
  const { who, bucket: name } = operation;
  const bucket = world.buckets.get(name);
  const becomes = (changed: Bucket | undefined, seen?: string) =>
    words.becomes(withBucket(world, name, changed), seen);
  if (operation.kind === 'create') {
    if (bucket) return words.refuse('BucketAlreadyExists');
    return becomes({ ...operation.settings, made: id, owner: idOf(who), objects: new Map() });
  }
  const refusal = refuseOwner(bucket, who);
  if (refusal || !bucket) return words.refuse(refusal ?? 'NoSuchBucket');
  switch (operation.kind) {
    case 'update': {
      if (refuseWidening(bucket, operation)) return words.refuse('AccessDenied');
      const changed = { ...bucket, ...operation.settings };
      return sameSettings(changed, bucket) ? words.show() : becomes(changed);
    }
    case 'empty':
      return becomes({ ...bucket, objects: new Map() }, String(bucket.objects.size));
    case 'drop':
      if (bucket.objects.size > 0 && !operation.force) return words.refuse('BucketNotEmpty');
      return becomes(undefined);
    default:
      return operation satisfies never;
  }
}

/** Nobody but the service role opens a bucket that holds what others put there. */
function refuseWidening(
  bucket: Bucket,
  { who, settings }: Extract<BucketOperation, { kind: 'update' }>,
): boolean {
  const order: readonly Policy[] = ['private', 'authenticated', 'public'];
  const widens = order.indexOf(settings.policy ?? bucket.policy) > order.indexOf(bucket.policy);
  const foreign = [...bucket.objects.values()].some(({ owner }) => owner !== bucket.owner);
  return widens && foreign && who !== 'service';
}

function sameSettings(left: Bucket, right: Bucket): boolean {
  return (
    left.policy === right.policy &&
    left.write_policy === right.write_policy &&
    left.max_file_size === right.max_file_size &&
    String(left.allowed_mime_types) === String(right.allowed_mime_types)
  );
}

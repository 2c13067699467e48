/**
 * The bucket rows of this moment, each read once for as long as nothing was applied: a stream asks for
 * the same few over and over, and the policy of today must be that of today.
 */
import type { BucketRow } from '../../domain/bucket.ts';
import type { BucketName } from '../../domain/names.ts';
import type { Views } from '../../views/views.ts';

const maxRemembered = 1_000;

export function createTodaysBuckets(
  views: Pick<Views, 'applied' | 'bucket'>,
): (name: BucketName) => BucketRow | undefined {
  const rows = new Map<BucketName, BucketRow | undefined>();
  let applied: number = -1;
  return (name) => {
    if (applied !== views.applied || rows.size >= maxRemembered) {
      rows.clear();
      applied = views.applied;
    }
    if (!rows.has(name)) rows.set(name, views.bucket(name));
    return rows.get(name);
  };
}

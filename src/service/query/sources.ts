/**
 * Where a query's rows may come from: the buckets that it asks about, each with the rows of it that
 * the caller may read. What is not a source is not looked at, and no cursor can tell of it.
 */
import type { BucketRow } from '../../domain/bucket.ts';
import type { Caller } from '../../domain/caller.ts';
import type { BucketName, KeyspaceId } from '../../domain/names.ts';
import { readableRows } from '../../domain/policy.ts';
import type { Filter } from '../../domain/query/filters.ts';
import { filtersOn } from '../../domain/query/query.ts';
import type { Moment } from '../../views/views.ts';

export interface Source {
  readonly bucket: BucketRow;
  /** Only rows of this owner: by the policy, or because the query asks for no others. */
  readonly ownerId: string | undefined;
  /** True where the policy shows all rows of the bucket, and `ownerId` is the query's wish alone. */
  readonly isOpen: boolean;
}

/** In order of name by UTF-8 bytes. */
export async function sourcesOf(
  moment: Moment,
  caller: Caller,
  filters: readonly Filter[],
): Promise<readonly Source[]> {
  const wanted = ownerOf(filters);
  if (wanted === null) return [];
  const buckets = await bucketsOf(moment, filters);
  const sources = buckets.flatMap((bucket) => sourceOf(bucket, caller, wanted) ?? []);
  // One bucket is walked at once; among many, only those where an owner has something are.
  return sources.length <= 1 ? sources : withRows(moment, sources);
}

/** The one owner whose rows can match; null where nobody's can, undefined where anybody's can. */
function ownerOf(filters: readonly Filter[]): string | null | undefined {
  const filter = filtersOn(filters, 'owner_id').find(({ operator }) => operator === 'eq');
  const owner = filter?.operands[0];
  return owner === undefined || owner === null ? owner : String(owner);
}

async function bucketsOf(moment: Moment, filters: readonly Filter[]): Promise<BucketRow[]> {
  const conditions = filtersOn(filters, 'bucket_id');
  const named = conditions.find(({ operator }) => operator === 'eq' || operator === 'in');
  const candidates = named
    ? named.operands.flatMap((name) => moment.bucket(String(name) as BucketName) ?? [])
    : await moment.buckets();
  const unique = [...new Map(candidates.map((bucket) => [bucket.name, bucket])).values()];
  return unique
    .filter(({ name }) => conditions.every((condition) => condition.matches(name)))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

function sourceOf(
  bucket: BucketRow,
  caller: Caller,
  wanted: string | undefined,
): Source | undefined {
  const readable = readableRows(caller, bucket);
  if (!readable) return undefined;
  if (readable.rows === 'all') return { bucket, ownerId: wanted, isOpen: true };
  if (wanted !== undefined && wanted !== readable.ownerId) return undefined;
  return { bucket, ownerId: readable.ownerId, isOpen: false };
}

async function withRows(moment: Moment, sources: readonly Source[]): Promise<Source[]> {
  const keyspaces = new Map<string, ReadonlySet<KeyspaceId>>();
  for (const { ownerId } of sources) {
    if (ownerId === undefined || keyspaces.has(ownerId)) continue;
    keyspaces.set(ownerId, new Set(await moment.keyspacesOf(ownerId)));
  }
  return sources.filter(
    ({ ownerId, bucket }) =>
      ownerId === undefined || keyspaces.get(ownerId)?.has(bucket.keyspace) === true,
  );
}

/** The bodies of the object routes. A field that is not known is refused by its name. */
import { z } from 'zod';
import { text } from '../schemas.ts';

/** User metadata; what it may be, domain/values/metadata says. */
const metadata = z.unknown().optional();

export const transferBody = z.strictObject({
  bucketId: z.string(),
  sourceKey: z.string(),
  destinationBucket: z.string().optional(),
  destinationKey: z.string(),
  copyMetadata: z.boolean().optional(),
  metadata,
});
export type TransferBody = z.infer<typeof transferBody>;

const clearable = z.string().min(1, 'must not be empty; null clears it').nullable().optional();

export const patchBody = z.strictObject({
  metadata,
  cache_control: clearable,
  content_type: clearable,
});
export type PatchBody = z.infer<typeof patchBody>;

const maxPaths = 1_000;

export const removeManyBody = z.strictObject({
  prefixes: z
    .array(z.string())
    .min(1, 'must name a path')
    .max(maxPaths, `must name at most ${maxPaths} paths`),
});

const folderPrefix = text(1024).default('');
const order = z.enum(['asc', 'desc']).default('asc');
const count = z.int('must be a whole number').max(Number.MAX_SAFE_INTEGER);
const maxRows = 1_000;

function rows(usual: number) {
  return count
    .min(1, 'must be at least 1')
    .transform((given) => Math.min(given, maxRows))
    .default(usual);
}

/** storage-js `list`. */
export const folderListBody = z.strictObject({
  prefix: folderPrefix,
  limit: rows(100),
  offset: count.min(0, 'must be at least 0').default(0),
  search: text(1024).default(''),
  sortBy: z
    .strictObject({
      column: z.enum(['name', 'updated_at', 'created_at', 'last_accessed_at']).default('name'),
      order,
    })
    .default({ column: 'name', order: 'asc' }),
});

/** storage-js `listV2`. */
export const treeListBody = z.strictObject({
  prefix: folderPrefix,
  limit: rows(maxRows),
  cursor: z
    .string()
    .max(8 * 1024, 'is not a cursor of this list')
    .optional(),
  with_delimiter: z.boolean().default(false),
  sortBy: z
    .strictObject({ column: z.enum(['name', 'updated_at', 'created_at']).default('name'), order })
    .default({ column: 'name', order: 'asc' }),
});
export type TreeListBody = z.infer<typeof treeListBody>;

/**
 * The shapes of JSON answers: the API's document is made from them, a test holds the answers of every
 * route against them, and the client takes its types from them.
 */
import { z } from 'zod';
import { bucketPolicies, writePolicies } from '../../domain/bucket.ts';

const time = z.string().describe('RFC 3339 in UTC, with milliseconds');
const bytes = z.number().int().min(0).describe('Bytes');
const text = z.string();
const count = z.number().int().min(0);

export const problem = z.looseObject({
  statusCode: text.describe('The HTTP status'),
  error: text,
  message: text,
  code: text.describe('What programs should look at'),
  hint: text.optional().describe('What to do about it'),
});

export const message = z.object({ message: text });

export const bucket = z.object({
  id: text,
  name: text,
  policy: z.enum(bucketPolicies),
  write_policy: z.enum(writePolicies),
  owner_id: text.nullable(),
  allowed_mime_types: z.array(text).nullable(),
  max_file_size: bytes.nullable(),
  created_at: time,
  updated_at: time,
  public: z.boolean(),
  owner: text,
  file_size_limit: bytes.nullable(),
  type: z.literal('STANDARD'),
});
export type Bucket = z.infer<typeof bucket>;

export const buckets = z.array(bucket);
export const updatedBucket = bucket.extend({ message: text });
export const emptiedBucket = z.object({ message: text, deleted: count });

/** User metadata: any JSON object. */
const metadata = z.record(text, z.unknown());

export const object = z.object({
  id: text,
  bucket: text,
  path: text,
  size: bytes,
  content_type: text,
  owner_id: text.nullable(),
  etag: text.describe('BLAKE3 of the bytes, hex'),
  version: text.describe('Changes with every upload'),
  cache_control: text.nullable(),
  metadata,
  created_at: time,
  updated_at: time,
});
export type StoredObject = z.infer<typeof object>;

export const storedObject = object.extend({ Id: text, Key: text.describe('bucket/path') });
export const movedObject = object.extend({ message: text });
export const objectInfo = object
  .omit({ updated_at: true })
  .extend({ last_modified: time, name: text, bucket_id: text });
export type ObjectInfo = z.infer<typeof objectInfo>;

export const objectList = z.object({
  objects: z.array(object),
  prefixes: z.array(text),
  next_cursor: text.nullable(),
});
export type ObjectList = z.infer<typeof objectList>;

export const storageRow = z.object({
  name: text,
  id: text,
  bucket_id: text,
  owner: text,
  updated_at: time,
  created_at: time,
  last_accessed_at: time,
  metadata: z.object({
    eTag: text,
    size: bytes,
    mimetype: text,
    cacheControl: text,
    lastModified: time,
    contentLength: bytes,
    httpStatusCode: z.literal(200),
  }),
});
export type StorageRow = z.infer<typeof storageRow>;

const folderRow = z.object({
  name: text,
  id: z.null(),
  bucket_id: z.null(),
  owner: z.null(),
  updated_at: z.null(),
  created_at: z.null(),
  last_accessed_at: z.null(),
  metadata: z.null(),
});

export const folderList = z.array(z.union([storageRow, folderRow]));
export const removedObjects = z.array(storageRow);
export const treeList = z.object({
  hasNext: z.boolean(),
  nextCursor: text.optional(),
  folders: z.array(z.object({ key: text, name: text })),
  objects: z.array(storageRow),
});

export const signedUrl = z.object({
  url: text.describe('Absolute'),
  expires_at: time,
  signedURL: text.describe('Relative to /storage/v1, not percent-encoded'),
  token: text,
});
export type SignedUrl = z.infer<typeof signedUrl>;

export const signedUrls = z.array(
  z.object({ path: text, signedURL: text.nullable(), error: text.nullable() }),
);
export type SignedUrls = z.infer<typeof signedUrls>;

export const signedUpload = z.object({
  url: text.describe('Relative to /storage/v1'),
  signed_url: text.describe('Absolute'),
  token: text,
  expires_at: time,
});
export type SignedUpload = z.infer<typeof signedUpload>;

const explanation = z
  .object({
    index: text,
    order: z.enum(['index', 'sorted']),
    buckets: count,
    scanned: count,
    budget: count,
  })
  .describe('With explain=true: how the rows were found');

const { bucket: _bucket, ...objectColumns } = object.shape;
const { owner, file_size_limit, type, ...bucketColumns } = bucket.shape;

/** Every column, or those that `select` names. */
export const objectQuery = z.object({
  rows: z.array(z.object({ ...objectColumns, bucket_id: text }).partial()),
  next_cursor: text.nullable(),
  explain: explanation.optional(),
});
export type ObjectQuery = z.infer<typeof objectQuery>;

export const bucketQuery = z.object({
  rows: z.array(z.object(bucketColumns).partial()),
  next_cursor: text.nullable(),
  explain: explanation.optional(),
});
export type BucketQuery = z.infer<typeof bucketQuery>;

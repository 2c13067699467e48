/** Rows as the API shows them. Times are RFC 3339 in UTC with milliseconds. */
import type { BucketRow } from '../domain/bucket.ts';
import type { BucketName } from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import { objectJson } from '../domain/public-events/public-event.ts';
import { jsonText, timeText } from './wire/json-text.ts';

/** An object as a value; events show it so, too. */
export { objectJson };

export function bucketJson(row: BucketRow) {
  return {
    id: row.name,
    name: row.name,
    policy: row.policy,
    write_policy: row.write_policy,
    owner_id: row.owner_id,
    allowed_mime_types: row.allowed_mime_types,
    max_file_size: row.max_file_size,
    created_at: timeText(row.created_at),
    updated_at: timeText(row.updated_at),
    // What Supabase's clients look for.
    public: row.policy === 'public',
    owner: row.owner_id ?? '',
    file_size_limit: row.max_file_size,
    type: 'STANDARD',
  };
}

/** The text of `objectJson`, from its first brace to its last. */
export function objectText(bucket: BucketName, row: ObjectRow): string {
  return `${beginningOfObject(bucket, row)},"updated_at":"${timeText(row.updated_at)}"}`;
}

/** As `objectText`, with `last_modified` in place of `updated_at`, and the names that Supabase's clients look for. */
export function objectInfoText(bucket: BucketName, row: ObjectRow): string {
  const name = jsonText(row.path);
  const changed = timeText(row.updated_at);
  const more = `"last_modified":"${changed}","name":${name},"bucket_id":${jsonText(bucket)}`;
  return `${beginningOfObject(bucket, row)},${more}}`;
}

/** User metadata is kept as JSON.stringify wrote it, and so goes out as it is. */
function beginningOfObject(bucket: BucketName, row: ObjectRow): string {
  return `{"id":${jsonText(row.id)},"bucket":${jsonText(bucket)},"path":${jsonText(row.path)},"size":${row.size},"content_type":${jsonText(row.content_type)},"owner_id":${jsonText(row.owner_id)},"etag":${jsonText(row.etag)},"version":${jsonText(row.version)},"cache_control":${jsonText(row.cache_control)},"metadata":${row.metadata ?? '{}'},"created_at":"${timeText(row.created_at)}"`;
}

/** As storage-js knows a file: `name` is the path, or what stands after a list's prefix. */
export function storageRow(bucket: BucketName, row: ObjectRow, name: string = row.path) {
  const updated = timeText(row.updated_at);
  return {
    name,
    id: row.id,
    bucket_id: bucket,
    owner: row.owner_id ?? '',
    updated_at: updated,
    created_at: timeText(row.created_at),
    // Reads are not recorded: the last access that is known is the last change.
    last_accessed_at: updated,
    metadata: {
      eTag: etagHeader(row),
      size: row.size,
      mimetype: row.content_type,
      cacheControl: row.cache_control ?? 'no-cache',
      lastModified: updated,
      contentLength: row.size,
      httpStatusCode: 200,
    },
  };
}

/** A common prefix as storage-js knows a folder. */
export function folderRow(name: string) {
  return {
    name,
    id: null,
    bucket_id: null,
    owner: null,
    updated_at: null,
    created_at: null,
    last_accessed_at: null,
    metadata: null,
  };
}

/** RFC 9110 §8.8.3: an opaque tag stands in quotes. */
export function etagHeader(row: ObjectRow): string {
  return `"${row.etag}"`;
}

export function positionHeader(position: number): Readonly<Record<string, string>> {
  return { 'x-aerostore-position': String(position) };
}

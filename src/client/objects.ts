/** The objects of one bucket. Every call is async, so that a wrong path rejects and never throws. */
import type { PatchBody } from '../http/objects/schemas.ts';
import type {
  ObjectInfo,
  ObjectList,
  StorageRow,
  StoredObject,
} from '../http/openapi/answer-schemas.ts';
import { AerostoreError } from './errors.ts';
import { locationOf, type Transport } from './transport.ts';
import { quoted, type Uploadable, type Uploaded, type UploadOptions, upload } from './upload.ts';

export interface Download {
  readonly contentType: string;
  readonly etag: string;
  /** Bytes of what comes: of the range where one was asked for. */
  readonly sizeBytes: number;
  /** Rejects where the connection ends before the last byte. */
  blob(): Promise<Blob>;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  stream(): ReadableStream<Uint8Array>;
}

export interface DownloadOptions {
  /** Both inclusive; without `end`, up to the last byte. */
  readonly range?: { readonly start: number; readonly end?: number };
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  readonly prefix?: string;
  /** Paths that hold it behind the prefix come as one common prefix. */
  readonly delimiter?: string;
  /** Of a page; the iterator goes on to the last one. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export type Listed =
  | { readonly kind: 'object'; readonly object: StoredObject }
  | { readonly kind: 'prefix'; readonly prefix: string };

export interface TransferOptions {
  /** Another bucket than the source's. */
  readonly bucket?: string;
  /** True overwrites what lies at the target; false where left out. */
  readonly upsert?: boolean;
  /** In place of the source's. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly idempotencyKey?: string;
}

export interface Objects {
  upload(path: string, body: Uploadable, options?: UploadOptions): Promise<Uploaded>;
  download(path: string, options?: DownloadOptions): Promise<Download>;
  info(path: string): Promise<ObjectInfo>;
  exists(path: string): Promise<boolean>;
  /** Every object and common prefix, page after page. */
  list(options?: ListOptions): AsyncGenerator<Listed, void>;
  page(options?: ListOptions & { readonly cursor?: string }): Promise<ObjectList>;
  copy(from: string, to: string, options?: TransferOptions): Promise<Uploaded>;
  move(from: string, to: string, options?: TransferOptions): Promise<StoredObject>;
  /** Replaces each given field; null clears it. */
  patch(
    path: string,
    changes: PatchBody,
    options?: { readonly ifMatch?: string },
  ): Promise<StoredObject>;
  remove(path: string, options?: { readonly ifMatch?: string }): Promise<void>;
  /** 1,000 paths at most, all in one step; those that are missing or not the caller's are skipped. */
  removeMany(paths: readonly string[]): Promise<Removed>;
  /** Where anybody can read it, in a public bucket. */
  publicUrl(path: string): string;
}

export interface Removed {
  /** Those of the deleted that the caller could read. */
  readonly rows: readonly StorageRow[];
  readonly deleted: number;
  readonly skipped: number;
}

export function createObjects(transport: Transport, bucket: string): Objects {
  const at = (path: string, words = '') => `/object${words}/${locationOf(bucket, path)}`;
  const page: Objects['page'] = async ({ signal, ...query } = {}) =>
    transport.json(`/object/list/${locationOf(bucket)}`, { query, signal });
  const transfer = <T>(word: string, paths: readonly [string, string], options: TransferOptions) =>
    transport.json<T>(`/object/${word}`, transferOf(bucket, paths, options));
  return {
    upload: async (path, body, options = {}) =>
      upload(transport, { bucket, path }, { body, options }),
    download: async (path, options = {}) => download(transport, at(path), options),
    info: async (path) => transport.json(at(path, '/info')),
    async exists(path) {
      try {
        await transport.request(at(path, '/info'), { method: 'HEAD' });
        return true;
      } catch (error) {
        if (error instanceof AerostoreError && error.status === 404) return false;
        throw error;
      }
    },
    list: (options = {}) => list(page, options),
    page,
    copy: async (from, to, options = {}) => transfer('copy', [from, to], options),
    move: async (from, to, options = {}) => transfer('move', [from, to], options),
    patch: async (path, changes, { ifMatch } = {}) =>
      transport.json(at(path), { method: 'PATCH', json: changes, headers: conditions(ifMatch) }),
    async remove(path, { ifMatch } = {}) {
      await transport.json(at(path), { method: 'DELETE', headers: conditions(ifMatch) });
    },
    removeMany: async (paths) => removeMany(transport, bucket, paths),
    publicUrl: (path) => transport.address(at(path, '/public')),
  };
}

function conditions(ifMatch: string | undefined) {
  return { 'if-match': ifMatch === undefined ? undefined : quoted(ifMatch) };
}

async function* list(page: Objects['page'], options: ListOptions): AsyncGenerator<Listed, void> {
  let cursor: string | null | undefined;
  do {
    const at: Parameters<Objects['page']>[0] = cursor ? { ...options, cursor } : options;
    const { objects, prefixes, next_cursor } = await page(at);
    for (const prefix of prefixes) yield { kind: 'prefix', prefix };
    for (const object of objects) yield { kind: 'object', object };
    cursor = next_cursor;
  } while (cursor);
}

function transferOf(
  bucket: string,
  [sourceKey, destinationKey]: readonly [string, string],
  { bucket: target, upsert = false, metadata, idempotencyKey }: TransferOptions,
) {
  return {
    method: 'POST',
    json: { bucketId: bucket, sourceKey, destinationBucket: target, destinationKey, metadata },
    headers: { 'x-upsert': String(upsert), 'idempotency-key': idempotencyKey },
  };
}

async function download(
  transport: Transport,
  at: string,
  { range, ifMatch, signal }: DownloadOptions,
): Promise<Download> {
  const bytes = range && `bytes=${range.start}-${range.end ?? ''}`;
  const headers = { range: bytes, ...conditions(ifMatch) };
  const response = await transport.request(at, { headers, signal });
  return {
    contentType: response.headers.get('content-type') ?? '',
    etag: (response.headers.get('etag') ?? '').replaceAll('"', ''),
    sizeBytes: Number(response.headers.get('content-length') ?? 0),
    blob: () => response.blob(),
    bytes: async () => new Uint8Array(await response.arrayBuffer()),
    text: () => response.text(),
    stream: () => response.body ?? new Blob([]).stream(),
  };
}

async function removeMany(
  transport: Transport,
  bucket: string,
  paths: readonly string[],
): Promise<Removed> {
  const response = await transport.request(`/object/${locationOf(bucket)}`, {
    method: 'DELETE',
    json: { prefixes: paths },
  });
  const count = (name: string) => Number(response.headers.get(`x-aerostore-${name}`) ?? 0);
  const rows = (await response.json()) as StorageRow[];
  return { rows, deleted: count('deleted'), skipped: count('skipped') };
}

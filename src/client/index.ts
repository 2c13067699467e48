/**
 * The typed client of aerostore, `aerostore/client`: fetch and nothing else, in browsers and in Node.
 * Calls resolve to what the API answers and reject with AerostoreError where it refuses.
 */
import { type Buckets, createBuckets } from './buckets.ts';
import { type EventStream, type EventsOptions, openEvents } from './events.ts';
import { createObjects, type Objects } from './objects.ts';
import { createQuery, type Query } from './query.ts';
import { createSignedUrls, type SignedUrls } from './signed-urls.ts';
import { type ClientOptions, createTransport } from './transport.ts';
import { type Uploadable, type Uploaded, type UploadOptions, uploadSigned } from './upload.ts';

export type { StorageEvent } from '../http/events/schemas.ts';
export type {
  Bucket,
  ObjectInfo,
  ObjectList,
  SignedUpload,
  SignedUrl,
  StorageRow,
  StoredObject,
} from '../http/openapi/answer-schemas.ts';
export type { BucketListOptions, BucketSettings, Buckets } from './buckets.ts';
export { AerostoreError } from './errors.ts';
export { cursorOf, type EventStream, type EventsOptions } from './events.ts';
export type {
  Download,
  DownloadOptions,
  Listed,
  ListOptions,
  Objects,
  Removed,
  TransferOptions,
} from './objects.ts';
export type { QueriedBucket, QueriedObject, Query, QueryOptions } from './query.ts';
export type { SignedDownload, SignedUrls } from './signed-urls.ts';
export type { ClientOptions } from './transport.ts';
export type { Progress, Uploadable, Uploaded, UploadOptions } from './upload.ts';

export interface Client {
  readonly buckets: Buckets;
  readonly query: Query;
  /** What happens in the store, once it is iterated over; connects again by itself. */
  events(options?: EventsOptions): EventStream;
  /** The objects of a bucket; asks the server nothing. */
  bucket(name: string): Objects & { readonly signedUrls: SignedUrls };
  /** Uploads by `signed_url` of a signed upload; needs no token. */
  uploadSigned(url: string, body: Uploadable, options?: UploadOptions): Promise<Uploaded>;
}

export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  return {
    buckets: createBuckets(transport),
    query: createQuery(transport),
    events: (given) => openEvents(transport, given),
    bucket: (name) => ({
      ...createObjects(transport, name),
      signedUrls: createSignedUrls(transport, name),
    }),
    uploadSigned: (url, body, given = {}) => uploadSigned(transport, url, { body, options: given }),
  };
}

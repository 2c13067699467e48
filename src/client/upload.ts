/** Uploads: what may be sent, the headers that go along, and progress. */
import type { StoredObject } from '../http/openapi/answer-schemas.ts';
import { type Body, locationOf, type Transport } from './transport.ts';

export type Uploadable =
  | Blob
  | ArrayBuffer
  | Uint8Array<ArrayBuffer>
  | string
  | ReadableStream<Uint8Array>;

export interface Progress {
  /** Handed to the network so far. */
  readonly sentBytes: number;
  /** Undefined for a stream. */
  readonly totalBytes: number | undefined;
}

export interface UploadOptions {
  /** A Blob brings its own; otherwise it is guessed from the path. */
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** False refuses to overwrite; true where left out. */
  readonly upsert?: boolean;
  /** Only over an object with this etag. */
  readonly ifMatch?: string;
  readonly idempotencyKey?: string;
  /**
   * Called as bytes leave. Browsers stream no request body, so there it is called at the beginning
   * and at the end.
   */
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export type Uploaded = StoredObject & { readonly Id: string; readonly Key: string };

export function upload(
  transport: Transport,
  { bucket, path }: { readonly bucket: string; readonly path: string },
  { body, options }: { readonly body: Uploadable; readonly options: UploadOptions },
): Promise<Uploaded> {
  const { upsert = true, ifMatch, idempotencyKey } = options;
  return send(transport, `/object/${locationOf(bucket, path)}`, {
    method: 'POST',
    body,
    options,
    headers: {
      'x-upsert': String(upsert),
      'if-match': ifMatch === undefined ? undefined : quoted(ifMatch),
      'idempotency-key': idempotencyKey,
    },
  });
}

/** By a URL that was signed for it: its token is all that counts. */
export function uploadSigned(
  transport: Transport,
  url: string,
  { body, options }: { readonly body: Uploadable; readonly options: UploadOptions },
): Promise<Uploaded> {
  return send(transport, url, { method: 'PUT', body, options, headers: {}, signedIn: false });
}

interface Sending {
  readonly method: 'POST' | 'PUT';
  readonly body: Uploadable;
  readonly options: UploadOptions;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly signedIn?: boolean;
}

async function send(
  transport: Transport,
  at: string,
  { method, body, options, headers, signedIn = true }: Sending,
): Promise<Uploaded> {
  const { contentType, cacheControl, metadata, onProgress, signal } = options;
  const totalBytes = sizeOf(body);
  onProgress?.({ sentBytes: 0, totalBytes });
  const type = contentType ?? (body instanceof Blob && body.type !== '' ? body.type : undefined);
  const uploaded = await transport.json<Uploaded>(at, {
    method,
    body: onProgress && mayStream() ? counted(body, onProgress) : plain(body, type),
    headers: {
      ...headers,
      'content-type': type,
      'cache-control': cacheControl,
      'x-metadata': metadata === undefined ? undefined : base64(JSON.stringify(metadata)),
    },
    signal,
    signedIn,
  });
  if (!mayStream()) onProgress?.({ sentBytes: uploaded.size, totalBytes: uploaded.size });
  return uploaded;
}

/** fetch would declare a text to be text/plain, over the type that the server guesses by the name. */
function plain(body: Uploadable, type: string | undefined): Body {
  return typeof body === 'string' && type === undefined ? encoded(body) : (body as Body);
}

/** A page has a document; whoever has none streams bodies (Node, Deno, Bun). */
function mayStream(): boolean {
  return !('document' in globalThis);
}

function sizeOf(body: Uploadable): number | undefined {
  if (typeof body === 'string') return encoded(body).byteLength;
  if (body instanceof Blob) return body.size;
  return body instanceof ReadableStream ? undefined : body.byteLength;
}

/** A blob may come in one piece; progress is told in steps. */
const stepBytes = 64 * 1024;

function counted(
  body: Uploadable,
  onProgress: NonNullable<UploadOptions['onProgress']>,
): ReadableStream<Uint8Array> {
  const totalBytes = sizeOf(body);
  let sentBytes = 0;
  return streamOf(body).pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        for (let at = 0; at < chunk.byteLength; at += stepBytes) {
          const piece = chunk.subarray(at, at + stepBytes);
          sentBytes += piece.byteLength;
          controller.enqueue(piece);
          onProgress({ sentBytes, totalBytes });
        }
      },
    }),
  );
}

function streamOf(body: Uploadable): ReadableStream<Uint8Array> {
  if (body instanceof ReadableStream) return body;
  const blob = body instanceof Blob ? body : new Blob([body]);
  return blob.stream() as ReadableStream<Uint8Array>;
}

function encoded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function base64(text: string): string {
  let bytes = '';
  for (const byte of encoded(text)) bytes += String.fromCharCode(byte);
  return btoa(bytes);
}

/** An etag as a header has it. */
export function quoted(etag: string): string {
  return etag.startsWith('"') || etag === '*' ? etag : `"${etag}"`;
}

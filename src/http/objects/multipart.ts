/**
 * An upload as multipart/form-data (RFC 7578): one file part, whose name may be empty, and a few
 * fields before or after it, in flat memory.
 *
 * Built on busboy's Dicer, because busboy itself keeps neither a part's content type as it was sent
 * nor the fact that there was none. Back-pressure: the file part's buffer is full, so the next write is not
 * acknowledged, so the body is not read.
 */
import type { Readable } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import contentDisposition from 'content-disposition';
import type { ByteStream } from '../../blobs/blob-store.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { parseMetadata } from '../../domain/values/metadata.ts';
import { BodyRefused } from '../../service/service.ts';
import { faultOfText } from './upload-headers.ts';

export interface FormFile {
  /** As the field or the part says it; '' where neither does. */
  readonly contentType: string;
  readonly bytes: ByteStream;
}

export interface FormFields {
  readonly contentType?: string;
  readonly cacheControl?: string;
  /** JSON text; null for an object without members. */
  readonly metadata?: string | null;
}

export interface UploadForm {
  /** The file part, as soon as its header has arrived. */
  file(): Promise<Result<FormFile>>;
  /** What the fields say, once the form has ended; the file must have been read. */
  fields(): Promise<Result<FormFields>>;
}

const limits = { parts: 20, fieldBytes: 16 * 1024, headerBytes: 8 * 1024, boundaryLength: 70 };

/** RFC 2046 §5.1.1. */
export function boundaryOf(contentType: string): Result<string> {
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? '';
  const isValid = boundary !== '' && boundary.length <= limits.boundaryLength;
  return isValid ? ok(boundary) : refuse(broken('it has no valid boundary'));
}

export function openForm(body: ByteStream, boundary: string): UploadForm {
  const form = new Form();
  const dicer = new Dicer({
    boundary,
    maxHeaderPairs: 32,
    ...{ maxHeaderSize: limits.headerBytes },
  });
  dicer.on('part', (part) => form.part(part));
  dicer.on('error', () => form.fail(broken('it ends too early')));
  pump(body, dicer).then(
    () => form.end(),
    (error: unknown) => form.break(error),
  );
  return {
    file: () => form.file,
    fields: async () => {
      await form.ended;
      return form.fields();
    },
  };
}

/** Feeds the parser; a write is acknowledged once its parts have room again. */
async function pump(body: ByteStream, dicer: Dicer): Promise<void> {
  for await (const chunk of body) {
    await new Promise<void>((resolve) => dicer.write(chunk, () => resolve()));
  }
  dicer.end();
  // It reports a missing last boundary on the next tick.
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** The state of one form: parts arrive in order, and the first thing wrong ends it. */
class Form {
  readonly file: Promise<Result<FormFile>>;
  readonly ended: Promise<void>;
  readonly #values = new Map<string, string>();
  #settleFile: (file: Result<FormFile>) => void = () => undefined;
  #settleEnd: () => void = () => undefined;
  #breakEnd: (error: unknown) => void = () => undefined;
  #filePart: Readable | undefined;
  #parts = 0;

  constructor() {
    this.file = new Promise((resolve) => {
      this.#settleFile = resolve;
    });
    this.ended = new Promise((resolve, reject) => {
      this.#settleEnd = resolve;
      this.#breakEnd = reject;
    });
    // Who waits is told; a form that nobody waits for any more breaks silently.
    this.ended.catch(() => undefined);
  }

  part(part: Readable): void {
    part.on('error', () => this.fail(broken('it ends too early')));
    part.once('header', (header: Record<string, string[] | undefined>) => {
      const { name, filename } = dispositionOf(header['content-disposition']?.[0]);
      this.#parts += 1;
      if (this.#parts > limits.parts) this.#refuse(part, 'it has too many parts');
      else if (name === undefined) this.#refuse(part, 'a part has no name');
      else if (filename === undefined && name !== '') this.#collect(part, name);
      else if (this.#filePart) this.#refuse(part, 'it has more than one file');
      else this.#begin(part, header['content-type']?.[0]);
    });
  }

  fields(): Result<FormFields> {
    // An empty field says nothing.
    const contentType = this.#values.get('contentType') || undefined;
    const cacheControl = this.#values.get('cacheControl') || undefined;
    const metadata = this.#values.get('metadata') || undefined;
    const fault =
      faultOfText(contentType ?? '', 'The field "contentType"') ??
      faultOfText(cacheControl ?? '', 'The field "cacheControl"');
    if (fault) return refuse(fault);
    const parsed = metadata === undefined ? undefined : parseMetadata(metadata);
    if (parsed?.ok === false) return parsed;
    return ok({
      ...(contentType === undefined ? {} : { contentType }),
      ...(cacheControl === undefined ? {} : { cacheControl: asDirective(cacheControl) }),
      ...(parsed === undefined ? {} : { metadata: parsed.value }),
    });
  }

  end(): void {
    this.#settleFile(refuse(broken('it has no file part')));
    this.#settleEnd();
  }

  fail(reason: Rejection): void {
    this.break(new BodyRefused(reason));
  }

  break(error: unknown): void {
    const reason = error instanceof BodyRefused ? error.rejection : broken('it can not be read');
    this.#settleFile(refuse(reason));
    this.#breakEnd(error);
    if (this.#filePart && !this.#filePart.readableEnded) {
      this.#filePart.destroy(error instanceof Error ? error : new BodyRefused(reason));
    }
  }

  #begin(part: Readable, ownType: string | undefined): void {
    this.#filePart = part;
    const contentType = (this.#values.get('contentType') || ownType || '').trim();
    const fault = faultOfText(contentType, 'The content type of the file');
    if (fault) this.fail(fault);
    else this.#settleFile(ok({ contentType, bytes: fileBytes(part) }));
  }

  #collect(part: Readable, name: string): void {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    part.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > limits.fieldBytes) this.fail(broken('a field is too long'));
      else chunks.push(chunk);
    });
    part.on('end', () => this.#values.set(name, Buffer.concat(chunks).toString('utf8')));
  }

  #refuse(part: Readable, why: string): void {
    part.resume();
    this.fail(broken(why));
  }
}

/** The parser tells of a form that breaks off by an error of its own. */
async function* fileBytes(part: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* part;
  } catch (error) {
    throw error instanceof BodyRefused ? error : new BodyRefused(broken('it ends too early'));
  }
}

/** RFC 7578 §4.2. Header values arrive as latin1. */
function dispositionOf(header: string | undefined): { name?: string; filename?: string } {
  if (header === undefined) return {};
  const { type, parameters } = contentDisposition.parse(header, { multipart: true });
  if (type !== 'form-data') return {};
  const { name, filename } = parameters;
  return {
    ...(name === undefined ? {} : { name }),
    ...(filename === undefined ? {} : { filename }),
  };
}

/** Bare seconds mean `max-age=N`. */
function asDirective(cacheControl: string): string {
  return /^\d+$/.test(cacheControl) ? `max-age=${cacheControl}` : cacheControl;
}

function broken(why: string): Rejection {
  return rejection('InvalidRequest', `The multipart form is not valid: ${why}`);
}

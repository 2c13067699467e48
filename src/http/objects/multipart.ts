/**
 * An upload as multipart/form-data (RFC 7578): one file part, whose name may be empty, and a few
 * fields before or after it, in flat memory.
 *
 * Built on busboy's Dicer, because busboy itself keeps neither a part's content type as it was sent
 * nor the fact that there was none. Back-pressure is ours too (Dicer loses a wake-up where a part ends
 * while it is paused): the body is read on only while little of the file lies unread.
 */
import { isUtf8 } from 'node:buffer';
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

const limits = {
  parts: 20,
  fieldBytes: 16 * 1024,
  headerBytes: 8 * 1024,
  boundaryLength: 70,
  /** All that is not the file: fields, headers, what stands before and after the form. */
  overheadBytes: 1024 * 1024,
  unreadBytes: 256 * 1024,
};

/** Fields of other names are ignored. */
const known: ReadonlySet<string> = new Set(['cacheControl', 'contentType', 'metadata']);

/** RFC 2046 §5.1.1. */
export function boundaryOf(contentType: string): Result<string> {
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? '';
  const isValid = boundary !== '' && boundary.length <= limits.boundaryLength;
  return isValid ? ok(boundary) : refuse(broken('it has no valid boundary'));
}

export function openForm(body: ByteStream, boundary: string): UploadForm {
  const form = new Form();
  const dicer = new Dicer(parserOptions(boundary));
  dicer.on('part', (part) => form.part(part));
  dicer.on('error', () => form.fail(broken('it ends too early')));
  pump(body, dicer, form).then(
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

/** Its types know less than the parser does. */
function parserOptions(boundary: string): { readonly boundary: string } {
  // A part's own buffer never fills: `pump` sees to it that it needn't.
  const partHwm = Number.MAX_SAFE_INTEGER;
  return Object.assign({ boundary }, { maxHeaderSize: limits.headerBytes, partHwm });
}

/** Feeds the parser, which takes each chunk whole and at once. */
async function pump(body: ByteStream, dicer: Dicer, form: Form): Promise<void> {
  let sizeBytes = 0;
  for await (const chunk of body) {
    dicer.write(chunk);
    sizeBytes += chunk.byteLength;
    if (sizeBytes - form.fileBytes > limits.overheadBytes) {
      throw new BodyRefused(broken('too much of it is not the file'));
    }
    await form.room();
    if (form.isBroken) return;
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
  #takenBytes = 0;
  #wake: () => void = () => undefined;
  isBroken = false;

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

  /** How much of the file has arrived. */
  get fileBytes(): number {
    return this.#takenBytes + (this.#filePart?.readableLength ?? 0);
  }

  /** Resolves once little of the file lies unread, or nobody will read it. */
  async room(): Promise<void> {
    while (!this.isBroken && (this.#filePart?.readableLength ?? 0) > limits.unreadBytes) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  part(part: Readable): void {
    part.on('error', () => this.fail(broken('it ends too early')));
    part.once('header', (header: Record<string, string[] | undefined>) => {
      const { name, filename } = dispositionOf(header['content-disposition']?.[0]);
      this.#parts += 1;
      if (this.#parts > limits.parts) this.#refuse(part, 'it has too many parts');
      // curl leaves an empty name out: a file part is known by its filename.
      else if (filename === undefined && name === undefined)
        this.#refuse(part, 'a part has no name');
      else if (filename === undefined && name) this.#collect(part, name);
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
    const directive = cacheControl === undefined ? undefined : asDirective(cacheControl);
    if (directive?.ok === false) return directive;
    const parsed = metadata === undefined ? undefined : parseMetadata(metadata);
    if (parsed?.ok === false) return parsed;
    return ok({
      ...(contentType === undefined ? {} : { contentType }),
      ...(directive === undefined ? {} : { cacheControl: directive.value }),
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
    this.isBroken = true;
    this.#wake();
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
    else this.#settleFile(ok({ contentType, bytes: this.#bytes(part) }));
  }

  /** The parser tells of a form that breaks off by an error of its own. */
  async *#bytes(part: Readable): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of part) {
        this.#takenBytes += chunk.byteLength;
        this.#wake();
        yield chunk;
      }
    } catch (error) {
      throw error instanceof BodyRefused ? error : new BodyRefused(broken('it ends too early'));
    } finally {
      // Who stops reading the file is done with the form.
      if (!part.readableEnded) this.isBroken = true;
      this.#wake();
    }
  }

  #collect(part: Readable, name: string): void {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    part.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > limits.fieldBytes) this.fail(broken('a field is too long'));
      else chunks.push(chunk);
    });
    part.on('end', () => {
      const bytes = Buffer.concat(chunks);
      if (!known.has(name)) return;
      if (this.#values.has(name)) this.fail(broken(`the field "${name}" is given more than once`));
      else if (!isUtf8(bytes)) this.fail(broken(`the field "${name}" is not UTF-8`));
      else this.#values.set(name, bytes.toString('utf8'));
    });
  }

  #refuse(part: Readable, why: string): void {
    part.resume();
    this.fail(broken(why));
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

/** RFC 9111 §1.2.2: longer is as good as for ever. */
const maxSeconds = 2 ** 31;

/** Bare seconds mean `max-age=N`; a number that is none of seconds is a mistake, not a directive. */
function asDirective(cacheControl: string): Result<string> {
  const text = cacheControl.trim();
  if (/^\d+$/.test(text) && Number(text) <= maxSeconds) return ok(`max-age=${Number(text)}`);
  if (text === '' || Number.isNaN(Number(text))) return ok(cacheControl);
  return refuse(
    rejection(
      'InvalidRequest',
      `The field "cacheControl": bare seconds are a whole number, at most ${maxSeconds}`,
    ),
  );
}

function broken(why: string): Rejection {
  return rejection('InvalidRequest', `The multipart form is not valid: ${why}`);
}

/**
 * The current row of an object from its MessagePack, by the order in which uploads write its fields: a
 * page of a list has a thousand of them, and this is several times as fast as reading any value. The
 * bytes become one string, out of which what is ASCII is cut.
 *
 * Promises: what it answers is what MessagePack says; what it does not know (fields in another order or
 * of other types) is left to who reads MessagePack in general, by answering undefined. It throws never.
 */
import type { BlobId, ObjectId, ObjectPath, Position } from '../../domain/names.ts';
import type { ObjectRow } from '../../domain/object.ts';

/** A map of thirteen fields. */
const MAP = 0x8d;
const NIL = 0xc0;
const FIXED_TEXT = 0xa0;
const MAX_FIXED_TEXT = 0x1f;
const TEXT_8 = 0xd9;
const TEXT_16 = 0xda;
const UINT_8 = 0xcc;
const UINT_16 = 0xcd;
const UINT_32 = 0xce;
const FLOAT_64 = 0xcb;

/** Of `packed` from `start` on. */
export function readObjectRow(packed: Buffer, start: number): ObjectRow | undefined {
  if (packed[start] !== MAP) return undefined;
  const fields = new Fields(packed, start + 1);
  const row: ObjectRow = {
    size: fields.number('size'),
    etag: fields.text('etag'),
    blob_id: fields.text('blob_id') as BlobId,
    id: fields.text('id') as ObjectId,
    path: fields.text('path') as ObjectPath,
    owner_id: fields.textOrNull('owner_id'),
    content_type: fields.text('content_type'),
    version: fields.text('version'),
    cache_control: fields.textOrNull('cache_control'),
    metadata: fields.textOrNull('metadata'),
    created_at: fields.number('created_at'),
    updated_at: fields.number('updated_at'),
    position: fields.number('position') as Position,
  };
  return fields.areWhole ? row : undefined;
}

/** Reads one field after the other. From the first that is not as expected on, nothing is believed. */
class Fields {
  readonly #bytes: Buffer;
  readonly #latin1: string;
  #at: number;
  #isKnown = true;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#latin1 = bytes.toString('latin1');
    this.#at = at;
  }

  /** True where all was as expected and nothing follows. */
  get areWhole(): boolean {
    return this.#isKnown && this.#at === this.#bytes.length;
  }

  number(name: string): number {
    this.#pass(name);
    const mark = this.#byte();
    if (mark <= 0x7f) return mark;
    switch (mark) {
      case UINT_8:
        return this.#byte();
      case UINT_16:
        return this.#byte() * 0x100 + this.#byte();
      case UINT_32:
        return (
          (this.#byte() * 0x100 + this.#byte()) * 0x1_0000 + this.#byte() * 0x100 + this.#byte()
        );
      case FLOAT_64:
        return this.#double();
      default:
        this.#isKnown = false;
        return 0;
    }
  }

  text(name: string): string {
    const text = this.textOrNull(name);
    if (text !== null) return text;
    this.#isKnown = false;
    return '';
  }

  textOrNull(name: string): string | null {
    this.#pass(name);
    const mark = this.#byte();
    if (mark >= FIXED_TEXT && mark <= FIXED_TEXT + MAX_FIXED_TEXT) {
      return this.#cut(mark - FIXED_TEXT);
    }
    switch (mark) {
      case NIL:
        return null;
      case TEXT_8:
        return this.#cut(this.#byte());
      case TEXT_16:
        return this.#cut(this.#byte() * 0x100 + this.#byte());
      default:
        this.#isKnown = false;
        return null;
    }
  }

  #pass(name: string): void {
    const mark = this.#byte();
    this.#isKnown &&= mark === FIXED_TEXT + name.length && this.#latin1.startsWith(name, this.#at);
    this.#at += name.length;
  }

  /** Past the end, where nothing is whole any more, a nought. */
  #byte(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }

  #double(): number {
    const at = this.#at;
    this.#at += Float64Array.BYTES_PER_ELEMENT;
    return this.#at <= this.#bytes.length ? this.#bytes.readDoubleBE(at) : 0;
  }

  #cut(length: number): string {
    const from = this.#at;
    const end = from + length;
    this.#at = end;
    for (let at = from; at < end; at += 1) {
      if ((this.#bytes[at] ?? 0) > 0x7f) return this.#bytes.toString('utf8', from, end);
    }
    return this.#latin1.slice(from, end);
  }
}

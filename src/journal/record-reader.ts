/**
 * Reads the MessagePack of a record from its beginning to its end, told at each step what must come
 * next. It takes only what the packer of the codec writes, in the one form in which that writes it:
 * where anything else stands it becomes unsound for good, and whatever it answers from then on means
 * nothing. So the questions can be asked without a look at each answer, and `isSound` is asked once.
 *
 * All text of a record is made at once, and each string is a part of it: of the calls that leave
 * JavaScript there is one a record and not one a string.
 */

/** Bytes that must stand there as they are: names of fields, most of all. */
export type Mark = Uint8Array;

/** The name of a field, as it is packed. */
export function mark(name: string): Mark {
  return Buffer.concat([Buffer.from([FIXSTR | name.length]), Buffer.from(name, 'latin1')]);
}

const FIXSTR = 0xa0;
const FIXMAP = 0x80;
const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const BIN8 = 0xc4;
const BIN16 = 0xc5;
const BIN32 = 0xc6;
const FLOAT64 = 0xcb;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
const STR8 = 0xd9;
const STR16 = 0xda;

/** Throws for what is not UTF-8; a byte order mark is text like any other. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class RecordReader {
  /** As it was given: what is answered of it is of its class. */
  readonly #record: Uint8Array;
  readonly #bytes: Buffer;
  /** Each byte as one character: right for text that is ASCII, and only that is taken from it. */
  readonly #characters: string;
  #at = 0;
  #isSound = true;

  constructor(record: Uint8Array) {
    this.#record = record;
    this.#bytes = Buffer.isBuffer(record)
      ? record
      : Buffer.from(record.buffer, record.byteOffset, record.byteLength);
    this.#characters = this.#bytes.toString('latin1');
  }

  /** True where all was as it had to be, and nothing is left. */
  get isSound(): boolean {
    return this.#isSound && this.#at === this.#bytes.length;
  }

  /** To be called where what was read can't be right. */
  refuse(): void {
    this.#isSound = false;
  }

  /** The next value is `null`, and is passed over. */
  isNull(): boolean {
    if (this.#bytes[this.#at] !== NIL) return false;
    this.#at += 1;
    return true;
  }

  /** How many fields the map has that begins here. */
  map(): number {
    const size = this.#next() - FIXMAP;
    if (size < 0 || size > 15) this.refuse();
    return size;
  }

  /** A map of that many fields, the first of which has that name. */
  mapFrom(size: number, first: Mark): void {
    if (this.map() !== size) this.refuse();
    this.field(first);
  }

  field(name: Mark): void {
    const bytes = this.#bytes;
    const start = this.#at;
    for (let index = 0; index < name.length; index += 1) {
      if (bytes[start + index] !== name[index]) this.refuse();
    }
    this.#at = start + name.length;
  }

  text<T extends string = string>(): T {
    const start = this.#startOfText();
    const end = this.#at;
    const bytes = this.#bytes;
    let seen = 0;
    for (let at = start; at < end; at += 1) seen |= bytes[at] ?? 0;
    if (seen < 0x80) return this.#characters.substring(start, end) as T;
    return this.#decoded(start, end) as T;
  }

  nullableText(): string | null {
    return this.isNull() ? null : this.text();
  }

  /** One of those words. */
  word<T extends string>(words: readonly T[]): T {
    const text = this.text<T>();
    if (!words.includes(text)) this.refuse();
    return text;
  }

  /** A whole number from 0 on. */
  whole<T extends number = number>(): T {
    const head = this.#next();
    if (head < 0x80) return head as T;
    const at = this.#at;
    const size = sizeOfNumber(head);
    if (size === 0 || !this.#pass(size)) return this.#unsound(0 as T);
    if (head === FLOAT64) return this.#large() as T;
    return this.#bytes.readUIntBE(at, size) as T;
  }

  nullableWhole(): number | null {
    return this.isNull() ? null : this.whole();
  }

  flag(): boolean {
    const head = this.#next();
    if (head !== TRUE && head !== FALSE) this.refuse();
    return head === TRUE;
  }

  /** They share the record's memory. */
  bytes(): Uint8Array {
    const head = this.#next();
    const lengthBytes = head === BIN8 ? 1 : head === BIN16 ? 2 : head === BIN32 ? 4 : 0;
    const length = this.#length(lengthBytes);
    const start = this.#at;
    return this.#pass(length) ? this.#record.subarray(start, this.#at) : this.#unsound(NO_BYTES);
  }

  /** Passes over the text that comes next, and answers where it begins. */
  #startOfText(): number {
    const head = this.#next();
    const isShort = head >= FIXSTR && head < FIXSTR + 32;
    const lengthBytes = head === STR8 ? 1 : head === STR16 ? 2 : 0;
    const length = isShort ? head - FIXSTR : this.#length(lengthBytes);
    const start = this.#at;
    return this.#pass(length) ? start : this.#unsound(this.#at);
  }

  #decoded(start: number, end: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      return this.#unsound('');
    }
  }

  /** The double that ends here: a whole number that does not fit into 32 bits. */
  #large(): number {
    const value = this.#bytes.readDoubleBE(this.#at - 8);
    return Number.isSafeInteger(value) && value > 0xffff_ffff ? value : this.#unsound(0);
  }

  #length(lengthBytes: number): number {
    const at = this.#at;
    if (lengthBytes === 0 || !this.#pass(lengthBytes)) return this.#unsound(0);
    return this.#bytes.readUIntBE(at, lengthBytes);
  }

  #next(): number {
    const byte = this.#bytes[this.#at] ?? this.#unsound(0);
    this.#at += 1;
    return byte;
  }

  #pass(count: number): boolean {
    if (this.#at + count > this.#bytes.length) return this.#unsound(false);
    this.#at += count;
    return true;
  }

  #unsound<T>(answer: T): T {
    this.refuse();
    return answer;
  }
}

const NO_BYTES = new Uint8Array();

function sizeOfNumber(head: number): number {
  switch (head) {
    case UINT8:
      return 1;
    case UINT16:
      return 2;
    case UINT32:
      return 4;
    case FLOAT64:
      return 8;
    default:
      return 0;
  }
}

/**
 * What the clients of a server that is about to die were told, kept in the memory of the parent
 * process, and what must therefore be there afterwards.
 *
 * A key holds what the acknowledged operation with the highest position left, or what one of those
 * without an answer would have left. What one operation does to several keys it does to all of them
 * or to none; so does the emptying of a bucket.
 */
import type { Fact, Retry } from './facts.ts';

/** The SHA-256 of the bytes and the number in the metadata, or that there is no such object. */
export type Value = string;
export const absent: Value = 'absent';

/** What an operation would leave at a key. */
export interface Change {
  readonly bucket: string;
  readonly path: string;
  readonly value: Value;
}

interface Entry {
  value: Value;
  /** Of the acknowledged operation that left it; 0 at first. */
  position: number;
  /** What the operations without an answer would leave. */
  readonly pending: Map<number, Value>;
}

export interface Ledger {
  /** Notes that an operation was sent; the answer, if there is one, is given to what it returns. */
  begin(...changes: readonly Change[]): Sent;
  beginEmpty(bucket: string): Sent;
  /** Notes that a bucket is there. */
  know(bucket: string): void;
  /** What the key holds, where nothing is under way. */
  known(bucket: string, path: string): Value;
  /** Compares with all that was found, and takes that over. Each problem is a line. */
  settle(found: Found): string[];
  buckets(): string[];
  keys(): readonly { readonly bucket: string; readonly path: string }[];
  /** What is to be asked besides, after every start: the latest of each kind. */
  readonly facts: Fact[];
  /** What got no answer and can be sent again. */
  readonly retries: Retry[];
  readonly acknowledged: number;
}

export interface Sent {
  /** Without a position where it is known to be the last at its keys. */
  acknowledged(position?: number): void;
  refused(): void;
}

/** Bucket → path → value, as a reader found them; a path that is not there was not found. */
export type Found = ReadonlyMap<string, ReadonlyMap<string, Value>>;

export function openLedger({ raced }: { readonly raced: string }): Ledger {
  const entries = new Map<string, Map<string, Entry>>();
  const emptying = new Set<string>();
  /** Of operations without an answer, those on several keys. */
  const together = new Map<number, readonly Change[]>();
  let acknowledged = 0;
  let sent = 0;

  function entry(bucket: string, path: string): Entry {
    const keys = entries.get(bucket) ?? new Map<string, Entry>();
    entries.set(bucket, keys);
    const found = keys.get(path) ?? { value: absent, position: 0, pending: new Map() };
    keys.set(path, found);
    return found;
  }

  /** An operation without an answer must have happened to all of its keys or to none. */
  function halves(found: Found): string[] {
    return [...together.values()].flatMap((changes) => {
      const votes = changes.flatMap(({ bucket, path, value }) => {
        const happened = (found.get(bucket)?.get(path) ?? absent) === value;
        if (entry(bucket, path).value === value) return [];
        // What others race for may have been overwritten since.
        return bucket === raced && !happened ? [] : [happened];
      });
      if (new Set(votes).size < 2) return [];
      const keys = changes.map(({ bucket, path }, index) => `${bucket}/${path} ${votes[index]}`);
      return [`an operation happened to some of its keys only: ${keys.join(', ')}`];
    });
  }

  function settleBucket(bucket: string, found: Found): string[] {
    const problems: string[] = [];
    const held = found.get(bucket) ?? new Map<string, Value>();
    const keys = entries.get(bucket) ?? new Map<string, Entry>();
    for (const path of held.keys()) {
      if (!keys.has(path)) problems.push(`${bucket}/${path} is listed, but nobody stored it`);
    }
    const wasEmptied = emptying.has(bucket) && held.size === 0;
    emptying.delete(bucket);
    for (const [path, one] of keys) {
      const value = held.get(path) ?? absent;
      const allowed = wasEmptied ? [absent] : [one.value, ...one.pending.values()];
      if (!allowed.includes(value)) {
        const expected = allowed.map(short).join(' or ');
        const why = `acknowledged at position ${one.position}`;
        problems.push(`${bucket}/${path} is ${short(value)}, must be ${expected} (${why})`);
      }
      one.value = value;
      one.pending.clear();
    }
    return problems;
  }

  return {
    facts: [],
    retries: [],
    begin(...changes) {
      sent += 1;
      const ticket = sent;
      const touched = changes.map(({ bucket, path, value }) => ({
        one: entry(bucket, path),
        value,
      }));
      for (const { one, value } of touched) one.pending.set(ticket, value);
      if (changes.length > 1) together.set(ticket, changes);
      const end = () => {
        for (const { one } of touched) one.pending.delete(ticket);
        together.delete(ticket);
      };
      return {
        acknowledged(position) {
          acknowledged += 1;
          end();
          for (const { one, value } of touched) {
            const at = position ?? one.position;
            if (at >= one.position) Object.assign(one, { value, position: at });
          }
        },
        refused: end,
      };
    },
    beginEmpty(bucket) {
      emptying.add(bucket);
      return {
        acknowledged(position = 0) {
          acknowledged += 1;
          emptying.delete(bucket);
          for (const one of entries.get(bucket)?.values() ?? []) {
            if (position > one.position) Object.assign(one, { value: absent, position });
          }
        },
        refused: () => void emptying.delete(bucket),
      };
    },
    know: (bucket) => void entries.set(bucket, entries.get(bucket) ?? new Map()),
    known: (bucket, path) => entry(bucket, path).value,
    settle(found) {
      const strange = [...found.keys()].filter((bucket) => !entries.has(bucket));
      const problems = [
        ...strange.map((bucket) => `bucket ${bucket} is listed, but nobody made it`),
        ...halves(found),
        ...[...entries.keys()].flatMap((bucket) => settleBucket(bucket, found)),
      ];
      together.clear();
      return problems;
    },
    buckets: () => [...entries.keys()],
    keys: () =>
      [...entries].flatMap(([bucket, keys]) => [...keys.keys()].map((path) => ({ bucket, path }))),
    get acknowledged() {
      return acknowledged;
    },
  };
}

function short(value: Value): string {
  return value === absent ? value : `${value.slice(0, 12)}${noteOf(value)}`;
}

/** The value of an object with these bytes and this number in its metadata. */
export function storedAs(digest: string, n?: unknown): Value {
  return n === undefined ? digest : `${digest}#${n}`;
}

/** The SHA-256 alone. */
export function digestOf(value: Value): string {
  return value.split('#', 1)[0] ?? '';
}

function noteOf(value: Value): string {
  return value.slice(digestOf(value).length);
}

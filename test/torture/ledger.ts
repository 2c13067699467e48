/**
 * What the clients of a server that is about to die were told, kept in the memory of the parent
 * process, and what must therefore be there afterwards.
 *
 * A key holds what the acknowledged operation with the highest position left, or what one of those
 * without an answer would have left. Emptying a bucket happens to all of its keys or to none.
 */

/** The SHA-256 of the bytes, or that there is no such object. */
export type Value = string;
export const absent: Value = 'absent';

interface Entry {
  value: Value;
  /** Of the acknowledged operation that left it; 0 at first. */
  position: number;
  /** What the operations without an answer would leave. */
  readonly pending: Map<number, Value>;
}

export interface Ledger {
  /** Notes that an operation was sent; the answer, if there is one, is given to what it returns. */
  begin(bucket: string, path: string, value: Value): Sent;
  beginEmpty(bucket: string): Sent;
  /** What the key holds, where nothing is under way. */
  known(bucket: string, path: string): Value;
  /** Compares with all that was found, and takes that over. Each problem is a line. */
  settle(found: Found): string[];
  buckets(): string[];
  keys(): readonly { readonly bucket: string; readonly path: string }[];
  readonly acknowledged: number;
}

export interface Sent {
  acknowledged(position: number): void;
  refused(): void;
}

/** Bucket → path → value, as a reader found them; a path that is not there was not found. */
export type Found = ReadonlyMap<string, ReadonlyMap<string, Value>>;

export function openLedger(): Ledger {
  const entries = new Map<string, Map<string, Entry>>();
  const emptying = new Set<string>();
  let acknowledged = 0;
  let sent = 0;

  function entry(bucket: string, path: string): Entry {
    const keys = entries.get(bucket) ?? new Map<string, Entry>();
    entries.set(bucket, keys);
    const found = keys.get(path) ?? { value: absent, position: 0, pending: new Map() };
    keys.set(path, found);
    return found;
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
    begin(bucket, path, value) {
      const one = entry(bucket, path);
      sent += 1;
      const ticket = sent;
      one.pending.set(ticket, value);
      return {
        acknowledged(position) {
          acknowledged += 1;
          one.pending.delete(ticket);
          if (position > one.position) Object.assign(one, { value, position });
        },
        refused: () => void one.pending.delete(ticket),
      };
    },
    beginEmpty(bucket) {
      emptying.add(bucket);
      return {
        acknowledged(position) {
          acknowledged += 1;
          emptying.delete(bucket);
          for (const one of entries.get(bucket)?.values() ?? []) {
            if (position > one.position) Object.assign(one, { value: absent, position });
          }
        },
        refused: () => void emptying.delete(bucket),
      };
    },
    known: (bucket, path) => entry(bucket, path).value,
    settle(found) {
      const strange = [...found.keys()].filter((bucket) => !entries.has(bucket));
      return [
        ...strange.map((bucket) => `bucket ${bucket} is listed, but nobody made it`),
        ...[...entries.keys()].flatMap((bucket) => settleBucket(bucket, found)),
      ];
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
  return value.slice(0, 12);
}

/**
 * A list, step by step: paths in the order of their UTF-8 bytes or against it, and what they share up to
 * a delimiter as one step. What lies under a common prefix is jumped over, whatever it is.
 */
import type { AbstractSnapshot } from 'abstract-level';
import type { ObjectRow } from '../../domain/object.ts';
import { after, type KeyRange, objectKey, ownedKey, within } from '../keys.ts';
import { Cursor, type Entry } from '../store/cursor.ts';
import { openRow } from '../store/rows.ts';
import type { ViewsStore } from '../store.ts';
import { type ListMark, type ListQuery, ViewsDamaged } from '../views.ts';

export type StepsQuery = Omit<ListQuery, 'limit'> & {
  /** Only paths that go on with this behind the prefix; it holds no delimiter. */
  readonly narrow?: string;
};

export type Step =
  | (ListMark & { readonly kind: 'prefix' })
  | (ListMark & { readonly kind: 'path'; row(): ObjectRow });

export interface StepsOptions {
  readonly snapshot: AbstractSnapshot;
  /** How many entries will be read if nothing is jumped over. */
  readonly expected: number;
}

/** Close it in every case. */
export class Steps {
  readonly #store: ViewsStore;
  readonly #query: StepsQuery;
  readonly #snapshot: AbstractSnapshot;
  readonly #base: Buffer;
  readonly #cursor: Cursor | undefined;
  #passed: string | undefined;

  constructor(store: ViewsStore, query: StepsQuery, { snapshot, expected }: StepsOptions) {
    this.#store = store;
    this.#query = query;
    this.#snapshot = snapshot;
    this.#base = baseOf(query);
    const range = rangeOf(this.#base, query);
    const isEmpty = Buffer.compare(range.gte, range.lt) >= 0;
    const reverse = query.order === 'desc';
    this.#cursor = isEmpty ? undefined : new Cursor(store, range, { snapshot, expected, reverse });
  }

  /** The next step, or undefined at the end. `take` first: it does not wait. */
  async next(): Promise<Step | undefined> {
    for (;;) {
      const step = this.take();
      if (step || !(await this.#cursor?.read())) return step;
    }
  }

  /** The next step of what was read already; undefined where all of that is taken. */
  take(): Step | undefined {
    const entry = this.#cursor?.take();
    if (!entry) return undefined;
    const path = entry.key.toString('utf8', this.#base.length);
    // Against the order a jump lands on the path that is the prefix itself.
    if (this.#passed !== undefined && path === this.#passed) return this.take();
    const value = commonPrefix(path, this.#query);
    if (value === undefined)
      return { kind: 'path', value: path, row: () => this.#row(entry, path) };
    const prefix = Buffer.concat([this.#base, Buffer.from(value)]);
    this.#cursor?.seek(this.#query.order === 'desc' ? prefix : after(prefix));
    this.#passed = value;
    return { kind: 'prefix', value };
  }

  async close(): Promise<void> {
    await this.#cursor?.close();
  }

  #row(entry: Entry, path: string): ObjectRow {
    const { ownerId, keyspace } = this.#query;
    if (ownerId === undefined) return openRow(entry.key, entry.row) as ObjectRow;
    const row = this.#store.get(objectKey(keyspace, path), this.#snapshot);
    if (row) return row as ObjectRow;
    throw new ViewsDamaged(
      `the owner index names a path of keyspace ${keyspace} that is not there`,
    );
  }
}

/** What stands before the path in the keys of the index that answers the query. */
function baseOf({ keyspace, ownerId }: StepsQuery): Buffer {
  return ownerId === undefined ? objectKey(keyspace, '') : ownedKey(ownerId, keyspace, '');
}

function rangeOf(base: Buffer, query: StepsQuery): KeyRange {
  const { prefix, narrow = '', after: mark, order } = query;
  const range = within(Buffer.concat([base, Buffer.from(prefix + narrow)]));
  if (!mark) return range;
  const value = Buffer.concat([base, Buffer.from(mark.value)]);
  if (order === 'desc')
    return Buffer.compare(value, range.lt) < 0 ? { ...range, lt: value } : range;
  // The least key after one path is that path and a NUL, which no path contains.
  const from = mark.kind === 'prefix' ? after(value) : Buffer.concat([value, Buffer.from([0])]);
  return Buffer.compare(from, range.gte) > 0 ? { ...range, gte: from } : range;
}

/** `path` up to the first delimiter after the prefix, the delimiter included. */
function commonPrefix(path: string, { prefix, delimiter }: StepsQuery): string | undefined {
  if (!delimiter) return undefined;
  const found = path.indexOf(delimiter, prefix.length);
  return found < 0 ? undefined : path.slice(0, found + delimiter.length);
}

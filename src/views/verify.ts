/**
 * Whether the views are whole: every row's check, the totals of each keyspace against its rows, and
 * for each current row the ones that stand for it in history, in the indexes and beside its blob, and
 * as many of those as there are rows. What LevelDB lost without a word is found by the numbers, and
 * what it shows in a range but does not find by its key, by asking for each.
 *
 * From one snapshot, a few rows at a time: it may run beside requests.
 */
import type { AbstractSnapshot } from 'abstract-level';
import type { BucketRow, Totals } from '../domain/bucket.ts';
import type { KeyspaceId, ObjectPath } from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import {
  crcsKey,
  createdKey,
  everyRow,
  historyKey,
  keyspaceOf,
  objectKey,
  ownedKey,
  referenceKey,
} from './keys.ts';
import { nameOf, openRow } from './store/rows.ts';
import type { ViewsStore } from './store.ts';
import { type Drain, ViewsDamaged } from './views.ts';

export interface ViewsVerification {
  readonly rows: number;
  /** The first of them, one sentence each. */
  readonly problems: readonly string[];
  readonly problemCount: number;
}

export interface VerifyViewsOptions {
  /** Throws its reason when it aborts. */
  readonly signal?: AbortSignal;
  /** Awaited between any two steps, each of about a millisecond. */
  readonly pause?: () => Promise<void>;
  readonly onProgress?: (rows: number) => void;
}

const rowsPerStep = 64;
const problemsShown = 100;

export async function verifyViews(
  store: ViewsStore,
  options: VerifyViewsOptions = {},
): Promise<ViewsVerification> {
  const snapshot = store.snapshot();
  const check = new Check(store, snapshot);
  try {
    await readAll(check, store, { snapshot, options });
    check.finish();
  } catch (fault) {
    // LevelDB itself can't read on: what lies behind is not known.
    if (!(fault instanceof ViewsDamaged)) throw fault;
    check.note(fault.message);
  } finally {
    await snapshot.close();
  }
  const { rows, problems, problemCount } = check;
  return { rows, problems, problemCount };
}

async function readAll(
  check: Check,
  store: ViewsStore,
  {
    snapshot,
    options,
  }: { readonly snapshot: AbstractSnapshot; readonly options: VerifyViewsOptions },
): Promise<void> {
  const { signal, pause, onProgress } = options;
  const iterator = store.iterator(everyRow, { snapshot });
  try {
    for (;;) {
      signal?.throwIfAborted();
      const page = await iterator.nextv(rowsPerStep);
      if (page.length === 0) return;
      for (const [key, row] of page) check.take(key, row);
      onProgress?.(check.rows);
      await pause?.();
    }
  } finally {
    await iterator.close();
  }
}

class Check {
  rows = 0;
  problemCount = 0;
  readonly problems: string[] = [];
  readonly #store: ViewsStore;
  readonly #snapshot: AbstractSnapshot;
  readonly #counted = new Map<KeyspaceId, { totals: Totals; owners: Map<string | null, number> }>();
  readonly #stored = new Map<KeyspaceId, Totals>();
  /** The owner of the bucket to which a keyspace belongs, or belonged. */
  readonly #owners = new Map<KeyspaceId, string | null>();
  /** Of these each current row has exactly one, of `w` where it has an owner. */
  readonly #found = { c: 0, r: 0, w: 0 };
  readonly #wanted = { c: 0, r: 0, w: 0 };

  constructor(store: ViewsStore, snapshot: AbstractSnapshot) {
    this.#store = store;
    this.#snapshot = snapshot;
  }

  take(key: Buffer, row: Buffer): void {
    this.rows += 1;
    try {
      this.#read(key, openRow(key, row));
      // LevelDB finds a key by filters that a range does not pass: a bit of theirs hides a row.
      if (!this.#has(key))
        this.note(`row ${nameOf(key)} is in its range, but is not found by its key`);
    } catch (fault) {
      if (!(fault instanceof ViewsDamaged)) throw fault;
      this.note(fault.message);
    }
  }

  note(problem: string): void {
    this.problemCount += 1;
    if (this.problems.length < problemsShown) this.problems.push(problem);
  }

  finish(): void {
    for (const keyspace of new Set([...this.#counted.keys(), ...this.#stored.keys()])) {
      this.#compare(keyspace);
    }
    const names = { c: 'rows by age', r: 'references', w: 'rows by owner' };
    for (const kind of ['c', 'r', 'w'] as const) {
      const [found, wanted] = [this.#found[kind], this.#wanted[kind]];
      if (found !== wanted) this.note(`there are ${found} ${names[kind]} instead of ${wanted}`);
    }
  }

  #read(key: Buffer, value: unknown): void {
    const kind = key.toString('latin1', 0, 1);
    switch (kind) {
      case 'o':
        this.#object(key, value as ObjectRow);
        return;
      case 'b': {
        const { keyspace, owner_id } = value as BucketRow;
        this.#owners.set(keyspace, owner_id);
        return;
      }
      case 'd': {
        const { keyspace, bucket } = value as Drain;
        this.#owners.set(keyspace, bucket.owner_id);
        return;
      }
      case 't':
        this.#stored.set(keyspaceOf(key), value as Totals);
        return;
      case 'c':
      case 'r':
      case 'w':
        this.#found[kind] += 1;
        return;
      default:
    }
  }

  #object(key: Buffer, row: ObjectRow): void {
    const keyspace = keyspaceOf(key);
    const path = key.toString('utf8', objectKey(keyspace, '').length) as ObjectPath;
    const { owner_id, size, id, blob_id, created_at, position } = row;
    const entry = this.#counted.get(keyspace) ?? {
      totals: { count: 0, bytes: 0, foreign: 0 },
      owners: new Map<string | null, number>(),
    };
    const { count, bytes } = entry.totals;
    entry.totals = { count: count + 1, bytes: bytes + size, foreign: 0 };
    entry.owners.set(owner_id, (entry.owners.get(owner_id) ?? 0) + 1);
    this.#counted.set(keyspace, entry);
    const companions = {
      h: historyKey({ keyspace, path, position }),
      k: crcsKey(blob_id),
      c: createdKey(keyspace, created_at, id),
      r: referenceKey(blob_id, keyspace, id),
      ...(owner_id === null ? {} : { w: ownedKey(owner_id, keyspace, path) }),
    };
    this.#wanted.c += 1;
    this.#wanted.r += 1;
    if (owner_id !== null) this.#wanted.w += 1;
    for (const [kind, companion] of Object.entries(companions)) {
      if (this.#has(companion)) continue;
      this.note(`row ${kind} is missing of the object ${id} in keyspace ${keyspace}`);
    }
  }

  #compare(keyspace: KeyspaceId): void {
    const entry = this.#counted.get(keyspace);
    const owner = this.#owners.get(keyspace);
    const stored = this.#stored.get(keyspace) ?? { count: 0, bytes: 0, foreign: 0 };
    const { count, bytes } = entry?.totals ?? { count: 0, bytes: 0 };
    const own = owner === undefined ? undefined : (entry?.owners.get(owner) ?? 0);
    // A keyspace of no bucket, such as one that is being restored, has no owner to compare with.
    const foreign = own === undefined ? stored.foreign : count - own;
    const differs = count !== stored.count || bytes !== stored.bytes || foreign !== stored.foreign;
    if (!differs) return;
    this.note(
      `keyspace ${keyspace} has ${count} objects, ${bytes} bytes, ${foreign} of others, instead of ${stored.count}, ${stored.bytes}, ${stored.foreign}`,
    );
  }

  #has(key: Buffer): boolean {
    try {
      return this.#store.get(key, this.#snapshot) !== undefined;
    } catch (fault) {
      // It is there, and damaged: told when its own turn comes.
      if (fault instanceof ViewsDamaged) return true;
      throw fault;
    }
  }
}

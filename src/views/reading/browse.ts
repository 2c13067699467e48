/**
 * Lists in other orders than that of an index, and from an offset. By path they read what they skip and
 * what they show; by a time they read all that there is below the prefix, of folders one entry each.
 * More than `browsable` steps are too much: the caller is told so, and no request keeps others waiting.
 */
import type { AbstractSnapshot } from 'abstract-level';
import type { KeyspaceId } from '../../domain/names.ts';
import type { ObjectRow } from '../../domain/object.ts';
import { objectKey } from '../keys.ts';
import type { ViewsStore } from '../store.ts';
import { type BrowseMark, type BrowsePage, type BrowseQuery, ViewsDamaged } from '../views.ts';
import { type Step, Steps } from './steps.ts';

/** Steps in one request: a second or three of a machine with two cores, with others in between. */
export const browsable = 100_000;

export async function browse(
  store: ViewsStore,
  query: BrowseQuery,
): Promise<BrowsePage | undefined> {
  const snapshot = store.snapshot();
  try {
    const found = await collect(store, query, snapshot);
    if (!found) return undefined;
    const end = query.offset + query.limit;
    const shown = found.slice(query.offset, end);
    const last = shown.at(-1);
    const entries = shown.map(({ kind, value, row }) =>
      kind === 'prefix'
        ? { kind, value }
        : {
            kind: 'object' as const,
            row: row ?? rowAt(store, query.keyspace, { value, snapshot }),
          },
    );
    const next = last && { kind: last.kind, value: last.value, time: last.time };
    return { entries, next: found.length > end ? next : undefined };
  } finally {
    await snapshot.close();
  }
}

function rowAt(
  store: ViewsStore,
  keyspace: KeyspaceId,
  { value, snapshot }: { readonly value: string; readonly snapshot: AbstractSnapshot },
): ObjectRow {
  const row = store.get(objectKey(keyspace, value), snapshot);
  if (!row) throw new ViewsDamaged('the index of a list names a path that is not there');
  return row as ObjectRow;
}

interface Found extends BrowseMark {
  /** Where it is read anyway and few are kept. */
  readonly row?: ObjectRow;
}

/** What matches, in order, as far as the page needs it. */
async function collect(
  store: ViewsStore,
  query: BrowseQuery,
  snapshot: AbstractSnapshot,
): Promise<Found[] | undefined> {
  const isByPath = query.by === 'path';
  const needed = query.offset + query.limit + 1;
  const wanted = query.search.toLowerCase();
  const found: Found[] = [];
  let read = 0;
  for (const narrow of beginnings(query)) {
    const { search: _search, by: _by, after, ...rest } = query;
    const mark = isByPath && after ? { after } : {};
    const expected = query.delimiter ? 128 : needed;
    const steps = new Steps(store, { ...rest, ...mark, narrow }, { snapshot, expected });
    try {
      for (;;) {
        const step = steps.take() ?? (await steps.next());
        if (!step) break;
        read += 1;
        if (read > browsable) return undefined;
        if (!nameOf(step, query).toLowerCase().startsWith(wanted)) continue;
        const candidate = candidateOf(step, query);
        if (!isByPath && after && compare(candidate, after, query) <= 0) continue;
        const isShown = isByPath && found.length >= query.offset;
        const row = isShown && step.kind === 'path' ? { row: step.row() } : {};
        found.push({ ...candidate, ...row });
        if (isByPath && found.length >= needed) return found;
        if (found.length > 2 * needed + slack) keepFirst(found, needed, query);
      }
    } finally {
      await steps.close();
    }
  }
  return isByPath ? found : found.sort((left, right) => compare(left, right, query));
}

/** Sorted now and then, a few stay of however many there are. */
const slack = 1024;

function keepFirst(found: Found[], count: number, query: BrowseQuery): void {
  found.sort((left, right) => compare(left, right, query));
  found.length = count;
}

function nameOf({ value }: Step, { prefix }: BrowseQuery): string {
  return value.slice(prefix.length);
}

function candidateOf(step: Step, { by }: BrowseQuery): BrowseMark {
  const { kind, value } = step;
  return { kind, value, time: kind === 'path' && by !== 'path' ? step.row()[by] : 0 };
}

/** Prefixes before paths, then by time, then by the bytes of the path. */
function compare(left: BrowseMark, right: BrowseMark, { order }: BrowseQuery): number {
  if (left.kind !== right.kind) return left.kind === 'prefix' ? -1 : 1;
  const ascending =
    left.time - right.time || Buffer.compare(Buffer.from(left.value), Buffer.from(right.value));
  return order === 'asc' ? ascending : -ascending;
}

/** As many letters are looked for in both cases, one way after the other; what follows is compared. */
const foldedLetters = 4;
const foldedBytes = 64;

/** ASCII without control characters and the slash, up to the letter that would be one too many. */
const foldable = new RegExp(
  `^(?:[\\x20-\\x2e\\x30-\\x40\\x5b-\\x60\\x7b-\\x7e]*[A-Za-z]?){0,${foldedLetters}}`,
);

/** The ways in which the search's first letters can be written, in the order of the list. */
function beginnings({ search, order }: BrowseQuery): string[] {
  const letters = foldable.exec(search.slice(0, foldedBytes))?.[0] ?? '';
  const ways = [...letters].reduce(
    (heads, letter) => {
      const cases = new Set([letter.toUpperCase(), letter.toLowerCase()]);
      return heads.flatMap((head) => [...cases].map((one) => head + one));
    },
    [''],
  );
  return order === 'desc' ? ways.reverse() : ways;
}

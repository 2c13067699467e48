/**
 * API.md "Who may do what", cell by cell, as data. Each row stands once for each of its actions, each
 * line is a column of API.md, each word is one bucket: its policy, and `+` where every signed-in user
 * may write. Derived from the document, never from src/domain/policy.ts.
 *
 * A dash in API.md ("–") is read as: no more than any other user.
 */
import type { AccessRequest, Action, BucketCreators } from '../../src/domain/policy.ts';
import type { RejectionCode } from '../../src/domain/rejection.ts';
import { bucketOf, callers } from './samples.ts';

const columns = ['anonymous', 'user', 'object owner', 'bucket owner', 'service'] as const;
type Column = (typeof columns)[number];

const variants = [
  { policy: 'private', write_policy: 'owner' },
  { policy: 'private', write_policy: 'authenticated' },
  { policy: 'authenticated', write_policy: 'owner' },
  { policy: 'authenticated', write_policy: 'authenticated' },
  { policy: 'public', write_policy: 'owner' },
  { policy: 'public', write_policy: 'authenticated' },
] as const;

/** What a word of the table means: rows shown or allowed, or the code of the refusal. */
const words = {
  yes: 'allowed',
  all: 'allowed',
  own: 'allowed',
  sign_in: 'MissingAuthorization',
  denied: 'AccessDenied',
  no_bucket: 'NoSuchBucket',
  no_key: 'NoSuchKey',
} as const satisfies Record<string, RejectionCode | 'allowed'>;
type Word = keyof typeof words;

interface Row {
  /** The row of API.md, and what is there. */
  readonly row: string;
  readonly actions: readonly Action[];
  readonly there: 'object' | 'bucket' | 'nothing';
  readonly bucketCreators?: BucketCreators;
  /** private · private+ · authenticated · authenticated+ · public · public+; one where no bucket is there. */
  readonly cells: string;
}

export interface PolicyCase {
  readonly name: string;
  readonly request: AccessRequest;
  readonly expected: 'allowed' | RejectionCode;
  /** Of a list: whose rows it shows. */
  readonly rows: 'all' | 'own' | undefined;
}

const table: readonly Row[] = [
  {
    row: 'read',
    actions: ['object.read'],
    there: 'object',
    cells: `
      anonymous    | no_bucket no_bucket no_bucket no_bucket yes yes
      user         | no_bucket no_key    yes       yes       yes yes
      object owner | yes       yes       yes       yes       yes yes
      bucket owner | no_key    no_key    yes       yes       yes yes
      service      | yes       yes       yes       yes       yes yes`,
  },
  {
    row: 'sign for download',
    actions: ['object.sign_download'],
    there: 'object',
    cells: `
      anonymous    | sign_in   sign_in   sign_in   sign_in   sign_in sign_in
      user         | no_bucket no_key    yes       yes       yes     yes
      object owner | yes       yes       yes       yes       yes     yes
      bucket owner | no_key    no_key    yes       yes       yes     yes
      service      | yes       yes       yes       yes       yes     yes`,
  },
  {
    // Who may not read older bytes must not learn that there were any: they are as good as missing,
    // on a path whose bytes of today are readable too.
    row: 'read deleted or older bytes, bring back',
    actions: ['object.read_history'],
    there: 'object',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket no_key  no_key  no_key  no_key  no_key
      object owner | yes       yes     yes     yes     yes     yes
      bucket owner | no_key    no_key  no_key  no_key  no_key  no_key
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'list, query, events',
    actions: ['object.list'],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket own     all     all     all     all
      object owner | own       own     all     all     all     all
      bucket owner | own       own     all     all     all     all
      service      | all       all     all     all     all     all`,
  },
  {
    row: 'add object, or sign for it',
    actions: ['object.add'],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket yes     denied  yes     denied  yes
      object owner | no_bucket yes     denied  yes     denied  yes
      bucket owner | yes       yes     yes     yes     yes     yes
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    // "Writing to a path that holds someone else's object: 403", also where it can't be read.
    row: 'overwrite',
    actions: ['object.overwrite'],
    there: 'object',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket denied  denied  denied  denied  denied
      object owner | yes       yes     yes     yes     yes     yes
      bucket owner | denied    denied  denied  denied  denied  denied
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'change metadata, move away',
    actions: ['object.patch', 'object.move_away'],
    there: 'object',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket no_key  denied  denied  denied  denied
      object owner | yes       yes     yes     yes     yes     yes
      bucket owner | no_key    no_key  denied  denied  denied  denied
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'delete object',
    actions: ['object.delete'],
    there: 'object',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket no_key  denied  denied  denied  denied
      object owner | yes       yes     yes     yes     yes     yes
      bucket owner | yes       yes     yes     yes     yes     yes
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'revoke what was signed for a path that holds an object',
    actions: ['object.revoke'],
    there: 'object',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket no_key  denied  denied  denied  denied
      object owner | yes       yes     yes     yes     yes     yes
      bucket owner | yes       yes     yes     yes     yes     yes
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'revoke what was signed for a free path',
    actions: ['object.revoke'],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket no_key  no_key  no_key  no_key  no_key
      object owner | no_bucket no_key  no_key  no_key  no_key  no_key
      bucket owner | yes       yes     yes     yes     yes     yes
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'see bucket',
    actions: ['bucket.see'],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket yes     yes     yes     yes     yes
      object owner | no_bucket yes     yes     yes     yes     yes
      bucket owner | yes       yes     yes     yes     yes     yes
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'update, empty, delete bucket, restore it, revoke what was signed for it',
    actions: ['bucket.update', 'bucket.empty', 'bucket.delete', 'bucket.restore', 'bucket.revoke'],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket denied  denied  denied  denied  denied
      object owner | no_bucket denied  denied  denied  denied  denied
      bucket owner | yes       yes     yes     yes     yes     yes
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'widen policy while it holds objects of others',
    actions: ['bucket.widen'],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket denied  denied  denied  denied  denied
      object owner | no_bucket denied  denied  denied  denied  denied
      bucket owner | denied    denied  denied  denied  denied  denied
      service      | yes       yes     yes     yes     yes     yes`,
  },
  {
    row: 'read a missing object',
    actions: ['object.read'],
    there: 'bucket',
    cells: `
      anonymous    | no_bucket no_bucket no_bucket no_bucket no_key no_key
      user         | no_bucket no_key    no_key    no_key    no_key no_key
      object owner | no_bucket no_key    no_key    no_key    no_key no_key
      bucket owner | no_key    no_key    no_key    no_key    no_key no_key
      service      | no_key    no_key    no_key    no_key    no_key no_key`,
  },
  {
    row: 'sign, change or delete a missing object',
    actions: [
      'object.sign_download',
      'object.read_history',
      'object.patch',
      'object.move_away',
      'object.delete',
    ],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket no_key  no_key  no_key  no_key  no_key
      object owner | no_bucket no_key  no_key  no_key  no_key  no_key
      bucket owner | no_key    no_key  no_key  no_key  no_key  no_key
      service      | no_key    no_key  no_key  no_key  no_key  no_key`,
  },
  {
    // A write to a free path is an add; asked as an overwrite it finds nothing.
    row: 'overwrite a missing object',
    actions: ['object.overwrite'],
    there: 'bucket',
    cells: `
      anonymous    | sign_in   sign_in sign_in sign_in sign_in sign_in
      user         | no_bucket denied  denied  denied  denied  denied
      object owner | no_bucket denied  denied  denied  denied  denied
      bucket owner | denied    denied  denied  denied  denied  denied
      service      | no_key    no_key  no_key  no_key  no_key  no_key`,
  },
  {
    row: 'read in a missing bucket',
    actions: ['object.read'],
    there: 'nothing',
    cells: `
      anonymous    | no_bucket
      user         | no_bucket
      object owner | no_bucket
      bucket owner | no_bucket
      service      | no_bucket`,
  },
  {
    row: 'anything else on a missing bucket',
    actions: [
      'object.sign_download',
      'object.read_history',
      'object.add',
      'object.overwrite',
      'object.patch',
      'object.move_away',
      'object.delete',
      'object.revoke',
      'object.list',
      'bucket.see',
      'bucket.update',
      'bucket.widen',
      'bucket.empty',
      'bucket.delete',
      'bucket.restore',
      'bucket.revoke',
    ],
    there: 'nothing',
    cells: `
      anonymous    | sign_in
      user         | no_bucket
      object owner | no_bucket
      bucket owner | no_bucket
      service      | no_bucket`,
  },
  {
    row: 'list the buckets that the caller sees',
    actions: ['bucket.list'],
    there: 'nothing',
    cells: `
      anonymous    | sign_in
      user         | yes
      object owner | yes
      bucket owner | yes
      service      | yes`,
  },
  {
    row: 'create bucket where BUCKET_CREATORS = authenticated',
    actions: ['bucket.create'],
    there: 'nothing',
    bucketCreators: 'authenticated',
    cells: `
      anonymous    | sign_in
      user         | yes
      object owner | yes
      bucket owner | yes
      service      | yes`,
  },
  {
    row: 'create bucket where BUCKET_CREATORS = service',
    actions: ['bucket.create'],
    there: 'nothing',
    bucketCreators: 'service',
    cells: `
      anonymous    | sign_in
      user         | denied
      object owner | denied
      bucket owner | denied
      service      | yes`,
  },
];

export const policyCases: readonly PolicyCase[] = table.flatMap(casesOf);

function casesOf(row: Row): PolicyCase[] {
  const lines = row.cells.trim().split('\n');
  if (lines.length !== columns.length) throw new Error(`${row.row}: a line for each caller`);
  return lines.flatMap((line, index) => {
    const [label = '', cells = ''] = line.split('|').map((part) => part.trim());
    const column = columns[index];
    if (column === undefined || label !== column) throw new Error(`${row.row}: no ${label} here`);
    const outcomes = cells.split(/\s+/).map(wordOf);
    if (outcomes.length !== (row.there === 'nothing' ? 1 : variants.length)) {
      throw new Error(`${row.row}, ${label}: ${outcomes.length} words`);
    }
    return row.actions.flatMap((action) =>
      outcomes.map((word, at) => caseOf(row, { action, column, word, variant: variants[at] })),
    );
  });
}

interface Cell {
  readonly action: Action;
  readonly column: Column;
  readonly word: Word;
  readonly variant: (typeof variants)[number] | undefined;
}

function caseOf(row: Row, { action, column, word, variant }: Cell): PolicyCase {
  const place =
    row.there === 'nothing' ? '' : ` (${variant?.policy}, written by ${variant?.write_policy})`;
  return {
    name: `${row.row}: ${column}, ${action}${place} → ${word}`,
    request: {
      caller: callers[column],
      action,
      bucket: row.there === 'nothing' ? undefined : bucketOf(variant),
      object: row.there === 'object' ? { owner_id: 'olga' } : undefined,
      ownsObjects: column === 'object owner',
      ...(row.bucketCreators ? { bucketCreators: row.bucketCreators } : {}),
    },
    expected: words[word],
    rows: word === 'all' || word === 'own' ? word : undefined,
  };
}

function wordOf(text: string): Word {
  if (!Object.hasOwn(words, text)) throw new Error(`${text} is no word of the table`);
  return text as Word;
}

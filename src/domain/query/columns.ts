/**
 * What can be asked about: the columns of the two collections, and the members of user metadata
 * (`metadata->>key`, `metadata->outer->>inner`). Names come from callers, so they are only ever
 * looked up in a Map, and members only where an object has them of its own.
 */
import { rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';

/** `json` is shown and never compared; times are Unix ms. */
export type ColumnKind = 'text' | 'number' | 'time' | 'boolean' | 'json';
export type Columns = ReadonlyMap<string, ColumnKind>;

export const collections = ['storage_objects', 'storage_buckets'] as const;
export type Collection = (typeof collections)[number];

const objectColumns = {
  id: 'text',
  bucket_id: 'text',
  path: 'text',
  owner_id: 'text',
  size: 'number',
  content_type: 'text',
  etag: 'text',
  version: 'text',
  cache_control: 'text',
  metadata: 'json',
  created_at: 'time',
  updated_at: 'time',
} as const satisfies Record<string, ColumnKind>;

const bucketColumns = {
  id: 'text',
  name: 'text',
  policy: 'text',
  write_policy: 'text',
  owner_id: 'text',
  allowed_mime_types: 'json',
  max_file_size: 'number',
  created_at: 'time',
  updated_at: 'time',
  public: 'boolean',
} as const satisfies Record<string, ColumnKind>;

const columnsByCollection: Readonly<Record<Collection, Columns>> = {
  storage_objects: new Map<string, ColumnKind>(Object.entries(objectColumns)),
  storage_buckets: new Map<string, ColumnKind>(Object.entries(bucketColumns)),
};

export function columnsOf(collection: Collection): Columns {
  return columnsByCollection[collection];
}

/** A value that is compared. */
export type Value = string | number | boolean | null;

/** Values by column; `metadata` is its JSON text. */
export type QueryRow = object;

export interface Field {
  readonly column: string;
  /** `member`: of the JSON in the column. */
  readonly kind: Exclude<ColumnKind, 'json'> | 'member';
  /** The way to a member; empty for a column. */
  readonly keys: readonly string[];
  /** `->>`: the member as text, whatever it is. */
  readonly asText: boolean;
}

const maxShown = 100;

/** A name as a refusal shows it. */
export function shown(name: string): string {
  return `"${name.length > maxShown ? `${name.slice(0, maxShown)}…` : name}"`;
}

/** A column or a member that can be compared. */
export function parseField(columns: Columns, name: string): Result<Field> {
  const arrow = name.indexOf('->');
  const column = arrow < 0 ? name : name.slice(0, arrow);
  const kind = columns.get(column);
  if (kind === undefined || (arrow >= 0 && column !== 'metadata')) return unknownColumn(name);
  if (arrow < 0) {
    if (kind !== 'json') return ok({ column, kind, keys: [], asText: false });
    const hint = column === 'metadata' ? { hint: 'Name a key, as in metadata->>project.' } : {};
    return refuse(
      rejection('InvalidRequest', `The column ${shown(name)} can not be compared`, hint),
    );
  }
  return parseMember(name, arrow);
}

const maxDepth = 8;

function parseMember(name: string, arrow: number): Result<Field> {
  const keys: string[] = [];
  let rest = name.slice(arrow);
  let asText = false;
  while (rest !== '') {
    if (asText || keys.length === maxDepth) return unknownColumn(name);
    asText = rest.startsWith('->>');
    rest = rest.slice(asText ? 3 : 2);
    const end = rest.indexOf('->');
    const key = end < 0 ? rest : rest.slice(0, end);
    if (key === '') return unknownColumn(name);
    keys.push(key);
    rest = rest.slice(key.length);
  }
  return ok({ column: 'metadata', kind: 'member', keys, asText });
}

function unknownColumn(name: string) {
  return refuse(rejection('InvalidRequest', `Unknown column ${shown(name)}`));
}

/** Reads a row's fields; the JSON of its metadata is parsed at most once. */
export function fieldReader(row: QueryRow): (field: Field) => Value {
  const values = row as Readonly<Record<string, unknown>>;
  let metadata: unknown;
  return (field) => {
    if (field.kind !== 'member') return (values[field.column] ?? null) as Value;
    metadata ??= parsed(values.metadata);
    return memberOf(metadata, field);
  };
}

function parsed(text: unknown): unknown {
  return typeof text === 'string' ? (JSON.parse(text) as unknown) : {};
}

function memberOf(metadata: unknown, { keys, asText }: Field): Value {
  let value = metadata;
  for (const key of keys) value = ownMember(value, key);
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'object') return JSON.stringify(value);
  return asText ? String(value) : (value as Value);
}

function ownMember(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  if (Array.isArray(value) && !/^\d+$/.test(key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

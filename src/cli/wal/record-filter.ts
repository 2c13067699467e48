/** The filters of `wal dump`: a range of the log, and what a record is about. All of them must hold. */
import { Option } from 'commander';
import type { CommittedRecord } from '../../domain/events.ts';
import { misuse } from '../failures.ts';
import { eventTypes, type RecordFacts } from './record-facts.ts';

/** An end of a range, inclusive. */
export type Bound =
  | { readonly kind: 'position'; readonly position: number }
  | { readonly kind: 'time'; readonly timeMs: number };

export interface FilterOptions {
  readonly from?: Bound;
  readonly to?: Bound;
  readonly type?: readonly string[];
  readonly bucket?: string;
  readonly path?: string;
  readonly owner?: string;
}

export const filterOptions: readonly Option[] = [
  new Option('--from <bound>', 'first position or time (RFC 3339)').argParser((value) =>
    parseBound('--from', value),
  ),
  new Option('--to <bound>', 'last position or time (RFC 3339)').argParser((value) =>
    parseBound('--to', value),
  ),
  new Option('--type <types>', 'object.stored, bucket.created, …, with commas').argParser(
    parseTypes,
  ),
  new Option('--bucket <bucket>', "a bucket's name or uid"),
  new Option('--path <path>', "an object's whole path"),
  new Option('--owner <id>', "the object's or the bucket's owner"),
];

type Place = Pick<CommittedRecord, 'position' | 'timeMs'>;

export function isBefore(place: Place, bound: Bound | undefined): boolean {
  if (bound === undefined) return false;
  return bound.kind === 'position' ? place.position < bound.position : place.timeMs < bound.timeMs;
}

export function isBehind(place: Place, bound: Bound | undefined): boolean {
  if (bound === undefined) return false;
  return bound.kind === 'position' ? place.position > bound.position : place.timeMs > bound.timeMs;
}

/** Whether a record is about what was asked for, wherever in the log it lies. */
export function isWanted(type: string, facts: RecordFacts, options: FilterOptions): boolean {
  const { buckets, paths, owners } = facts.matches;
  return (
    (options.type === undefined || options.type.includes(type)) &&
    (options.bucket === undefined || buckets.includes(options.bucket)) &&
    (options.path === undefined || paths.includes(options.path)) &&
    (options.owner === undefined || owners.includes(options.owner))
  );
}

function parseBound(name: string, value: string): Bound {
  if (/^\d{1,15}$/.test(value)) return { kind: 'position', position: Number(value) };
  const timeMs = /^\d{4}-\d\d-\d\d(T|$)/.test(value) ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(timeMs)) return { kind: 'time', timeMs };
  throw misuse(`${name} is not valid: use a position, or a time such as 2026-01-31T12:00:00Z.`);
}

function parseTypes(value: string): readonly string[] {
  const types = value.split(',').map((type) => type.trim());
  const unknown = types.find((type) => !eventTypes.includes(type));
  if (unknown === undefined) return types;
  throw misuse(`--type: no record has the type "${unknown}". There are ${eventTypes.join(', ')}.`);
}

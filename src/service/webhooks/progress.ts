/**
 * How far a webhook has come: what is delivered, what is being tried, what was given up for now. It is
 * no record: losing the last second of it delivers some events again, under the same ids.
 */
import type { Position } from '../../domain/names.ts';
import type { From, Place } from '../subscriptions/subscriptions.ts';

export interface Attempt {
  /** Unix ms. */
  readonly atMs: number;
  readonly delivered: boolean;
  /** Of the answer; null where there was none, which `error` explains. */
  readonly status: number | null;
  readonly error: string | null;
}

export interface Parked {
  readonly place: Place;
  /** Where to look for it: it is the next of its webhook's events after this one. */
  readonly after: Place;
  readonly tries: number;
  readonly last: Attempt;
  /** It is to be tried once more, before what comes next. */
  readonly due: boolean;
}

export interface Progress {
  /** All up to here was delivered or parked, or is none of this webhook's. */
  readonly at: Place;
  /** The next one, where it has failed. `nextMs`: when it is tried again, Unix ms. */
  readonly trying: {
    readonly place: Place;
    readonly tries: number;
    readonly nextMs: number;
  } | null;
  /** The oldest first. */
  readonly parked: readonly Parked[];
  readonly last: Attempt | null;
}

/** Of one webhook; when so many are parked, its receiver is not there any more. */
export const maxParked = 1_000;

export function progressFrom(position: Position): Progress {
  return { at: { epoch: 0, position }, trying: null, parked: [], last: null };
}

export function documentOf(progress: Progress): unknown {
  return { v: 1, ...progress };
}

/** undefined for a document of another version, which then counts as lost. */
export function progressIn(document: unknown): Progress | undefined {
  const { v, ...progress } = (document ?? {}) as Progress & { readonly v?: number };
  return v === 1 ? progress : undefined;
}

/** What is recorded of a place may lack its epoch: then the position alone says it, in this very log. */
export function fromOf({ epoch, position }: Place): From {
  if (position === 0) return { kind: 'beginning' };
  return { kind: 'after', position, ...(epoch === 0 ? {} : { epoch }) };
}

/** Back to `place`, or on to it: what was parked behind it comes again in its order. */
export function movedTo(progress: Progress, place: Place): Progress {
  const parked = progress.parked.filter((one) => one.place.position <= place.position);
  return { ...progress, at: place, trying: null, parked };
}

/** Tries these once more; all that are parked where none is named. */
export function withDue(progress: Progress, positions?: ReadonlySet<Position>): Progress {
  const parked = progress.parked.map((one) =>
    (positions?.has(one.place.position) ?? true) ? { ...one, due: true } : one,
  );
  return { ...progress, parked };
}

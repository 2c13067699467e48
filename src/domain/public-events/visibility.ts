/**
 * Who hears of what. An announcement has up to three sides: where it happened, where an object came
 * from that was moved, what was copied. Each is decided by the policy, by the facts in the record and,
 * where that bucket still exists, by its policy of today as well. A side that the caller may not read
 * is not told of, and does not match their filter either: nobody finds out by filtering.
 */
import type { Caller } from '../caller.ts';
import type { EventFilter } from '../events.ts';
import { type AccessRequest, type Decision, decide } from '../policy.ts';
import type { Announcement, Side } from './announcement.ts';

/** The sides of one announcement that a caller may hear of. */
export interface Sight {
  readonly place: boolean;
  readonly from: boolean;
  readonly source: boolean;
  /** True where nothing but the service role's branch allowed it. */
  readonly bypass: boolean;
}

/** The bucket of that name today; undefined where there is none. */
export type Today = (name: Side['bucket']['name']) => AccessRequest['bucket'];

/** undefined where the caller may not hear of it, or no filter's side is one that they may. */
export function sightOf(
  announcement: Announcement,
  caller: Caller,
  { filters, today }: { readonly filters: readonly EventFilter[]; readonly today: Today },
): Sight | undefined {
  const { place, from, source } = announcement;
  if (!filters.every((filter) => mayMatch(announcement, filter))) return undefined;
  const here = decideSide(place, caller, today);
  const before = from && decideSide(from, caller, today);
  const heard = [here.allowed ? place : undefined, before?.allowed ? from : undefined];
  if (!heard.some((side) => side && filters.every((filter) => isWithin(side, filter)))) {
    return undefined;
  }
  return {
    place: here.allowed,
    from: before?.allowed === true,
    source: source !== undefined && decideSide(source, caller, today).allowed,
    bypass: (here.allowed ? here.bypass : true) && before?.bypass !== false,
  };
}

/** A cheap no, before any policy is asked: neither side can match. */
function mayMatch({ type, place, from }: Announcement, filter: EventFilter): boolean {
  if (filter.types !== null && !filter.types.includes(type)) return false;
  return isWithin(place, filter) || (from !== undefined && isWithin(from, filter));
}

/** A bucket's own events are within no prefix. */
function isWithin({ bucket, path }: Side, filter: EventFilter): boolean {
  if (filter.bucket !== null && filter.bucket !== bucket.name) return false;
  return filter.prefix === null || filter.prefix === '' || path?.startsWith(filter.prefix) === true;
}

const no: Decision = { allowed: false, rule: 'no rule allows it', bypass: false };

function decideSide(side: Side, caller: Caller, today: Today): Decision {
  // Without credentials no event is heard, not even of what anybody may read.
  if (caller.kind === 'anonymous') return no;
  const then = decide(requestOf(side, caller, side.bucket));
  if (!then.allowed) return then;
  const bucket = today(side.bucket.name);
  // Deleted, or deleted and created again: the policy of today is no word on this one.
  if (bucket?.uid !== side.bucket.uid) return then;
  const now = decide(requestOf(side, caller, bucket));
  return now.allowed ? { ...now, bypass: now.bypass || then.bypass } : now;
}

function requestOf(side: Side, caller: Caller, bucket: AccessRequest['bucket']): AccessRequest {
  return side.path === null
    ? { caller, action: 'bucket.see', bucket }
    : { caller, action: 'object.read', bucket, object: side };
}

/** What a request for events asks: parameters and headers into filters and a place to begin. */
import type { EventFilter } from '../../domain/events.ts';
import { type Position, parseBucketName } from '../../domain/names.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { From } from '../../service/subscriptions/subscriptions.ts';
import type { Request } from '../route.ts';
import { parseQuery } from '../schemas.ts';
import { eventsQuery } from './schemas.ts';

export interface Asked {
  readonly filter: EventFilter;
  readonly from: From;
}

export function askedOf({ query, exchange }: Request): Result<Asked> {
  const parsed = parseQuery(eventsQuery, query);
  if (!parsed.ok) return parsed;
  const { bucket, prefix, types, from } = parsed.value;
  const filter = filterOf({ bucket, prefix, types });
  if (!filter.ok) return filter;
  // An EventSource that reconnects repeats its URL: what it heard last counts, not where it began.
  const { 'last-event-id': last } = exchange.incoming.headers;
  const resumes = typeof last === 'string' && last !== '';
  const start = resumes
    ? placeOf(last, 'header "Last-Event-ID"')
    : fromOf(from, 'parameter "from"');
  return start.ok ? ok({ filter: filter.value, from: start.value }) : start;
}

/** undefined and null stand for no condition. */
export function filterOf(given: {
  readonly bucket?: string | null | undefined;
  readonly prefix?: string | null | undefined;
  readonly types?: readonly string[] | null | undefined;
}): Result<EventFilter> {
  const { bucket = null, prefix = null, types = null } = given;
  if (bucket !== null) {
    const name = parseBucketName(bucket);
    if (!name.ok) return name;
  }
  return ok({ bucket, prefix, types });
}

/** `what` names where the text stands. */
export function fromOf(text: string | undefined, what: string): Result<From> {
  if (text === undefined || text === 'now') return ok({ kind: 'now' });
  return text === 'beginning' ? ok({ kind: 'beginning' }) : placeOf(text, what);
}

/** `<position>`, or `<epoch>-<position>`. */
function placeOf(text: string, what: string): Result<From> {
  const match = /^(?:(\d{1,15})-)?(\d{1,15})$/.exec(text);
  if (match) {
    const [, epoch, position] = match;
    const at = Number(position) as Position;
    const ofEpoch = epoch === undefined ? {} : { epoch: Number(epoch) };
    return ok({ kind: 'after', position: at, ...ofEpoch });
  }
  return refuse(
    rejection('InvalidRequest', `The ${what} is not a position`, {
      hint: 'Send the id of an event, such as "1767225600000-42", a position, "beginning" or "now".',
    }),
  );
}

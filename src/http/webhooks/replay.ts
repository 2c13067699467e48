/** What a replay asks for, from its words. */
import type { Position } from '../../domain/names.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Replay } from '../../service/webhooks/webhooks.ts';
import { placeOfId } from '../consumers/ids.ts';
import { fromOf } from '../events/asking.ts';

export function replayOf({
  from,
  events,
}: {
  readonly from?: string | undefined;
  readonly events?: readonly string[] | undefined;
}): Result<Replay> {
  if (from !== undefined) {
    const start = fromOf(from, 'field "from"');
    return start.ok ? ok({ from: start.value }) : start;
  }
  if (!events) return ok({});
  const positions: Position[] = [];
  for (const id of events) {
    const place = placeOfId(id);
    if (!place)
      return refuse(rejection('InvalidRequest', 'The field "events" holds no event’s id'));
    positions.push(place.position);
  }
  return ok({ positions });
}

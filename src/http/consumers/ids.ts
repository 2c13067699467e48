/** The id of an event as a client has it: of the event itself, or of the stream that it came by. */
import type { Position } from '../../domain/names.ts';
import type { Place } from '../../service/subscriptions/subscriptions.ts';

/** `evt_<epoch>_<position>` or `<epoch>-<position>`. */
export function placeOfId(text: string): Place | undefined {
  const match = /^(?:evt_(\d{1,15})_|(\d{1,15})-)(\d{1,15})$/.exec(text);
  if (!match) return undefined;
  const [, ofEvent, ofStream, position] = match;
  return { epoch: Number(ofEvent ?? ofStream), position: Number(position) as Position };
}

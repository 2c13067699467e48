/** User metadata: a JSON object of at most 8 KiB, kept as text, since no other form keeps every key. */
import { utf8Bytes } from '../names.ts';
import { type Rejection, rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';

export const maxMetadataBytes = 8 * 1024;

/** The JSON text to keep, null for an object without members. */
export function parseMetadata(text: string): Result<string | null> {
  if (utf8Bytes(text) > maxMetadataBytes) return refuse(tooLong);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse(invalid('The metadata is not JSON'));
  }
  return metadataOf(value);
}

/** As `parseMetadata`, of a value that came in a JSON body. */
export function metadataOf(value: unknown): Result<string | null> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(invalid('The metadata is not a JSON object'));
  }
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch {
    // Nested too deeply for the stack, which is far beyond what fits.
    return refuse(tooLong);
  }
  if (utf8Bytes(text) > maxMetadataBytes) return refuse(tooLong);
  if (holdsInfinity(value)) return refuse(invalid('The metadata holds a number that is too large'));
  return ok(text === '{}' ? null : text);
}

/** JSON.parse makes 1e400 an infinity, which JSON.stringify writes as null. */
function holdsInfinity(value: object): boolean {
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (next === Number.POSITIVE_INFINITY || next === Number.NEGATIVE_INFINITY) return true;
    if (typeof next === 'object' && next !== null) pending.push(...Object.values(next));
  }
  return false;
}

const tooLong = rejection(
  'InvalidMetadata',
  `The metadata is larger than ${maxMetadataBytes} bytes`,
);

function invalid(message: string): Rejection {
  return rejection('InvalidMetadata', message, { hint: 'Send an object such as {"project":"x"}.' });
}

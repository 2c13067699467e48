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
  let holds = true;
  try {
    text = JSON.stringify(value, (_key, member: unknown) => {
      // JSON.parse makes 1e400 an infinity, which JSON.stringify would turn into null.
      if (typeof member === 'number' && !Number.isFinite(member)) holds = false;
      return member;
    });
  } catch {
    // Nested too deeply for the stack, which is far beyond what fits.
    return refuse(tooLong);
  }
  if (!holds) return refuse(invalid('The metadata holds a number that is too large'));
  if (utf8Bytes(text) > maxMetadataBytes) return refuse(tooLong);
  return ok(text === '{}' ? null : text);
}

const tooLong = rejection(
  'InvalidMetadata',
  `The metadata is larger than ${maxMetadataBytes} bytes`,
);

function invalid(message: string): Rejection {
  return rejection('InvalidMetadata', message, { hint: 'Send an object such as {"project":"x"}.' });
}

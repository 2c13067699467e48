/** User metadata: a JSON object of at most 8 KiB, kept as text, since no other form keeps every key. */
import { utf8Bytes } from '../names.ts';
import { type Rejection, rejection } from '../rejection.ts';
import { ok, type Result, refuse } from '../result.ts';

export const maxMetadataBytes = 8 * 1024;
/** As many levels as a JSON body may have, whichever way the metadata comes. */
const maxNesting = 64;

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
  const fault = faultOfMembers(value);
  if (fault !== undefined) return refuse(invalid(fault));
  return ok(text === '{}' ? null : text);
}

/** What could not be given back as it came, or not be read by everyone. */
function faultOfMembers(value: object): string | undefined {
  const pending: { readonly member: unknown; readonly depth: number }[] = [
    { member: value, depth: 1 },
  ];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { member, depth } = next;
    if (typeof member === 'number' && !isKept(member)) {
      return 'The metadata holds a whole number beyond 2^53: send it as text';
    }
    if (typeof member !== 'object' || member === null) continue;
    if (depth > maxNesting) return `The metadata is nested deeper than ${maxNesting} levels`;
    for (const inner of Object.values(member)) pending.push({ member: inner, depth: depth + 1 });
  }
  return undefined;
}

/**
 * JSON.parse rounds whole numbers beyond 2^53 (RFC 8259 §6) and makes 1e400 an infinity, which
 * JSON.stringify writes as null.
 */
function isKept(number: number): boolean {
  return Number.isInteger(number) ? Number.isSafeInteger(number) : Number.isFinite(number);
}

const tooLong = rejection(
  'InvalidMetadata',
  `The metadata is larger than ${maxMetadataBytes} bytes`,
);

function invalid(message: string): Rejection {
  return rejection('InvalidMetadata', message, { hint: 'Send an object such as {"project":"x"}.' });
}

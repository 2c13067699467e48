/**
 * What Node lets through although it can be read in two ways: headers that may stand once and stand
 * twice, of which it keeps the first without a word, and a query whose bytes are no text.
 *
 * Promises: such a request is refused before anything of it is believed. Who stands in front of this
 * server may have read the other of the two.
 */
import type { Problem } from '../problems.ts';
import type { Exchange } from './exchange.ts';

/** Those of which Node drops all but the first, as far as anything here looks at them. */
const singular: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'content-type',
  'if-modified-since',
  'if-unmodified-since',
]);

/** Why the request can't be answered as it stands, or undefined. */
export function faultOfRequest({ incoming, target }: Exchange): Problem | undefined {
  const repeated = repeatedHeader(incoming.rawHeaders);
  if (repeated !== undefined) {
    // RFC 9112 §3.2 of Host; RFC 9110 §5.3: none of these is a list.
    return invalid(`The header "${repeated}" is given more than once`);
  }
  return target.isText ? undefined : invalid('The query is not percent-encoded UTF-8');
}

function invalid(message: string): Problem {
  return { code: 'InvalidRequest', message };
}

/** `rawHeaders`: names and values in turn. */
function repeatedHeader(rawHeaders: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (!singular.has(name)) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

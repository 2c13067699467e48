/**
 * From a raw path to its route. The first route that fits answers, in the order in which they are given.
 * What is looked at is the path as it came: nothing is decoded, nothing is normalised, and no pattern is
 * searched by a regular expression, so that the cost is that of comparing prefixes.
 */
import { patternOf, type Route } from './route.ts';

export interface TableEntry {
  readonly route: Route;
  /** As the log names it. */
  readonly pattern: string;
}

export type RouteTable = (path: string) => TableEntry | undefined;

export function routeTable(routes: readonly Route[]): RouteTable {
  const rows = routes.map((route) => {
    const pattern = patternOf(route);
    const tail = pattern.slice(route.prefix.length).split('/').slice(1).map(segmentOf);
    return { prefix: route.prefix, tail, entry: { route, pattern } };
  });
  return (path) => {
    for (const { prefix, tail, entry } of rows) {
      if (path.startsWith(prefix) && fits(path, prefix.length, tail)) return entry;
    }
    return undefined;
  };
}

type Segment =
  | { readonly kind: 'word'; readonly word: string }
  /** One, of any text but none. */
  | { readonly kind: 'any' }
  /** All that is left, slashes and nothing included. */
  | { readonly kind: 'rest' };

function segmentOf(pattern: string): Segment {
  if (!pattern.startsWith(':')) return { kind: 'word', word: pattern };
  return { kind: pattern.endsWith('{.*}') ? 'rest' : 'any' };
}

/** True where what stands in `path` from `start` on is the segments, each behind a slash, and no more. */
function fits(path: string, start: number, tail: readonly Segment[]): boolean {
  let at = start;
  for (const segment of tail) {
    if (path[at] !== '/') return false;
    if (segment.kind === 'rest') return true;
    const from = at + 1;
    const slash = path.indexOf('/', from);
    at = slash < 0 ? path.length : slash;
    const length = at - from;
    const isMet =
      segment.kind === 'any'
        ? length > 0
        : length === segment.word.length && path.startsWith(segment.word, from);
    if (!isMet) return false;
  }
  return at === path.length;
}

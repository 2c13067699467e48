/** What a route is: a literal prefix, what stands after it, and an endpoint for each method. */
import type { Result } from '../domain/result.ts';
import type { Call } from '../service/service.ts';
import type { Answer } from './wire/answer.ts';
import type { Exchange } from './wire/exchange.ts';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Method = (typeof methods)[number];

export interface Request {
  readonly exchange: Exchange;
  readonly call: Call;
  /** What stands after the prefix and its slash, raw. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

export interface Endpoint {
  /**
   * `signed in`: anonymous callers are refused before anything is looked at. `unasked`: nobody is
   * authenticated, and every caller is anonymous. `signed in or by token`: as `signed in`, unless there
   * is a `token` in the query, which the handler looks at; until then the caller is anonymous.
   */
  readonly access: 'unasked' | 'anyone' | 'signed in' | 'signed in or by token';
  readonly handle: (request: Request) => Promise<Result<Answer>>;
}

export interface Route {
  /** Literal, beginning with a slash and not ending with one. */
  readonly prefix: string;
  /** What follows the prefix: nothing, one segment, one segment and a word, or a bucket and a path. */
  readonly tail:
    | 'nothing'
    | 'id'
    | `id/${string}`
    | 'name'
    | `name/${string}`
    | 'bucket'
    | 'bucket/empty'
    | 'object';
  /** HEAD is answered wherever GET is. */
  readonly methods: Readonly<Partial<Record<Method, Endpoint>>>;
}

export function patternOf({ prefix, tail }: Route): string {
  if (tail === 'nothing') return prefix;
  return tail === 'object' ? `${prefix}/:bucket/:path{.*}` : `${prefix}/:${tail}`;
}

export function isMethod(text: string | undefined): text is Method {
  return methods.some((method) => method === text);
}

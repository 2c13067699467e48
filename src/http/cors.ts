/**
 * Cross-origin access (the Fetch standard's CORS protocol). Never with credentials: a token travels in
 * a header that the page itself sets, so every header may be asked for.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Answer } from './wire/answer.ts';

export type CorsOrigins = '*' | readonly string[];

const exposed = [
  'etag',
  'content-range',
  'accept-ranges',
  'content-disposition',
  'location',
  'retry-after',
  'x-request-id',
  // A name can't end in a wildcard, so they are spelled out.
  'x-aerostore-position',
  'x-aerostore-deleted',
  'x-aerostore-skipped',
].join(', ');

/** The headers that every answer carries. */
export function corsHeaders(
  origins: CorsOrigins,
  headers: IncomingHttpHeaders,
): Readonly<Record<string, string>> {
  if (origins === '*') return anyOrigin;
  const { origin } = headers;
  if (origin === undefined || !origins.includes(origin)) return { vary: 'Origin' };
  return { 'access-control-allow-origin': origin, vary: 'Origin', ...exposes };
}

const exposes = { 'access-control-expose-headers': exposed };
const anyOrigin = { 'access-control-allow-origin': '*', ...exposes };

export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

/** The answer to a preflight; whether its origin is allowed, `corsHeaders` says. */
export function preflightAnswer({ headers }: IncomingMessage): Answer {
  const requested = headers['access-control-request-headers'];
  const isList = requested !== undefined && /^[\w!#$%&'*+.^`|~, \t-]*$/.test(requested);
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
      // `*` does not cover Authorization, so what is asked for is echoed.
      'access-control-allow-headers': isList ? requested : 'authorization, *',
      'access-control-max-age': '7200',
    },
  };
}

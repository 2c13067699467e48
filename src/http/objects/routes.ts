/** The object routes. Reserved words stand before bucket names, so the longer prefixes come first. */
import { ok, type Result } from '../../domain/result.ts';
import type { HttpParts } from '../app.ts';
import { readNothing } from '../buckets.ts';
import { positionHeader } from '../representations.ts';
import type { Endpoint, Request, Route } from '../route.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { objectKeyOf } from '../wire/raw-path.ts';
import { entityTags } from './conditions.ts';
import { download, info, type ReadOptions } from './download.ts';
import { list } from './list.ts';
import { upload } from './upload.ts';

type Read = (parts: HttpParts, request: Request, options: ReadOptions) => Promise<Result<Answer>>;
type Write = (parts: HttpParts, request: Request) => Promise<Result<Answer>>;

export function objectRoutes(parts: HttpParts): Route[] {
  const read = (handle: Read, options: ReadOptions = { publicOnly: false }): Endpoint => ({
    access: 'anyone',
    handle: (request) => handle(parts, request, options),
  });
  const signedIn = (handle: Write): Endpoint => ({
    access: 'signed in',
    handle: (request) => handle(parts, request),
  });
  const object = (words: string, methods: Route['methods']): Route => ({
    prefix: `/storage/v1/object${words}`,
    tail: 'object',
    methods,
  });
  const publicOnly = { publicOnly: true };
  return [
    { ...object('/list', { GET: signedIn(list) }), tail: 'bucket' },
    object('/info/authenticated', { GET: read(info) }),
    object('/info/public', { GET: read(info, publicOnly) }),
    object('/info', { GET: read(info) }),
    object('/authenticated', { GET: read(download) }),
    object('/public', { GET: read(download, publicOnly) }),
    object('', {
      GET: read(download),
      POST: signedIn((parts, request) => upload(parts, request, { overwrite: 'as asked' })),
      PUT: signedIn((parts, request) => upload(parts, request, { overwrite: 'always' })),
      DELETE: signedIn(remove),
    }),
  ];
}

async function remove(
  parts: HttpParts,
  { exchange, call, rest }: Request,
): Promise<Result<Answer>> {
  const key = objectKeyOf(rest);
  if (!key.ok) return key;
  const ifMatch = entityTags(exchange.incoming.headers, 'if-match');
  if (!ifMatch.ok) return ifMatch;
  const body = await readNothing(parts, exchange);
  if (!body.ok) return body;
  const removed = await parts.service.objects.remove(
    call,
    key.value,
    ifMatch.value === undefined ? {} : { ifMatch: ifMatch.value },
  );
  if (!removed.ok) return removed;
  const headers = positionHeader(removed.value.position);
  return ok(jsonAnswer({ message: 'Successfully deleted' }, { headers }));
}

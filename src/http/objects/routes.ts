/** The object routes. Reserved words stand before bucket names, so the longer prefixes come first. */
import type { Result } from '../../domain/result.ts';
import type { HttpParts } from '../app.ts';
import type { Endpoint, Request, Route } from '../route.ts';
import type { Answer } from '../wire/answer.ts';
import { listFolder, listTree } from './browse.ts';
import { download, info, type ReadOptions } from './download.ts';
import { list } from './list.ts';
import { patch } from './patch.ts';
import { remove, removeMany } from './remove.ts';
import { copy, move } from './transfer.ts';
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
    { ...object('/copy', { POST: signedIn(copy) }), tail: 'nothing' },
    { ...object('/move', { POST: signedIn(move) }), tail: 'nothing' },
    { ...object('/list', { GET: signedIn(list), POST: signedIn(listFolder) }), tail: 'bucket' },
    { ...object('/list-v2', { POST: signedIn(listTree) }), tail: 'bucket' },
    object('/info/authenticated', { GET: read(info) }),
    object('/info/public', { GET: read(info, publicOnly) }),
    object('/info', { GET: read(info) }),
    object('/authenticated', { GET: read(download) }),
    object('/public', { GET: read(download, publicOnly) }),
    { ...object('', { DELETE: signedIn(removeMany) }), tail: 'bucket' },
    object('', {
      GET: read(download),
      POST: signedIn((parts, request) => upload(parts, request, { overwrite: 'as asked' })),
      PUT: signedIn((parts, request) => upload(parts, request, { overwrite: 'always' })),
      PATCH: signedIn(patch),
      DELETE: signedIn(remove),
    }),
  ];
}

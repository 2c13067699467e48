/** The signed-URL routes. They come before the objects', whose bucket names their words can't be. */
import type { Result } from '../../domain/result.ts';
import type { HttpParts } from '../app.ts';
import type { Endpoint, Request, Route } from '../route.ts';
import type { Answer } from '../wire/answer.ts';
import { revoke, signDownload, signDownloads, signUpload } from './sign.ts';
import { useDownload, useUpload } from './use.ts';

type Handle = (parts: HttpParts, request: Request) => Promise<Result<Answer>>;

export function signedUrlRoutes(parts: HttpParts): Route[] {
  const to = (access: Endpoint['access'], handle: Handle): Endpoint => ({
    access,
    handle: (request) => handle(parts, request),
  });
  const sign = '/storage/v1/object/sign';
  return [
    { prefix: `${sign}/revoke`, tail: 'nothing', methods: { POST: to('signed in', revoke) } },
    { prefix: sign, tail: 'bucket', methods: { POST: to('signed in', signDownloads) } },
    {
      prefix: sign,
      tail: 'object',
      methods: { GET: to('unasked', useDownload), POST: to('signed in', signDownload) },
    },
    {
      prefix: '/storage/v1/object/upload/sign',
      tail: 'object',
      methods: { PUT: to('unasked', useUpload), POST: to('signed in', signUpload) },
    },
  ];
}

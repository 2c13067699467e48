/** Admin jobs: begun, watched and cancelled over HTTP, by the service role only. */
import { ok, type Result } from '../domain/result.ts';
import type { Job } from '../service/upkeep/jobs.ts';
import type { HttpParts } from './app.ts';
import { readOptional } from './objects/bodies.ts';
import { problemAnswer } from './problems.ts';
import type { Endpoint, Request, Route } from './route.ts';
import { jobBody, parseBody } from './schemas.ts';
import { type Answer, jsonAnswer } from './wire/answer.ts';

export function jobRoutes(parts: HttpParts): Route[] {
  const { admin } = parts.service;
  const prefix = '/storage/v1/admin/jobs';
  const to = (handle: Endpoint['handle']): Endpoint => ({ access: 'signed in', handle });
  return [
    {
      prefix,
      tail: 'nothing',
      methods: {
        GET: to(async ({ call }) => {
          const jobs = await admin.jobs(call);
          return jobs.ok ? ok(jsonAnswer(jobs.value)) : jobs;
        }),
        POST: to((request) => start(parts, request)),
      },
    },
    {
      prefix,
      tail: 'id',
      methods: {
        GET: to(async ({ call, rest }) => jobAnswer(await admin.job(call, rest))),
        DELETE: to(async ({ call, rest }) => jobAnswer(await admin.cancelJob(call, rest))),
      },
    },
  ];
}

async function start(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const { service } = parts;
  const { call } = request;
  // Who may not begin one is told so before the body is looked at.
  const allowed = await service.admin.jobs(call);
  if (!allowed.ok) return allowed;
  const json = await readOptional(parts, request);
  if (!json.ok) return json;
  const body = parseBody(jobBody, json.value);
  if (!body.ok) return body;
  const { kind, ...options } = body.value;
  const started = await service.admin.startJob(call, kind, options);
  return started.ok ? ok(jsonAnswer({ id: started.value.id })) : started;
}

function jobAnswer(found: Result<Job | undefined>): Result<Answer> {
  if (!found.ok) return found;
  if (found.value) return ok(jsonAnswer(found.value));
  return ok(problemAnswer({ code: 'NoSuchRoute', message: 'There is no such job' }));
}

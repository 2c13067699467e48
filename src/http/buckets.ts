/** The bucket routes: bodies and queries in, use cases called, bucket JSON out. */
import type { BucketSettings } from '../domain/bucket.ts';
import { parseBucketName } from '../domain/names.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import type { HttpParts } from './app.ts';
import { keyedCall } from './idempotency.ts';
import { readNothing, readRequired } from './objects/bodies.ts';
import { bucketJson, positionHeader } from './representations.ts';
import type { Endpoint, Request, Route } from './route.ts';
import {
  type BucketBody,
  bucketBody,
  bucketListQuery,
  forceQuery,
  ofField,
  parseBody,
  parseQuery,
} from './schemas.ts';
import { type Answer, jsonAnswer } from './wire/answer.ts';
import { bucketNameOf } from './wire/raw-path.ts';

type Handle = (parts: HttpParts, request: Request) => Promise<Result<Answer>>;

export function bucketRoutes(parts: HttpParts): Route[] {
  const to = (handle: Handle): Endpoint => ({
    access: 'signed in',
    handle: (request) => handle(parts, request),
  });
  const prefix = '/storage/v1/bucket';
  return [
    { prefix, tail: 'nothing', methods: { GET: to(list), POST: to(create) } },
    { prefix, tail: 'bucket', methods: { GET: to(get), PUT: to(update), DELETE: to(remove) } },
    { prefix, tail: 'bucket/empty', methods: { POST: to(empty) } },
  ];
}

async function list({ service }: HttpParts, { call, query }: Request): Promise<Result<Answer>> {
  const listing = parseQuery(bucketListQuery, query);
  if (!listing.ok) return listing;
  const rows = await service.buckets.list(call, listing.value);
  return rows.ok ? ok(jsonAnswer(rows.value.map(bucketJson))) : rows;
}

async function create(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const body = await readBucketBody(parts, request);
  if (!body.ok) return body;
  const text = body.value.name ?? body.value.id;
  if (text === undefined) return refuse(rejection('InvalidRequest', 'The field "name" is missing'));
  const field = body.value.name === undefined ? 'id' : 'name';
  const name = ofField(field, parseBucketName(text));
  if (!name.ok) return name;
  const call = await keyedCall(request, [body.value]);
  if (!call.ok) return call;
  const created = await parts.service.buckets.create(call.value, name.value, {
    policy: body.value.public === true ? 'public' : 'private',
    write_policy: 'owner',
    allowed_mime_types: null,
    max_file_size: null,
    ...settingsOf(body.value),
  });
  if (!created.ok) return created;
  const { bucket, position } = created.value;
  return ok(jsonAnswer(bucketJson(bucket), { headers: positionHeader(position) }));
}

async function get({ service }: HttpParts, { call, rest }: Request): Promise<Result<Answer>> {
  const name = bucketNameOf(rest);
  if (!name.ok) return name;
  const row = await service.buckets.get(call, name.value);
  return row.ok ? ok(jsonAnswer(bucketJson(row.value))) : row;
}

async function update(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const name = bucketNameOf(request.rest);
  if (!name.ok) return name;
  const body = await readBucketBody(parts, request);
  if (!body.ok) return body;
  for (const field of ['id', 'name'] as const) {
    if ((body.value[field] ?? name.value) !== name.value) {
      return refuse(rejection('InvalidRequest', `The field "${field}": a bucket keeps its name`));
    }
  }
  const call = await keyedCall(request, [body.value]);
  if (!call.ok) return call;
  const { public: isPublic } = body.value;
  const updated = await parts.service.buckets.update(call.value, name.value, {
    ...settingsOf(body.value),
    ...(isPublic === undefined ? {} : { public: isPublic }),
  });
  if (!updated.ok) return updated;
  const { bucket, position } = updated.value;
  const answer = { ...bucketJson(bucket), message: 'Successfully updated' };
  return ok(jsonAnswer(answer, { headers: positionHeader(position) }));
}

async function empty(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const name = bucketNameOf(request.rest.slice(0, -'/empty'.length));
  if (!name.ok) return name;
  const body = await readNothing(parts, request);
  if (!body.ok) return body;
  const call = await keyedCall(request, []);
  if (!call.ok) return call;
  const emptied = await parts.service.buckets.empty(call.value, name.value);
  if (!emptied.ok) return emptied;
  const { deleted, position } = emptied.value;
  const answer = { message: 'Successfully emptied', deleted };
  return ok(jsonAnswer(answer, { headers: positionHeader(position) }));
}

async function remove(parts: HttpParts, request: Request): Promise<Result<Answer>> {
  const { rest, query } = request;
  const name = bucketNameOf(rest);
  if (!name.ok) return name;
  const options = parseQuery(forceQuery, query);
  if (!options.ok) return options;
  const body = await readNothing(parts, request);
  if (!body.ok) return body;
  const call = await keyedCall(request, []);
  if (!call.ok) return call;
  const removed = await parts.service.buckets.remove(call.value, name.value, options.value);
  if (!removed.ok) return removed;
  const answer = { message: 'Successfully deleted' };
  return ok(jsonAnswer(answer, { headers: positionHeader(removed.value.position) }));
}

async function readBucketBody(parts: HttpParts, request: Request): Promise<Result<BucketBody>> {
  const json = await readRequired(parts, request);
  return json.ok ? parseBody(bucketBody, json.value) : json;
}

type Settings = Partial<BucketSettings>;

function settingsOf(body: BucketBody): Settings {
  const { policy, write_policy, allowed_mime_types } = body;
  const max_file_size =
    body.max_file_size === undefined ? body.file_size_limit : body.max_file_size;
  return {
    ...(policy === undefined ? {} : { policy }),
    ...(write_policy === undefined ? {} : { write_policy }),
    ...(allowed_mime_types === undefined ? {} : { allowed_mime_types }),
    ...(max_file_size === undefined ? {} : { max_file_size }),
  };
}

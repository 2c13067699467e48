/** How the routes read JSON bodies: those that they need, those that may be left out, and none. */
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { HttpParts } from '../app.ts';
import type { Request } from '../route.ts';
import { emptyBody, parseBody } from '../schemas.ts';
import { readJson } from '../wire/request-body.ts';

/** `maxBytes` is the usual limit of JSON bodies unless told. */
export async function readRequired(
  { settings }: HttpParts,
  { exchange }: Request,
  maxBytes = settings.jsonBodyBytes,
): Promise<Result<unknown>> {
  const json = await readJson(exchange.body, maxBytes);
  if (!json.ok || json.value !== undefined) return json;
  return refuse(rejection('InvalidRequest', 'The body is empty', { hint: 'Send a JSON object.' }));
}

/** As `readRequired`, of a body that may be missing or empty and then is `{}`. */
export async function readOptional(
  { settings }: HttpParts,
  { exchange }: Request,
): Promise<Result<unknown>> {
  const json = await readJson(exchange.body, settings.jsonBodyBytes);
  return json.ok && json.value === undefined ? ok({}) : json;
}

/** A body that isn't needed may be missing, empty or `{}`. */
export async function readNothing(parts: HttpParts, request: Request): Promise<Result<unknown>> {
  const json = await readOptional(parts, request);
  return json.ok ? parseBody(emptyBody, json.value) : json;
}

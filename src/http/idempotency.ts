/**
 * The Idempotency-Key of a request, and what makes two requests the same: method, target, and what the
 * route itself says was asked, which is its body and the headers that matter to it.
 */
import { type Rejection, rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import { hashOfRequest } from '../service/idempotency.ts';
import type { Call } from '../service/service.ts';
import type { Request } from './route.ts';

const maxKeyBytes = 255;

/** The call with its key, where the request has one. `asked` is JSON in essence. */
export async function keyedCall(
  { exchange: { incoming, target }, call, query }: Request,
  asked: readonly unknown[],
): Promise<Result<Call>> {
  const key = incoming.headers['idempotency-key'];
  if (key === undefined) return ok(call);
  if (typeof key !== 'string' || !isKey(key)) return refuse(invalidKey);
  const words = [incoming.method, target.path, query.toString(), ...asked];
  return ok({ ...call, idempotency: { key, request_hash: await hashOfRequest(words) } });
}

/** What a header may hold without doubt about its encoding (RFC 9110 §5.5). */
function isKey(text: string): boolean {
  return text.length <= maxKeyBytes && /^[\x20-\x7e]+$/.test(text);
}

const invalidKey: Rejection = rejection(
  'InvalidRequest',
  `The header "idempotency-key" must be 1 to ${maxKeyBytes} printable ASCII characters`,
);

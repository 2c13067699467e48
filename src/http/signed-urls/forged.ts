/** A token that no key of ours signed is a failed authentication of the address that it came from. */

import type { Rejection } from '../../domain/rejection.ts';
import { refuse } from '../../domain/result.ts';
import type { HttpParts } from '../app.ts';
import type { Request } from '../route.ts';

type Refused = { readonly ok: false; readonly rejection: Rejection };

/** The refusal, or TooManyRequests where too many came before it. Others pass uncounted. */
export async function countForged(
  { limits, observe }: HttpParts,
  { exchange }: Request,
  refused: Refused,
): Promise<Refused> {
  if (refused.rejection.code !== 'InvalidSignature') return refused;
  observe.count('auth_failure');
  const counted = await limits.authFailure(exchange.address);
  return counted.ok ? refused : refuse(counted.rejection);
}

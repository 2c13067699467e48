/** The options of jobs: an unknown one is refused by its name, a known one by what it must be. */
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { parseSize } from '../../domain/values/sizes.ts';
import type { JobOptions } from './jobs.ts';

const maxIds = 1000;

export function unknownOption(
  options: JobOptions,
  known: readonly string[],
): Rejection | undefined {
  const name = Object.keys(options).find((key) => !known.includes(key));
  return name === undefined
    ? undefined
    : rejection('InvalidRequest', `Unknown field "${name.slice(0, 100)}"`);
}

/** Bytes a second: a number or a size such as "20MiB"; undefined where it is not given. */
export function rateOption({ rate }: JobOptions): Result<number | undefined> {
  if (rate === undefined) return ok(undefined);
  const bytes = typeof rate === 'string' ? parseSize(rate) : rate;
  if (typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes > 0) return ok(bytes);
  const message = 'The field "rate": must be bytes a second, a number or a size such as "20MiB"';
  return refuse(rejection('InvalidRequest', message));
}

/** The ids of quarantined things, or `all: true`. */
export function idsOption({ ids, all }: JobOptions): Result<readonly string[] | 'all'> {
  if (all === true && ids === undefined) return ok('all');
  const isList =
    Array.isArray(ids) &&
    ids.length > 0 &&
    ids.length <= maxIds &&
    ids.every((id) => typeof id === 'string' && /^[0-9a-f]{32}$/.test(id));
  if (isList && (all === undefined || all === false)) return ok(ids as string[]);
  const message = `The field "ids": must hold 1 to ${maxIds} ids of 32 hex digits; or give "all": true`;
  return refuse(rejection('InvalidRequest', message));
}

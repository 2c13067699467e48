/**
 * Limits on rates (A6), counted in this process, a minute at a time.
 *
 * Promises: a valid login token is never refused, only further failing ones are; what is refused for
 * its rate counts no further against it; the memory is bounded in entries, of which the one unused
 * longest is forgotten first.
 */
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Caller } from '../../domain/caller.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';

export interface RateLimitSettings {
  /** Failed authentications a minute and address. */
  readonly authFailuresPerMinute: number;
  /** URLs signed a minute and caller. */
  readonly signingPerMinute: number;
  /** Uses a minute and signed URL. */
  readonly signedUsesPerMinute: number;
}

/** What is left of a minute's limit. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

export interface RateLimits {
  /** A token that failed; refused where too many did. */
  authFailure(address: string): Promise<Result<Allowance>>;
  /** `count` URLs to be signed, all or none. The service role has no limit, and no allowance. */
  signing(caller: Caller, count: number): Promise<Result<Allowance | undefined>>;
  signedUse(jti: string): Promise<Result<Allowance>>;
}

const windowSeconds = 60;
/** Of each kind. */
const maxEntries = 20_000;

export function createRateLimits(settings: RateLimitSettings): RateLimits {
  const failures = counter('authentication failures', settings.authFailuresPerMinute);
  const signing = counter('signed URLs', settings.signingPerMinute);
  const uses = counter('uses of this URL', settings.signedUsesPerMinute);
  return {
    authFailure: (address) => failures(networkOf(address), 1),
    signing: async (caller, count) =>
      caller.kind === 'user' ? signing(caller.id, count) : ok(undefined),
    signedUse: (jti) => uses(jti, 1),
  };
}

type Count = (key: string, points: number) => Promise<Result<Allowance>>;

function counter(what: string, limit: number): Count {
  const limiter = new RateLimiterMemory({ points: limit, duration: windowSeconds });
  const known = new LRUCache<string, true>({
    max: maxEntries,
    dispose: (_, key, reason) => {
      if (reason === 'evict') void limiter.delete(key);
    },
  });
  return async (key, points) => {
    known.set(key, true);
    try {
      return ok(allowanceOf(limit, await limiter.consume(key, points)));
    } catch (exceeded) {
      if (exceeded instanceof Error) throw exceeded;
      await limiter.reward(key, points);
      const { resetSeconds } = allowanceOf(limit, exceeded as RateLimiterRes);
      return refuse(
        rejection('TooManyRequests', `Too many ${what}: ${limit} a minute`, {
          hint: `Try again in ${resetSeconds} s.`,
          facts: { limit, retry_after: resetSeconds },
        }),
      );
    }
  };
}

function allowanceOf(limit: number, { remainingPoints, msBeforeNext }: RateLimiterRes): Allowance {
  const resetSeconds = Math.max(1, Math.ceil(msBeforeNext / 1000));
  return { limit, remaining: remainingPoints, resetSeconds };
}

/** draft-ietf-httpapi-ratelimit-headers-06. */
export function allowanceHeaders({
  limit,
  remaining,
  resetSeconds,
}: Allowance): Readonly<Record<string, string>> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
    'ratelimit-policy': `${limit};w=${windowSeconds}`,
  };
}

/** Whoever has one IPv6 address has all of its /64. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`).toString();
}

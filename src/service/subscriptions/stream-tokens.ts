/**
 * Tokens for one connection to the events: what a browser can put into a URL, since it can't set a
 * header there. They are signed with the keys of signed URLs and are for this operation alone, good for
 * a minute at most and for one connection.
 *
 * Uses are remembered in memory, exactly, until the token expires; a token of an earlier start of the
 * server is refused, so that nothing needs to be remembered beyond this one.
 */
import type { Caller } from '../../domain/caller.ts';
import type { Clock, Ids } from '../../domain/effects.ts';
import type { EventFilter } from '../../domain/events.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { SigningKeys } from '../../home/signing-keys.ts';
import { signPayload, verifyPayload } from '../signed-urls/tokens.ts';

export interface StreamToken {
  readonly token: string;
  /** Unix ms. */
  readonly expiresAtMs: number;
}

export interface Redeemed {
  readonly caller: Caller;
  readonly filter: EventFilter;
  /** Unix ms: the connection ends then, with the login that the token was made with. */
  readonly untilMs: number | undefined;
  /** No connection came about: the token may be used after all. */
  readonly giveBack: () => void;
}

export interface StreamTokens {
  issue(caller: Caller, filter: EventFilter, untilMs: number | undefined): Promise<StreamToken>;
  redeem(token: string): Promise<Result<Redeemed>>;
}

export interface StreamTokenParts {
  readonly signingKeys: Pick<SigningKeys, 'signer' | 'verifier'>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** This start of the server. */
  readonly epoch: () => number;
}

const validMs = 60_000;
const operation = 'events';

export function createStreamTokens({
  signingKeys,
  clock,
  ids,
  epoch,
}: StreamTokenParts): StreamTokens {
  /** The token's id and its end, Unix ms; those that end first stand first, nearly. */
  const used = new Map<string, number>();
  return {
    async issue(caller, filter, untilMs = Number.POSITIVE_INFINITY) {
      const issuedAtMs = clock.now();
      const expiresAtMs = Math.min(issuedAtMs + validMs, untilMs);
      const payload: Payload = {
        operation,
        jti: ids.uuid(),
        epoch: epoch(),
        role: caller.kind,
        sub: caller.kind === 'anonymous' ? null : caller.id,
        ...filter,
        until_ms: Number.isFinite(untilMs) ? untilMs : null,
        exp: Math.ceil(expiresAtMs / 1000),
        exp_ms: expiresAtMs,
      };
      return { token: signPayload(await signingKeys.signer(), payload), expiresAtMs };
    },

    async redeem(token) {
      const claims = claimsIn(await verifyPayload(signingKeys, token));
      if (!claims || claims.epoch !== epoch()) return refuse(notValid);
      const nowMs = clock.now();
      if (nowMs >= claims.expiresAtMs) return refuse(expired);
      forget(used, nowMs);
      const { jti, caller, filter, untilMs } = claims;
      if (used.has(jti)) return refuse(usedUp);
      used.set(jti, claims.expiresAtMs);
      return ok({ caller, filter, untilMs, giveBack: () => used.delete(jti) });
    },
  };
}

/** What has expired is refused for that. */
function forget(used: Map<string, number>, nowMs: number): void {
  for (const [jti, expiresAtMs] of used) {
    if (expiresAtMs > nowMs) return;
    used.delete(jti);
  }
}

interface Payload extends EventFilter {
  readonly operation: string;
  readonly jti: string;
  readonly epoch: number;
  readonly role: Caller['kind'];
  readonly sub: string | null;
  readonly until_ms: number | null;
  readonly exp: number;
  readonly exp_ms: number;
}

interface Claims extends Omit<Redeemed, 'giveBack'> {
  readonly jti: string;
  readonly epoch: number;
  readonly expiresAtMs: number;
}

/** undefined for what was signed for something else. */
function claimsIn(payload: unknown): Claims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  // What a key of ours signed for this operation has the fields that `issue` wrote.
  const { operation: its, ...given } = payload as Payload;
  if (its !== operation) return undefined;
  const { jti, epoch, bucket, prefix, types, until_ms, exp_ms } = given;
  const caller = callerIn(given);
  if (!caller) return undefined;
  return {
    jti,
    epoch,
    caller,
    filter: { bucket, prefix, types },
    untilMs: until_ms ?? undefined,
    expiresAtMs: exp_ms,
  };
}

function callerIn({ role, sub }: Pick<Payload, 'role' | 'sub'>): Caller | undefined {
  if (role === 'service') return { kind: role, id: sub };
  return role === 'user' && sub !== null ? { kind: role, id: sub } : undefined;
}

const hint = { hint: 'Ask for another one: POST /events/token.' };
const notValid = invalid('The token is not one for events');
const expired = invalid('The token has expired');
const usedUp = invalid('The token was used: it is for one connection');

function invalid(message: string): Rejection {
  return rejection('InvalidJWT', message, hint);
}

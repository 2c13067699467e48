/**
 * Requests with an idempotency key: what was done once is not done again. A repeat within 24 hours of
 * the first one's commit, by the same caller, is answered as the first was; one that asks for
 * something else is refused. A request that was refused is not remembered, for it changed nothing.
 *
 * What is remembered is a row of the views, and so a function of the log: the last record of the
 * request carries the key and the hash of what was asked, and the answer follows from it. Where it
 * does not (nothing changed, or many things did), a `request.answered` says it.
 *
 * The key is locked from before the row is looked for until the record is applied, so a repeat that
 * comes while the first still runs waits for it.
 */
import { newBlake3 } from '../blobs/hash.ts';
import type { Clock } from '../domain/effects.ts';
import type { RequestAnswered } from '../domain/events.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import { IDEMPOTENCY_MS } from '../views/projecting/retention.ts';
import type { IdempotencyRow, Views } from '../views/views.ts';
import { actorOf, authorOf, type Commit } from './commit.ts';
import { type Locks, requestLock } from './locks.ts';
import type { Call, Changed } from './service.ts';

export interface OnceParts {
  readonly views: Pick<Views, 'idempotent'>;
  readonly commit: Commit;
  readonly clock: Clock;
  /** Not those of the commit. */
  readonly locks: Locks;
}

export interface Once {
  /** Acts, unless the call is a repeat. `recall` turns what is remembered into the answer again. */
  run<T extends Changed>(
    call: Call,
    act: () => Promise<Result<T>>,
    recall?: (row: IdempotencyRow) => T,
  ): Promise<Result<T>>;
  /** True where a request was done with the call's key, whatever it asked for. */
  isKnown(call: Call): boolean;
}

export function createOnce(parts: OnceParts): Once {
  return {
    async run(call, act, recall = recallPlainly) {
      const { idempotency } = call;
      if (!idempotency) return act();
      const lock = requestLock(actorOf(call), idempotency.key);
      const release = await parts.locks.acquire([lock]);
      try {
        const row = remembered(parts, call);
        if (!row) return await actAndRemember(parts, call, act);
        return row.request_hash === idempotency.request_hash ? ok(recall(row)) : refuse(conflict);
      } finally {
        release();
      }
    },
    isKnown: (call) => remembered(parts, call) !== undefined,
  };
}

/** BLAKE3 of what was asked, hex. */
export async function hashOfRequest(words: readonly unknown[]): Promise<string> {
  const hash = await newBlake3();
  hash.update(Buffer.from(JSON.stringify(words)));
  return hash.digest();
}

function remembered({ views, clock }: OnceParts, call: Call): IdempotencyRow | undefined {
  const row = call.idempotency && views.idempotent(actorOf(call), call.idempotency.key);
  return row && clock.now() - row.time < IDEMPOTENCY_MS ? row : undefined;
}

async function actAndRemember<T extends Changed>(
  parts: OnceParts,
  call: Call,
  act: () => Promise<Result<T>>,
): Promise<Result<T>> {
  const result = await act();
  if (!result.ok) return result;
  const row = remembered(parts, call);
  if (row?.request_hash === call.idempotency?.request_hash) return result;
  // Nothing was recorded, for nothing changed: a repeat must change nothing either.
  const { position: _position, ...answer } = result.value;
  const answered = await parts.commit<RequestAnswered>({
    ...authorOf(call),
    locks: [],
    decide: () => ok([{ type: 'request.answered', answer: JSON.stringify(answer) }]),
  });
  return answered.ok ? ok({ ...result.value, position: answered.value.position }) : answered;
}

/** The answers of the views have the names of the use cases' results, and the hash covers the route. */
function recallPlainly<T extends Changed>({ answer, position }: IdempotencyRow): T {
  return { ...answer, position } as unknown as T;
}

const conflict = rejection(
  'IdempotencyConflict',
  'The idempotency key was used for another request',
  { hint: 'Use a new key for each request; repeat one only to repeat the same request.' },
);

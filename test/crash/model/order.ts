/**
 * The orders in which operations that ran beside each other may have happened. An order is allowed
 * where it keeps each client's own, puts what had ended before what had not begun, gives records
 * growing positions, and makes the model tell each caller what the store told them. An operation
 * without an answer took place at any point of it, or never.
 */
import type { Signed } from '../../../src/service/signed-urls/signed-urls.ts';
import type { Asked } from './operations.ts';
import { step } from './rules/step.ts';
import { renderWorld, type StoredObject, type Told, type World } from './world.ts';

export interface Attempt extends Asked {
  /** Ticks of one clock, counted at its begin and its end. */
  readonly began: number;
  /** Infinity where it never ended. */
  readonly ended: number;
  readonly outcome: Outcome;
}

export type Outcome =
  | {
      readonly kind: 'told';
      readonly told: Told;
      /** Where the store said that it is, for those that changed something and were told. */
      readonly position?: number | undefined;
      /** The object in the answer, and its ids as the store gave them. */
      readonly object?: AnsweredObject | undefined;
      /** The token in the answer. */
      readonly signed?: Signed | undefined;
    }
  /** Closed, overloaded or out of space: refused for reasons that the model does not know. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unknown' };

export interface AnsweredObject extends Omit<StoredObject, 'made' | 'version'> {
  readonly id: string;
  readonly version: string;
}

/** Every world that may be there after the attempts of each client, from any of `worlds`. */
export function worldsAfter(
  worlds: readonly World[],
  clients: readonly (readonly Attempt[])[],
): World[] {
  const found = new Map<string, World>();
  const tried = new Set<string>();
  const visit = (world: World, at: readonly number[], last: number): void => {
    const mark = `${at.join()}|${last}|${renderWorld(world)}`;
    if (tried.has(mark)) return;
    tried.add(mark);
    const left = clients.map((attempts, client) => attempts[at[client] ?? 0]);
    if (left.every((attempt) => attempt === undefined)) {
      found.set(renderWorld(world), world);
      return;
    }
    const earliestEnd = Math.min(...left.map((attempt) => attempt?.ended ?? Infinity));
    left.forEach((attempt, client) => {
      // Something that is still to come had ended before this one began.
      if (!attempt || attempt.began > earliestEnd) return;
      const next = at.map((index, other) => (other === client ? index + 1 : index));
      for (const [after, position] of follow(world, attempt, last)) visit(after, next, position);
    });
  };
  for (const world of worlds) {
    visit(
      world,
      clients.map(() => 0),
      -1,
    );
  }
  return [...found.values()];
}

/** The worlds that the attempt may leave, each with the last position used so far. */
function follow(world: World, attempt: Attempt, last: number): (readonly [World, number])[] {
  const { operation, outcome } = attempt;
  if (outcome.kind === 'nothing') return [[world, last]];
  const { told, world: after, recorded } = step(world, attempt);
  if (outcome.kind === 'unknown') {
    return recorded
      ? [
          [world, last],
          [after, last],
        ]
      : [[world, last]];
  }
  if (told.code !== outcome.told.code || told.seen !== outcome.told.seen) return [];
  if (!recorded) return [[after, last]];
  const { position } = outcome;
  // Whoever uses a URL up is sent bytes and no position.
  if (operation.kind === 'spend') return [[after, last]];
  return position !== undefined && position > last ? [[after, position]] : [];
}

export function renderAttempt({ id, operation, key, began, ended, outcome }: Attempt): string {
  const { kind, ...rest } = operation;
  const result =
    outcome.kind === 'told'
      ? `${outcome.told.code}${outcome.told.seen === undefined ? '' : ` {${outcome.told.seen}}`}` +
        (outcome.position === undefined ? '' : ` at ${outcome.position}`)
      : outcome.kind;
  const what = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const keyed = key === null ? '' : ` key=${key}`;
  return `${id} [${began}–${ended}] ${kind} ${what.join(' ')}${keyed} → ${result}`;
}

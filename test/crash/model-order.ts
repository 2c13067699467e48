/**
 * The orders in which operations that ran beside each other may have happened. An order is allowed
 * where it keeps each client's own, puts what had ended before what had not begun, gives records
 * growing positions, and makes the model tell each caller what the store told them. An operation
 * without an answer took place at any point of it, or never.
 */
import { type Operation, renderWorld, type Sizes, step, type Told, type World } from './model.ts';

export interface Attempt {
  readonly id: string;
  readonly operation: Operation;
  /** Ticks of one clock, counted at its begin and its end. */
  readonly began: number;
  /** Infinity where it never ended. */
  readonly ended: number;
  readonly outcome: Outcome;
}

export type Outcome =
  /** `position`: where the store said that it is, for those that changed something. */
  | { readonly kind: 'told'; readonly told: Told; readonly position: number | undefined }
  /** Closed, overloaded or out of space: refused for reasons that the model does not know. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unknown' };

/** Every world that may be there after the attempts of each client, from any of `worlds`. */
export function worldsAfter(
  worlds: readonly World[],
  clients: readonly (readonly Attempt[])[],
  sizes: Sizes,
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
      for (const [after, position] of follow(world, attempt, { last, sizes })) {
        visit(after, next, position);
      }
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
function follow(
  world: World,
  { operation, outcome }: Attempt,
  { last, sizes }: { readonly last: number; readonly sizes: Sizes },
): (readonly [World, number])[] {
  if (outcome.kind === 'nothing') return [[world, last]];
  const { told, world: after, recorded } = step(world, operation, sizes);
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
  return position !== undefined && position > last ? [[after, position]] : [];
}

export function renderAttempt({ id, operation, began, ended, outcome }: Attempt): string {
  const { kind, who, bucket, ...rest } = operation;
  const result =
    outcome.kind === 'told'
      ? `${outcome.told.code}${outcome.told.seen === undefined ? '' : ` {${outcome.told.seen}}`}` +
        (outcome.position === undefined ? '' : ` at ${outcome.position}`)
      : outcome.kind;
  const what = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${id} [${began}–${ended}] ${who} ${kind} ${bucket} ${what.join(' ')} → ${result}`;
}

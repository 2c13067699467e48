/**
 * Given events, when a command is decided, then events or a refusal (after emmett's
 * DeciderSpecification). The given events are committed at positions 1, 2, … at 1 s, 2 s, …
 */
import { expect } from 'vitest';
import { type BucketRow, bucketAfter, noTotals, type Totals } from '../../src/domain/bucket.ts';
import type { BucketState } from '../../src/domain/bucket-decisions.ts';
import type {
  BucketEvent,
  ObjectDeleted,
  ObjectStored,
  StoreEvent,
} from '../../src/domain/events.ts';
import { type ObjectRow, objectAfter } from '../../src/domain/object.ts';
import type { ObjectState } from '../../src/domain/object-decisions.ts';
import type { Rejection, RejectionCode } from '../../src/domain/rejection.ts';
import type { Result } from '../../src/domain/result.ts';
import { position } from './samples.ts';

type Given = BucketEvent | ObjectStored | ObjectDeleted;
type State = BucketState & ObjectState;

/** One bucket and its objects, as the given events leave them. */
interface World {
  readonly bucket: BucketRow | undefined;
  readonly objects: ReadonlyMap<string, ObjectRow>;
}

export function given(...events: readonly Given[]) {
  const world = events.reduce<World>(evolve, { bucket: undefined, objects: new Map() });
  const state: State = {
    bucket: world.bucket,
    object: world.objects.get('a.txt'),
    totals: totalsOf(world),
  };
  return {
    /** What a decision sees: the bucket, what it holds, and the object at `a.txt`. */
    state,
    when: <Command, Decided>(
      decide: (state: State, command: Command) => Result<Decided>,
      command: Command,
    ) => outcome(decide(state, command)),
  };
}

function outcome<Decided>(result: Result<Decided>) {
  return {
    /** The decided event, or what else a decision returns. */
    thenExactly: (expected: Decided) => expect(result).toEqual({ ok: true, value: expected }),
    /** An event that has at least these fields. */
    thenMatching: (expected: object) => expect(result).toMatchObject({ ok: true, value: expected }),
    thenNothing: () => expect(result).toEqual({ ok: true, value: undefined }),
    thenRefused: (code: RejectionCode, facts?: Rejection['facts']) => {
      expect(result).toMatchObject({ ok: false, rejection: { code } });
      if (facts && !result.ok) expect(result.rejection.facts).toEqual(facts);
    },
  };
}

function evolve(world: World, event: Given, index: number): World {
  const at = { position: position(index + 1), timeMs: (index + 1) * 1_000 };
  switch (event.type) {
    case 'object.stored':
      return replaced(world, event.object.path, objectAfter(event, at));
    case 'object.deleted':
      return replaced(world, event.path, undefined);
    case 'bucket.updated':
      return { ...world, bucket: bucketAfter(event, at) };
    case 'bucket.created':
    case 'bucket.emptied':
    case 'bucket.deleted':
    case 'bucket.switched':
      return { bucket: bucketAfter(event, at), objects: new Map() };
    default:
      return event satisfies never;
  }
}

function replaced(world: World, key: string, row: ObjectRow | undefined): World {
  const objects = new Map(world.objects);
  if (row) objects.set(key, row);
  else objects.delete(key);
  return { ...world, objects };
}

function totalsOf({ bucket, objects }: World): Totals {
  return [...objects.values()].reduce(
    ({ count, bytes, foreign }, { size, owner_id }) => ({
      count: count + 1,
      bytes: bytes + size,
      foreign: foreign + (owner_id === bucket?.owner_id ? 0 : 1),
    }),
    noTotals,
  );
}

/** The decided event, for a history that goes on. */
export function decided<Event extends StoreEvent>(result: Result<Event | undefined>): Event {
  if (!result.ok || !result.value) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result.value;
}

/** How the parts of the model answer. */
import type { Bucket, Told, World } from '../world.ts';

export interface Step {
  readonly told: Told;
  readonly world: World;
  /** True where it leaves a record: its position is then one of its own. */
  readonly recorded: boolean;
}

/** What the world becomes, or why not; the parts of the model answer by it. */
export interface Words {
  refuse(code: string): Step;
  /** Nothing changes and no record tells of it. */
  show(seen?: string): Step;
  becomes(world: World, seen?: string): Step;
}

export function wordsOf(world: World): Words {
  const told = (code: string, seen?: string): Told => ({
    code,
    ...(seen === undefined ? {} : { seen }),
  });
  return {
    refuse: (code) => ({ told: { code }, world, recorded: false }),
    show: (seen) => ({ told: told('ok', seen), world, recorded: false }),
    becomes: (changed, seen) => ({ told: told('ok', seen), world: changed, recorded: true }),
  };
}

export function withBucket(world: World, name: string, bucket: Bucket | undefined): World {
  const buckets = new Map(world.buckets);
  if (bucket) buckets.set(name, bucket);
  else buckets.delete(name);
  return { ...world, buckets };
}

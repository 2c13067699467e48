/**
 * What must be true after any stop: each acknowledged operation is there, each unacknowledged one is
 * wholly there or wholly absent, and every object that is listed is readable with the right bytes.
 *
 * Operations run one after the other, so only the last one can be open: the store must then be in the
 * state before it or in the state after it, and in no other.
 */
import { createHash } from 'node:crypto';
import type { Result } from '../../src/domain/result.ts';
import { get, type Rig, service } from '../support/rig.ts';

/** Bucket name → path → digest of the bytes and metadata. */
export type Expected = Map<string, Map<string, string>>;

export interface Oracle {
  /** What the store must hold, or may hold instead. */
  readonly possible: readonly Expected[];
  /** How many operations were acknowledged. */
  readonly acknowledged: number;
  /** Runs one operation; `change` is what it does to the state when it takes place. */
  attempt(act: () => Promise<Result<unknown>>, change: (state: Expected) => void): Promise<void>;
  /** What must hold besides from now on, whenever it is checked. */
  promise(what: string, holds: (rig: Rig) => Promise<boolean>): void;
  /** Compares with what the store shows; after it the state is known again. */
  check(rig: Rig): Promise<void>;
}

export function createOracle(): Oracle {
  let state: Expected = new Map();
  let possible: Expected[] = [state];
  let acknowledged = 0;
  const promises: { what: string; holds: (rig: Rig) => Promise<boolean> }[] = [];
  return {
    get possible() {
      return possible;
    },
    get acknowledged() {
      return acknowledged;
    },
    async attempt(act, change) {
      const changed = copyOf(state);
      change(changed);
      possible = [state, changed];
      const result = await act();
      if (result.ok) {
        acknowledged += 1;
        state = changed;
        possible = [state];
      } else if (result.rejection.code !== 'OutcomeUnknown') {
        possible = [state];
      } else {
        throw new Error('the outcome is unknown: the process ends here');
      }
    },
    promise(what, holds) {
      promises.push({ what, holds });
    },
    async check(rig) {
      for (const { what, holds } of promises) {
        if (!(await holds(rig))) throw new Error(`it does not hold that ${what}`);
      }
      const observed = await observe(rig);
      const found = possible.find((one) => render(one) === render(observed));
      if (!found) {
        const expected = possible.map(render).join('\nor\n');
        throw new Error(`the store holds\n${render(observed)}\nbut must hold\n${expected}`);
      }
      state = found;
      possible = [found];
    },
  };
}

/** Everything that the service role is shown, read to the last byte. */
async function observe(rig: Rig): Promise<Expected> {
  const state: Expected = new Map();
  const buckets = await rig.store.service.buckets.list(service, {
    limit: 1000,
    offset: 0,
    search: '',
    sortColumn: 'name',
    sortOrder: 'asc',
  });
  if (!buckets.ok) throw new Error(buckets.rejection.code);
  for (const { name } of buckets.value) {
    const objects = new Map<string, string>();
    const page = await rig.store.service.objects.list(service, {
      bucket: name,
      prefix: '',
      limit: 1000,
    });
    if (!page.ok) throw new Error(page.rejection.code);
    for (const { path, metadata } of page.value.objects) {
      const bytes = await get(rig, service, { bucket: name, path });
      if (typeof bytes === 'string') throw new Error(`${name}/${path} is listed, but ${bytes}`);
      objects.set(path, digestOf(bytes, metadata));
    }
    state.set(name, objects);
  }
  return state;
}

export function digestOf(bytes: Uint8Array, metadata: string | null = null): string {
  return createHash('sha256')
    .update(bytes)
    .update(metadata ?? '')
    .digest('hex')
    .slice(0, 16);
}

function copyOf(state: Expected): Expected {
  return new Map([...state].map(([name, objects]) => [name, new Map(objects)]));
}

function render(state: Expected): string {
  const lines = [...state].flatMap(([bucket, objects]) => [
    `${bucket}:`,
    ...[...objects].sort().map(([path, digest]) => `  ${path} ${digest}`),
  ]);
  return lines.join('\n') || '(nothing)';
}

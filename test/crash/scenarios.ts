/** What is interrupted at every single disk call: each scenario is a few operations on a small store. */
import type { BucketName } from '../../src/domain/names.ts';
import {
  createBucket,
  hourMs,
  key,
  put,
  type Rig,
  type RigOptions,
  runJob,
  user,
} from '../support/rig.ts';
import { placeOrphan } from '../support/stray.ts';
import { digestOf, type Expected, type Oracle } from './oracle.ts';

const alice = user('alice');

export interface Scenario {
  readonly name: string;
  readonly options?: RigOptions;
  /** What is there before the faults begin. */
  readonly before?: (steps: Steps) => Promise<void>;
  readonly run: (steps: Steps) => Promise<void>;
  /** Whatever was cut off, later sweeps leave no file behind that nobody refers to. */
  readonly leavesNothing?: true;
}

/** Operations that tell the oracle. */
export interface Steps {
  bucket(name: string): Promise<void>;
  put(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  empty(bucket: string): Promise<void>;
  removeBucket(bucket: string): Promise<void>;
  /** Until the old keyspaces are drained and every blob is finalized. */
  settle(): Promise<void>;
  /** A file among the blobs that nobody refers to. */
  stray(): Promise<void>;
  /** After so many hours: a sweep with its collection, to the end. */
  sweepAfter(hours: number): Promise<void>;
  close(): Promise<void>;
  reopen(): Promise<void>;
}

export function stepsOn(rig: Rig, oracle: Oracle): Steps {
  const bucketName = (name: string) => name as BucketName;
  const objectsOf = (state: Expected, name: string) => {
    const objects = state.get(name);
    if (!objects) throw new Error(`the scenario has no bucket ${name}`);
    return objects;
  };
  return {
    bucket: (name) =>
      oracle.attempt(
        () => createBucket(rig, alice, name),
        (state) => void state.set(name, new Map()),
      ),
    put: (path, bytes) =>
      oracle.attempt(
        () => put(rig, alice, { bucket: 'b', path, bytes }),
        (state) => void objectsOf(state, 'b').set(path, digestOf(bytes)),
      ),
    remove: (path) =>
      oracle.attempt(
        () => rig.store.service.objects.remove(alice, key('b', path)),
        (state) => void objectsOf(state, 'b').delete(path),
      ),
    empty: (name) =>
      oracle.attempt(
        () => rig.store.service.buckets.empty(alice, bucketName(name)),
        (state) => objectsOf(state, name).clear(),
      ),
    removeBucket: (name) =>
      oracle.attempt(
        () => rig.store.service.buckets.remove(alice, bucketName(name), { force: true }),
        (state) => void state.delete(name),
      ),
    settle: () => rig.store.settled(),
    stray: () => placeOrphan(rig, 'ab'.repeat(16)),
    async sweepAfter(hours) {
      rig.advance(hours * hourMs);
      await runJob(rig, 'sweep');
    },
    close: () => rig.close(),
    reopen: async () => {
      await rig.open();
    },
  };
}

const small = Buffer.from('small');
/** More than one CRC block and more than one page, and not a multiple of either. */
const large = Buffer.alloc(300_001, 'large ');

export const scenarios: readonly Scenario[] = [
  { name: 'a bucket is created', run: (steps) => steps.bucket('b') },
  {
    name: 'small and large uploads',
    before: (steps) => steps.bucket('b'),
    async run(steps) {
      await steps.put('small', small);
      await steps.put('large', large);
      await steps.settle();
    },
  },
  {
    name: 'an overwrite',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
    },
    async run(steps) {
      await steps.put('a', large);
      await steps.put('a', small);
    },
  },
  {
    name: 'a delete',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
      await steps.put('c', small);
    },
    run: (steps) => steps.remove('a'),
  },
  {
    name: 'a forced delete of a bucket and its draining',
    async before(steps) {
      await steps.bucket('b');
      for (const path of ['1', '2', '3']) await steps.put(path, small);
    },
    async run(steps) {
      await steps.removeBucket('b');
      await steps.settle();
      await steps.bucket('b');
    },
  },
  {
    name: 'an emptied bucket, its draining and its new life',
    async before(steps) {
      await steps.bucket('b');
      for (const path of ['1', '2', '3']) await steps.put(path, small);
    },
    async run(steps) {
      await steps.empty('b');
      await steps.put('1', large);
      await steps.settle();
    },
  },
  {
    name: 'segments that roll',
    options: { store: { logLimits: { segmentBytes: 4096 } } },
    before: (steps) => steps.bucket('b'),
    async run(steps) {
      for (let index = 0; index < 6; index += 1) await steps.put(`${index}`, small);
    },
  },
  {
    name: 'fences of the views',
    options: { store: { fenceEvery: { records: 2, bytes: 1e9 } } },
    before: (steps) => steps.bucket('b'),
    async run(steps) {
      for (let index = 0; index < 5; index += 1) await steps.put(`${index}`, small);
    },
  },
  {
    name: 'a sweep that sets an orphan aside and frees it',
    leavesNothing: true,
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
      await steps.stray();
    },
    async run(steps) {
      await steps.sweepAfter(0);
      await steps.put('a', large);
      await steps.sweepAfter(25);
    },
  },
  {
    name: 'the collection of what was overwritten and deleted',
    leavesNothing: true,
    async before(steps) {
      await steps.bucket('b');
      for (const path of ['a', 'a', 'c']) await steps.put(path, small);
      await steps.remove('c');
    },
    async run(steps) {
      await steps.sweepAfter(24 * 8);
      await steps.put('a', large);
    },
  },
  {
    name: 'a clean stop and a start after it',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
    },
    async run(steps) {
      await steps.close();
      await steps.reopen();
      await steps.put('c', small);
    },
  },
];

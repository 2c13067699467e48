/** What is interrupted at every single disk call: each scenario is a few operations on a small store. */
import type { BucketName, ObjectPath } from '../../src/domain/names.ts';
import type { Call } from '../../src/service/service.ts';
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
import { type FollowerSteps, followerSteps } from './follower-steps.ts';
import { digestOf, type Expected, type Oracle } from './oracle.ts';
import { type SignedSteps, signedSteps } from './signed-steps.ts';

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
export interface Steps extends SignedSteps, FollowerSteps {
  bucket(name: string): Promise<void>;
  put(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  /** Within one bucket or across, over whatever the target holds; places are `bucket/path`. */
  copy(from: string, to: string): Promise<void>;
  move(from: string, to: string): Promise<void>;
  /** Gives the object other metadata. */
  patch(path: string, metadata: string): Promise<void>;
  removeMany(paths: readonly string[]): Promise<void>;
  /** An upload with an idempotency key: done again under the same key it changes nothing. */
  putOnce(path: string, bytes: Uint8Array, word: string): Promise<void>;
  empty(bucket: string): Promise<void>;
  removeBucket(bucket: string): Promise<void>;
  /** Until the old keyspaces are drained and every blob is finalized. */
  settle(): Promise<void>;
  /** A file among the blobs that nobody refers to. */
  stray(): Promise<void>;
  /** After so many hours: a sweep with its collection, to the end. */
  sweepAfter(hours: number): Promise<void>;
  close(): Promise<void>;
  /** The power goes, and the disk that is left meets the same faults. */
  cutPower(): Promise<void>;
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
    ...signedSteps(rig, oracle),
    ...followerSteps(rig, oracle),
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
    ...changesOn(rig, oracle, objectsOf),
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
    async cutPower() {
      const { inject } = rig.disk;
      await rig.cutPower(7);
      rig.disk.inject = inject;
    },
    reopen: async () => {
      await rig.open();
    },
  };
}

type ObjectsOf = (state: Expected, name: string) => Map<string, string>;
type Changes = Pick<Steps, 'copy' | 'move' | 'patch' | 'removeMany' | 'putOnce'>;

function changesOn(rig: Rig, oracle: Oracle, objectsOf: ObjectsOf): Changes {
  const objects = () => rig.store.service.objects;
  const done = new Set<string>();
  const placeOf = (at: string) => {
    const [bucket = '', path = ''] = at.split('/', 2);
    return key(bucket, path);
  };
  const transfer = (kind: 'copy' | 'move', from: string, to: string) => {
    const source = placeOf(from);
    const target = placeOf(to);
    return oracle.attempt(
      () => objects()[kind](alice, { source, target, overwrite: true }),
      (state) => {
        const digest = objectsOf(state, source.bucket).get(source.path);
        if (digest === undefined) throw new Error(`the scenario has no object ${from}`);
        if (kind === 'move') objectsOf(state, source.bucket).delete(source.path);
        objectsOf(state, target.bucket).set(target.path, digest);
      },
    );
  };
  return {
    copy: (from, to) => transfer('copy', from, to),
    move: (from, to) => transfer('move', from, to),
    patch: (path, metadata) =>
      oracle.attempt(
        () => objects().patch(alice, key('b', path), { changes: { metadata } }),
        (state) => void objectsOf(state, 'b').set(path, digestOf(small, metadata)),
      ),
    removeMany: (paths) =>
      oracle.attempt(
        () => objects().removeMany(alice, 'b' as BucketName, paths as ObjectPath[]),
        (state) => {
          for (const path of paths) objectsOf(state, 'b').delete(path);
        },
      ),
    async putOnce(path, bytes, word) {
      const before = oracle.acknowledged;
      await oracle.attempt(
        () => put(rig, keyed(word), { bucket: 'b', path, bytes }),
        (state) => {
          if (!done.has(word)) objectsOf(state, 'b').set(path, digestOf(bytes));
        },
      );
      if (oracle.acknowledged > before) done.add(word);
    },
  };
}

const keyed = (word: string): Call => ({
  ...alice,
  idempotency: { key: word, request_hash: word },
});

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
    name: 'copies, onto others and of what goes',
    async before(steps) {
      await steps.bucket('b');
      await steps.bucket('c');
      await steps.put('a', small);
      await steps.put('o', large);
    },
    async run(steps) {
      await steps.copy('b/a', 'c/new');
      await steps.copy('b/a', 'b/o');
      await steps.remove('a');
    },
  },
  {
    name: 'moves, over others and across buckets',
    async before(steps) {
      await steps.bucket('b');
      await steps.bucket('c');
      await steps.put('a', small);
      await steps.put('o', large);
    },
    async run(steps) {
      await steps.move('b/a', 'b/o');
      await steps.move('b/o', 'c/a');
      await steps.move('c/a', 'b/a');
    },
  },
  {
    name: 'changed metadata',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
    },
    async run(steps) {
      await steps.patch('a', '{"n":1}');
      await steps.patch('a', '{"n":2}');
    },
  },
  {
    name: 'a delete of many',
    async before(steps) {
      await steps.bucket('b');
      for (const path of ['1', '2', '3']) await steps.put(path, small);
    },
    run: (steps) => steps.removeMany(['1', 'none', '3']),
  },
  {
    name: 'an idempotent upload, an overwrite and the upload again',
    before: (steps) => steps.bucket('b'),
    async run(steps) {
      await steps.putOnce('a', small, 'k');
      await steps.put('a', large);
      await steps.putOnce('a', small, 'k');
    },
  },
  {
    name: 'single uses of signed URLs',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
      await steps.sign();
    },
    async run(steps) {
      await steps.downloadOnce();
      await steps.uploadOnce(small);
    },
  },
  {
    name: 'revocations of signed URLs',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
      await steps.sign();
    },
    async run(steps) {
      await steps.revokeToken();
      await steps.close();
      await steps.reopen();
    },
  },
  {
    name: 'a bucket whose signed URLs are all revoked',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
      await steps.sign();
    },
    run: (steps) => steps.revokeBucket(),
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
    name: 'recovery after a power cut, from a fence, with a bucket half drained',
    options: { store: { fenceEvery: { records: 3, bytes: 1e9 } } },
    async before(steps) {
      await steps.bucket('b');
      for (const path of ['1', '2', '3', '4']) await steps.put(path, small);
      await steps.put('1', large);
      await steps.empty('b');
      await steps.put('2', small);
    },
    async run(steps) {
      await steps.cutPower();
      await steps.reopen();
      await steps.settle();
      await steps.put('3', small);
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

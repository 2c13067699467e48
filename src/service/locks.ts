/**
 * Locks by name, shared or exclusive, first come first served.
 *
 * A caller asks for all that it needs at once and takes none later; locks are taken in one order
 * (buckets before keys, each by name), so two callers can't wait for each other. They are held from
 * the decision until the record is applied; uploading bytes happens outside of them.
 */
import type { Actor } from '../domain/events.ts';
import type { BucketName, ObjectPath } from '../domain/names.ts';

export interface LockRequest {
  readonly name: string;
  readonly mode: 'shared' | 'exclusive';
}

export type Release = () => void;

export interface Locks {
  acquire(requests: readonly LockRequest[]): Promise<Release>;
  /** Names with a holder or a waiter. */
  readonly size: number;
}

/**
 * Exclusive while retention advances. Who brings back what was deleted holds it shared, from its
 * decision until its rows are applied, so that no blob is collected in between. It sorts last.
 */
export function collectionLock(mode: LockRequest['mode']): LockRequest {
  return { name: '2', mode };
}

/** Held while webhooks are made, changed or removed: there are few, and they are counted. */
export const webhooksLock: LockRequest = { name: '3webhooks', mode: 'exclusive' };

/** Held while consumers of one owner are made, changed or removed. */
export function consumersLock(owner: string): LockRequest {
  return { name: `4${owner}`, mode: 'exclusive' };
}

/** Bucket locks sort before key locks: '0' < '1'. */
export function bucketLock(bucket: BucketName, mode: LockRequest['mode']): LockRequest {
  return { name: `0${bucket}`, mode };
}

export function keyLock(
  bucket: BucketName,
  path: ObjectPath,
  mode: LockRequest['mode'],
): LockRequest {
  return { name: `1${bucket}/${path}`, mode };
}

/** In a table of its own: held around a use case, whose own locks come after it. */
export function requestLock({ role, sub }: Pick<Actor, 'role' | 'sub'>, key: string): LockRequest {
  return { name: JSON.stringify([role, sub, key]), mode: 'exclusive' };
}

interface Waiter {
  readonly mode: LockRequest['mode'];
  readonly proceed: () => void;
}

interface Queue {
  /** How many hold it; -1 for one exclusive holder. */
  holders: number;
  readonly waiters: Waiter[];
}

export function createLocks(): Locks {
  const queues = new Map<string, Queue>();
  return {
    get size() {
      return queues.size;
    },
    async acquire(requests) {
      const ordered = inOrder(requests);
      for (const request of ordered) await take(queues, request);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        for (const request of ordered) giveBack(queues, request);
      };
    },
  };
}

/** By name; asked for twice, the stronger mode counts once. */
function inOrder(requests: readonly LockRequest[]): LockRequest[] {
  const modes = new Map<string, LockRequest['mode']>();
  for (const { name, mode } of requests) {
    if (modes.get(name) !== 'exclusive') modes.set(name, mode);
  }
  return [...modes]
    .map(([name, mode]) => ({ name, mode }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

function take(queues: Map<string, Queue>, { name, mode }: LockRequest): Promise<void> | undefined {
  let queue = queues.get(name);
  if (!queue) {
    queue = { holders: 0, waiters: [] };
    queues.set(name, queue);
  }
  if (queue.waiters.length === 0 && admits(queue, mode)) {
    hold(queue, mode);
    return undefined;
  }
  const { waiters } = queue;
  return new Promise((proceed) => waiters.push({ mode, proceed }));
}

function giveBack(queues: Map<string, Queue>, { name, mode }: LockRequest): void {
  const queue = queues.get(name);
  if (!queue) throw new Error('a lock was released that nobody holds');
  queue.holders = mode === 'exclusive' ? 0 : queue.holders - 1;
  for (let next = queue.waiters[0]; next && admits(queue, next.mode); next = queue.waiters[0]) {
    queue.waiters.shift();
    hold(queue, next.mode);
    next.proceed();
  }
  if (queue.holders === 0 && queue.waiters.length === 0) queues.delete(name);
}

function admits(queue: Queue, mode: LockRequest['mode']): boolean {
  return mode === 'exclusive' ? queue.holders === 0 : queue.holders >= 0;
}

function hold(queue: Queue, mode: LockRequest['mode']): void {
  queue.holders = mode === 'exclusive' ? -1 : queue.holders + 1;
}

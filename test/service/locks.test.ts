import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import type { BucketName, ObjectPath } from '../../src/domain/names.ts';
import { bucketLock, createLocks, keyLock, type LockRequest } from '../../src/service/locks.ts';

const a: LockRequest = { name: 'a', mode: 'exclusive' };
const sharedA: LockRequest = { name: 'a', mode: 'shared' };

/** Lets everything that can go on do so. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('locks', () => {
  it('lets shared holders in together and keeps an exclusive one out', async () => {
    const locks = createLocks();
    const first = await locks.acquire([sharedA]);
    const second = await locks.acquire([sharedA]);
    let entered = false;
    const third = locks.acquire([a]).then((release) => {
      entered = true;
      return release;
    });
    first();
    await settle();
    expect(entered).toBe(false);
    second();
    (await third)();
    expect(locks.size).toBe(0);
  });

  it('serves first come first: a shared request waits behind an exclusive one', async () => {
    const locks = createLocks();
    const order: string[] = [];
    const held = await locks.acquire([sharedA]);
    const exclusive = locks.acquire([a]).then((release) => {
      order.push('exclusive');
      release();
    });
    const shared = locks.acquire([sharedA]).then((release) => {
      order.push('shared');
      release();
    });
    await settle();
    expect(order).toEqual([]);
    held();
    await Promise.all([exclusive, shared]);
    expect(order).toEqual(['exclusive', 'shared']);
  });

  it('takes a name once where it is asked for twice, in the stronger mode', async () => {
    const locks = createLocks();
    const release = await locks.acquire([sharedA, a, sharedA]);
    let entered = false;
    const other = locks.acquire([sharedA]).then((free) => {
      entered = true;
      free();
    });
    await settle();
    expect(entered).toBe(false);
    release();
    await other;
  });

  it('does nothing when released twice', async () => {
    const locks = createLocks();
    const release = await locks.acquire([sharedA]);
    const other = await locks.acquire([sharedA]);
    release();
    release();
    let entered = false;
    const exclusive = locks.acquire([a]).then((free) => {
      entered = true;
      free();
    });
    await settle();
    expect(entered).toBe(false);
    other();
    await exclusive;
  });

  it('takes buckets before keys, whatever their names', () => {
    const bucket = bucketLock('zzz' as BucketName, 'shared');
    const key = keyLock('aaa' as BucketName, 'a' as ObjectPath, 'exclusive');
    expect(bucket.name < key.name).toBe(true);
  });

  test.prop([
    fc.array(
      fc.array(
        fc.record({
          name: fc.constantFrom('a', 'b', 'c'),
          mode: fc.constantFrom('shared', 'exclusive'),
        }),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      { minLength: 1, maxLength: 20 },
    ),
  ])('never deadlocks, and never shares what is exclusive', async (requests) => {
    const locks = createLocks();
    const holders = new Map<string, { shared: number; exclusive: number }>();
    await Promise.all(
      requests.map(async (request) => {
        const wanted = request as LockRequest[];
        const release = await locks.acquire(wanted);
        const modes = new Map<string, string>();
        for (const { name, mode } of wanted) {
          if (modes.get(name) !== 'exclusive') modes.set(name, mode);
        }
        for (const [name, mode] of modes) {
          const held = holders.get(name) ?? { shared: 0, exclusive: 0 };
          if (mode === 'exclusive') held.exclusive += 1;
          else held.shared += 1;
          holders.set(name, held);
          expect(held.exclusive === 0 || (held.exclusive === 1 && held.shared === 0)).toBe(true);
        }
        await settle();
        for (const [name, mode] of modes) {
          const held = holders.get(name);
          if (!held) throw new Error('unreachable');
          if (mode === 'exclusive') held.exclusive -= 1;
          else held.shared -= 1;
        }
        release();
      }),
    );
    expect(locks.size).toBe(0);
  });
});

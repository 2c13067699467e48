/** A start that fails half way: what it began has ended before it says so. */
import { expect, it } from 'vitest';
import { layoutOf } from '../../src/home/layout.ts';
import { deferred } from '../support/deferred.ts';
import { createBucket, dataDirectory, openRig, put, user } from '../support/rig.ts';

const { staging } = layoutOf(dataDirectory);

it('a start that can not clear staging waits for the fence that it was making', async () => {
  const rig = await openRig({ store: { fenceEvery: { records: 2, bytes: 1e9 } } });
  const alice = user('alice');
  await createBucket(rig, alice, 'b');
  for (const path of ['1', '2', '3']) {
    await put(rig, alice, { bucket: 'b', path, bytes: Buffer.from(path) });
  }
  await rig.kill();
  rig.views.destroy();

  const flush = deferred();
  let flushes = 0;
  rig.views.onFlush = async () => {
    flushes += 1;
    await flush.promise;
    flushes -= 1;
  };
  rig.disk.inject = ({ operation, path }) => {
    if (operation !== 'list' || path !== staging) return undefined;
    rig.disk.inject = () => undefined;
    void turns(100).then(flush.resolve);
    return { kind: 'error', code: 'EIO' };
  };
  await expect(rig.open()).rejects.toThrow(/EIO/);

  expect(flushes).toBe(0);
});

/** Time in which whoever does not wait would be long done. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

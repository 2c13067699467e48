import { describe, expect, it } from 'vitest';
import type { BlobId, Position } from '../../src/domain/names.ts';
import { Publisher } from '../../src/views/applying/publisher.ts';
import { deferred } from '../support/deferred.ts';
import { silent } from '../support/views.ts';

const at = (position: number) => position as Position;
const bad = 'bad' as BlobId;
const good = (index: number) => `good-${index}` as BlobId;

/** A publisher over blobs of which some fail; its pauses end when the test says so. */
function publishing() {
  const failing = new Set<BlobId>([bad]);
  const published: BlobId[] = [];
  const alarms: string[] = [];
  let pauses = 0;
  let tries = 0;
  let syncs = 0;
  let pause = deferred();
  const publisher = new Publisher({
    blobs: {
      async publish(blobIds) {
        tries += 1;
        if (blobIds.some((blobId) => failing.has(blobId))) throw new Error('EACCES');
        published.push(...blobIds);
        return { missing: blobIds.filter((blobId) => blobId.startsWith('gone')) };
      },
      async finalize() {
        syncs += 1;
      },
    },
    observe: silent,
    alarms: {
      missing: (blobId) => void alarms.push(blobId),
      stuck: () => void alarms.push('stuck'),
    },
    pause() {
      pauses += 1;
      return pause.promise;
    },
    finalized: at(0),
  });
  return {
    publisher,
    failing,
    published,
    alarms,
    get pauses() {
      return pauses;
    },
    get tries() {
      return tries;
    },
    get syncs() {
      return syncs;
    },
    async endPause() {
      const before = pause;
      const round = pauses;
      pause = deferred();
      before.resolve();
      await turns();
      return pauses > round;
    },
  };
}

/** Until no microtask is left. */
const turns = () => new Promise<void>((resolve) => void setImmediate(resolve));

describe('publishing behind a blob that fails', () => {
  it('costs no more for the last of many batches than for the first', async () => {
    const rig = publishing();
    await rig.publisher.publish(at(1), [bad]);
    const begun = performance.now();
    for (let index = 2; index < 50_000; index += 1) {
      await rig.publisher.publish(at(index), index % 2 ? [] : [good(index)]);
    }
    // All of them kept, and each looked at for each: half a minute.
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(rig.publisher.finalizedPosition).toBe(0);
    rig.failing.clear();
    expect(await rig.endPause()).toBe(false);
    expect(rig.publisher.finalizedPosition).toBe(49_999);
    expect(rig.syncs).toBeLessThan(5);
    await rig.publisher.close();
  });

  it('tries again what failed with it, which may do by now', async () => {
    const rig = publishing();
    rig.failing.add(good(2));
    await rig.publisher.publish(at(1), [bad]);
    await rig.publisher.publish(at(2), [good(2)]);
    rig.failing.delete(good(2));
    await rig.endPause();
    expect(rig.published).toEqual([good(2)]);
    await rig.publisher.close();
  });

  it('waits neither in a publish nor in the close, however many are left', async () => {
    const rig = publishing();
    const all = Array.from({ length: 6_000 }, () => bad);
    await rig.publisher.publish(at(1), all);
    expect(rig.alarms).toEqual([]);
    await rig.publisher.publish(at(2), all);
    await rig.publisher.publish(at(3), all);
    expect(rig.alarms, 'beyond the limit they are left to the next start').toEqual(['stuck']);
    rig.failing.clear();
    await rig.endPause();
    expect(rig.published.length).toBe(6_000);
    expect(rig.publisher.finalizedPosition, 'which must see their records').toBe(0);
    await rig.publisher.close();
  });

  it('tries nothing after the close, and a late publish begins nothing', async () => {
    const rig = publishing();
    await rig.publisher.publish(at(1), [bad]);
    await rig.publisher.close();
    expect(await rig.endPause()).toBe(false);
    await rig.publisher.publish(
      at(2),
      Array.from({ length: 10_000 }, () => bad),
    );
    await rig.publisher.publish(at(3), [bad]);
    expect([rig.tries, rig.pauses]).toEqual([3, 1]);
  });

  it('tells of a blob that is nowhere at once', async () => {
    const rig = publishing();
    await rig.publisher.publish(at(1), ['gone' as BlobId]);
    expect(rig.alarms).toEqual(['gone']);
  });
});

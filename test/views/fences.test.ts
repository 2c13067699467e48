/** When a fence is made, and what it says. */
import { describe, expect, it } from 'vitest';
import type { CommittedRecord } from '../../src/domain/events.ts';
import type { FenceInfo } from '../../src/views/fences.ts';
import { PROJECTION } from '../../src/views/projection.ts';
import { deferred } from '../support/deferred.ts';
import { framesOf, RandomLog } from '../support/random-log.ts';
import { lastOf, memoryViews, uploads, watching } from '../support/views.ts';

describe('a fence', () => {
  it('is due after so many records, and says position and totals of one instant', async () => {
    const records = uploads(30);
    const { applier, fences } = await memoryViews({ fenceEvery: { records: 7, bytes: 1e9 } });
    for (const record of records) await applier.replay(framesOf([record]));
    await applier.close();
    expect(fences.length).toBe(Math.floor(records.length / 7));
    for (const fence of fences) expectTrue(fence, records);
  });

  it('is due after so many bytes', async () => {
    const { applier, fences } = await memoryViews({ fenceEvery: { records: 1e9, bytes: 1 } });
    await applier.replay(framesOf(uploads(3), [10]));
    await applier.close();
    expect(fences.length).toBe(1);
  });

  it('is written only after a flush that began once its rows were written', async () => {
    const records = uploads(9);
    const steps: string[] = [];
    const made = await memoryViews({
      fenceEvery: { records: 1, bytes: 1 },
      fence: async ({ position }) => void steps.push(`fence ${position}`),
    });
    made.store.flush = async () => void steps.push(`flush ${made.store.applied}`);
    for (const record of records) await made.applier.replay(framesOf([record]));
    await made.applier.close();
    const expected = records.flatMap(({ position }) => [`flush ${position}`, `fence ${position}`]);
    expect(steps).toEqual(expected);
  });

  it('that fails is not fatal: the next one is due in its time', async () => {
    const { said, observe } = watching();
    const { applier } = await memoryViews({
      observe,
      fenceEvery: { records: 2, bytes: 1e9 },
      fence: () => Promise.reject(new Error('ENOSPC')),
    });
    const records = uploads(6);
    for (const record of records) await applier.replay(framesOf([record]));
    await applier.close();
    expect(applier.applied).toBe(lastOf(records));
    expect(said.length).toBeGreaterThan(1);
  });

  it('stands right behind a retention before anything later is applied', async () => {
    const { records } = new RandomLog([
      [0, 0, 0, 0],
      [8, 0, 0, 1],
      [86, 100, 0, 0],
      [8, 0, 1, 2],
    ]);
    const retention = records[2];
    expect(retention?.event.type).toBe('retention.advanced');
    const writing = deferred();
    const reached = deferred();
    const { applier } = await memoryViews({
      fence: async ({ position }) => {
        expect(position).toBe(retention?.position);
        reached.resolve();
        await writing.promise;
      },
    });
    const replaying = applier.replay(framesOf(records, [10]));
    await reached.promise;
    expect(applier.applied).toBe(retention?.position);
    writing.resolve();
    await replaying;
    expect(applier.applied).toBe(lastOf(records));
  });

  it('of a clean stop says what is applied', async () => {
    const records = uploads(12);
    const { applier, fences } = await memoryViews();
    await applier.run(framesOf(records));
    const fence = await applier.fence();
    expect(fences).toEqual([fence]);
    expectTrue(fence, records);
  });

  function expectTrue(fence: FenceInfo, records: readonly CommittedRecord[]) {
    const rows = new Map<string, number>();
    for (const { event, position } of records) {
      if (event.type === 'object.stored' && position <= fence.position) {
        rows.set(event.object.path, event.object.size);
      }
    }
    const [totals] = fence.totals.map(([, value]) => value);
    expect(totals?.count ?? 0).toBe(rows.size);
    expect(totals?.bytes ?? 0).toBe([...rows.values()].reduce((sum, size) => sum + size, 0));
    expect(fence).toMatchObject({ viewsId: 'views-1', projection: PROJECTION });
  }
});

/** A replay is ahead of what is being written by one batch, and nobody must be able to tell. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { CommittedRecord } from '../../src/domain/events.ts';
import type { Position } from '../../src/domain/names.ts';
import type { CommittedFrame } from '../../src/journal/journal.ts';
import type { FenceInfo } from '../../src/views/fences.ts';
import { deferred } from '../support/deferred.ts';
import { framesOf, RandomLog } from '../support/random-log.ts';
import { lastOf, memoryViews, uploads } from '../support/views.ts';

const disk = new Error('the disk is gone');
const unreadable = new Error('unreadable');

/** Tells of each batch when its write begins and ends, and holds up all writes until `release`. */
async function slowViews() {
  const made = await memoryViews();
  const { store } = made;
  const prepare = store.prepare.bind(store);
  const steps: string[] = [];
  const release = deferred();
  const two = deferred();
  let batches = 0;
  store.prepare = (batch) => {
    batches += 1;
    if (batches === 2) two.resolve();
    const { sizeBytes, write } = prepare(batch);
    return {
      sizeBytes,
      async write() {
        steps.push(`begin ${batch.applied}`);
        await release.promise;
        await write();
        steps.push(`end ${batch.applied}`);
      },
    };
  };
  return { ...made, steps, release, two };
}

async function* thenFailing(records: readonly CommittedRecord[]): AsyncGenerator<CommittedFrame> {
  yield* framesOf(records, [records.length]);
  throw unreadable;
}

/** Position and totals are those of one instant: what a replay that ends there leaves. */
async function expectTrue(fence: FenceInfo, records: readonly CommittedRecord[]): Promise<void> {
  const { applier } = await memoryViews();
  await applier.replay(framesOf(records.filter(({ position }) => position <= fence.position)));
  expect(fence).toEqual(await applier.fence());
}

it('makes the next batch while one is being written, and writes one at a time', async () => {
  const records = uploads(300);
  const { applier, views, steps, release, two } = await slowViews();
  const replaying = applier.replay(framesOf(records));
  await two.promise;
  expect(steps.length).toBe(1);
  expect(applier.applied).toBe(0);
  release.resolve();
  expect(await replaying).toEqual({ records: records.length });
  expect(steps.length).toBeGreaterThan(6);
  for (let at = 0; at < steps.length; at += 2) {
    expect(steps[at + 1]).toBe(steps[at]?.replace('begin', 'end'));
  }
  expect(applier.applied).toBe(lastOf(records));
  const straight = await memoryViews();
  for (const record of records) await straight.applier.replay(framesOf([record]));
  expect(await views.digest()).toBe(await straight.views.digest());
});

it('says in its fences what is written, though it is ahead with the next batch', async () => {
  const records = uploads(600);
  const { applier, fences } = await memoryViews({ fenceEvery: { records: 100, bytes: 1e9 } });
  await applier.replay(framesOf(records));
  await applier.close();
  expect(fences.length).toBeGreaterThan(2);
  for (const fence of fences) await expectTrue(fence, records);
});

it('that can not be written ends with the cause, and nothing behind it is written', async () => {
  const { applier, store } = await memoryViews();
  const prepare = store.prepare.bind(store);
  const begun: Position[] = [];
  store.prepare = (batch) => {
    const { sizeBytes, write } = prepare(batch);
    return {
      sizeBytes,
      write() {
        begun.push(batch.applied);
        return begun.length === 2 ? Promise.reject(disk) : write();
      },
    };
  };
  await expect(applier.replay(framesOf(uploads(300)))).rejects.toBe(disk);
  expect(begun.length).toBe(2);
  expect(applier.applied).toBe(begun[0]);
  expect(await applier.failed).toBe(disk);
  await applier.close();
});

it('ends only when nothing is being written, where the log can not be read further', async () => {
  const records = uploads(10);
  const { applier, steps, release } = await slowViews();
  let ended = false;
  const replaying = applier.replay(thenFailing(records)).finally(() => {
    ended = true;
  });
  const rejected = expect(replaying).rejects.toBe(unreadable);
  while (steps.length === 0) await turn();
  for (let turns = 0; turns < 20; turns += 1) await turn();
  expect(ended).toBe(false);
  release.resolve();
  await rejected;
  expect(applier.applied).toBe(lastOf(records));
});

it('looks for what a retention removes only when all before it is written', async () => {
  const { records } = new RandomLog([
    [0, 0, 0, 0],
    [8, 0, 0, 1],
    [86, 100, 0, 0],
  ]);
  expect(records[2]?.event.type).toBe('retention.advanced');
  const before = lastOf(records.slice(0, 2));
  const { applier, store, steps, release } = await slowViews();
  const entries = store.entries.bind(store);
  store.entries = (...range) => {
    steps.push('look');
    return entries(...range);
  };
  const replaying = applier.replay(framesOf(records, [10]));
  while (steps.length === 0) await turn();
  for (let turns = 0; turns < 20; turns += 1) await turn();
  expect(steps).toEqual([`begin ${before}`]);
  release.resolve();
  await replaying;
  expect(steps.slice(1, 3)).toEqual([`end ${before}`, 'look']);
});

it.each([
  [2499, 0],
  [2500, 1],
])('of %d records ends with %d fences', async (length, expected) => {
  const records = uploads(length - 1);
  expect(records.length).toBe(length);
  const { applier, fences } = await memoryViews();
  await applier.replay(framesOf(records));
  await applier.close();
  expect(fences.map(({ position }) => position)).toEqual(expected ? [lastOf(records)] : []);
  for (const fence of fences) await expectTrue(fence, records);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CommittedRecord } from '../../src/domain/events.ts';
import type { BlobId, Position } from '../../src/domain/names.ts';
import { crcsKey, kindRange, lastReleaseKey, referenceKey } from '../../src/views/keys.ts';
import { collect } from '../support/collect.ts';
import { arbitrarySteps, framesOf, RandomLog } from '../support/random-log.ts';
import { memoryViews } from '../support/views.ts';

/** `count` uploads to one path: each but the last is released by the next. Times are 1, 2, 3 … */
async function overwritten(count: number) {
  const log = new RandomLog([
    [0, 0, 0, 0],
    ...Array.from({ length: count }, () => [8, 0, 0, 1] as [number, number, number, number]),
  ]);
  const records = log.records.map((record) => ({ ...record, timeMs: record.position * 10 }));
  const made = await memoryViews();
  await made.applier.replay(framesOf(records));
  const blobIds = records.flatMap(({ event }) =>
    event.type === 'object.stored' ? [event.object.blob_id] : [],
  );
  return { ...made, records, blobIds };
}

function retention(position: Position, at: Position): CommittedRecord {
  const event = { type: 'retention.advanced', position, time: 0 } as const;
  const actor = { sub: null, role: 'system', request_id: null } as const;
  return { event, actor, position: at, timeMs: 1, epoch: 1 };
}

describe('what is due', () => {
  it('is nothing before its time, and at its time what was released then', async () => {
    const { views, records, blobIds } = await overwritten(3);
    const [first, second] = blobIds;
    const release = records[2]?.timeMs ?? 0;
    expect(await views.due(release - 1, 100)).toBeUndefined();
    expect(await views.due(release, 100)).toEqual({
      position: records[2]?.position,
      blobIds: [first],
    });
    expect(await views.due(release + 1000, 100)).toEqual({
      position: records[3]?.position,
      blobIds: [first, second],
    });
  });

  it('comes in portions, oldest first, until nothing is left', async () => {
    const { views, applier, store, blobIds } = await overwritten(11);
    const seen: BlobId[] = [];
    let portions = 0;
    for (;;) {
      const due = await views.due(1e9, 3);
      if (!due) break;
      portions += 1;
      seen.push(...due.blobIds);
      expect(due.blobIds.length).toBeLessThanOrEqual(3);
      const next = (applier.applied + 1) as Position;
      await applier.replay(framesOf([retention(due.position, next)]));
    }
    expect(portions).toBe(4);
    expect(seen).toEqual(blobIds.slice(0, -1));
    expect(await collect(store.entries(kindRange('q')))).toEqual([]);
    expect(await collect(store.entries(kindRange('x')))).toEqual([]);
  });

  it('has bounded portions also where much history expires and little is released', async () => {
    const patch = [72, 0, 0, 1] as [number, number, number, number];
    const log = new RandomLog([
      [0, 0, 0, 0],
      [8, 0, 0, 1],
      ...Array.from({ length: 20 }, () => patch),
      [60, 0, 0, 1],
    ]);
    const types = log.records.map(({ event }) => event.type);
    expect(types.slice(2)).toEqual([...Array(20).fill('object.patched'), 'object.deleted']);
    const { applier, views } = await memoryViews();
    await applier.replay(framesOf(log.records));
    expect(await views.due(Number.MAX_SAFE_INTEGER, 3)).toEqual({
      position: log.records[4]?.position,
      blobIds: [],
    });
  });

  it('ends in nothing due, whatever the log and the size of the portions', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySteps(60), fc.integer({ min: 1, max: 5 }), async (steps, limit) => {
        const { records } = new RandomLog(steps);
        const { applier, views, store } = await memoryViews();
        await applier.replay(framesOf(records));
        for (let round = 0; round < 500; round += 1) {
          const due = await views.due(Number.MAX_SAFE_INTEGER, limit);
          if (!due) break;
          // A record releases two blobs at most, and no position is cut in two.
          expect(due.blobIds.length).toBeLessThanOrEqual(limit + 1);
          const next = (applier.applied + 1) as Position;
          await applier.replay(framesOf([retention(due.position, next)]));
        }
        expect(await collect(store.entries(kindRange('q')))).toEqual([]);
        expect(await collect(store.entries(kindRange('x')))).toEqual([]);
        for await (const { row } of views.everyObject()) {
          expect(await views.knowsBlob(row.blob_id)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('whether a blob is known', () => {
  it('is told by any of its rows, so that a lost row makes no orphan', async () => {
    const { views, store, applier, blobIds } = await overwritten(2);
    const [released, current] = blobIds as [BlobId, BlobId];
    const everyRow = await collect(views.everyObject());
    const operationsFor = {
      crcs: [crcsKey(released), crcsKey(current)],
      'last release': [lastReleaseKey(released)],
    };
    for (const [row, keys] of Object.entries(operationsFor)) {
      const operations = keys.map((key) => ({ key, value: undefined }));
      if (row === 'last release') {
        operations.push({ key: referenceOf(current), value: undefined });
      }
      expect(await views.knowsBlob(released)).toBe(true);
      expect(await views.knowsBlob(current)).toBe(true);
      await store.write({ operations, applied: applier.applied });
    }
    expect(await views.knowsBlob(released)).toBe(false);
    expect(await views.knowsBlob(current)).toBe(false);

    function referenceOf(blobId: BlobId): Buffer {
      const row = everyRow.find(({ row: { blob_id } }) => blob_id === blobId);
      if (!row) throw new Error('there is no such row');
      return referenceKey(blobId, row.keyspace, row.row.id);
    }
  });
});

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { CommittedRecord } from '../../src/domain/events.ts';
import type { BlobId, Position } from '../../src/domain/names.ts';
import { openMemoryJournal } from '../../src/journal/index.ts';
import type { CommittedFrame } from '../../src/journal/journal.ts';
import { ApplierClosed, ApplyFailed } from '../../src/views/applier.ts';
import { crcsKey, lastReleaseKey } from '../../src/views/keys.ts';
import { deferred } from '../support/deferred.ts';
import { framesOf, RandomLog, type Step } from '../support/random-log.ts';
import { lastOf, memoryViews, uploads, watching } from '../support/views.ts';

const blobsOf = (records: readonly CommittedRecord[]) =>
  records.flatMap(({ event }) => (event.type === 'object.stored' ? [event.object.blob_id] : []));

/** Frames that the test hands out one by one. */
function handed() {
  const waiting: CommittedFrame[] = [];
  let ended = false;
  let next = deferred();
  const wake = () => {
    const before = next;
    next = deferred();
    before.resolve();
  };
  async function* frames(): AsyncGenerator<CommittedFrame> {
    for (;;) {
      const frame = waiting.shift();
      if (frame) yield frame;
      else if (ended) return;
      else await next.promise;
    }
  }
  return {
    frames: frames(),
    async hand(records: readonly CommittedRecord[], sizes?: number[]) {
      for await (const frame of framesOf(records, sizes)) waiting.push(frame);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
  };
}

describe('the applier', () => {
  it('lets each waiter go once its position is applied, and not before', async () => {
    const records = uploads(6);
    const { applier, views } = await memoryViews();
    const { frames, hand, end } = handed();
    const running = applier.run(frames);
    const seen: Position[] = [];
    const waits = [...records].reverse().map(async ({ position }) => {
      await applier.waitFor(position);
      expect(views.applied).toBeGreaterThanOrEqual(position);
      seen.push(position);
    });
    await hand(records.slice(0, 3));
    await applier.waitFor(lastOf(records.slice(0, 3)));
    expect(seen).toEqual(records.slice(0, 3).map(({ position }) => position));
    await hand(records.slice(3));
    await Promise.all(waits);
    expect(seen).toEqual(records.map(({ position }) => position));
    await applier.waitFor(0 as Position);
    end();
    await running;
    await applier.close();
  });

  it('follows a journal: what was appended is visible once its position is applied', async () => {
    const clock = { now: () => 1_750_000_000_000 };
    const random = (count: number) => randomBytes(count);
    const journal = await openMemoryJournal({ clock, random, version: '1', nodeId: 'n' });
    const { applier, views } = await memoryViews();
    const stop = new AbortController();
    const running = applier.run(journal.follow(0 as Position, stop.signal));
    const [created] = uploads(0);
    if (created?.event.type !== 'bucket.created') throw new Error('no bucket');
    const { event, actor } = created;
    const appended = await journal.append([{ event, actor }]);
    if (!appended.ok) throw new Error(appended.rejection.code);
    await applier.waitFor(appended.value.last);
    const row = views.bucket(event.bucket.name);
    expect(row).toMatchObject({ ...event.bucket, keyspace: appended.value.first });
    expect(row?.created_at).toBe(appended.value.timeMs);
    stop.abort();
    await running;
    await applier.close();
    await journal.close();
  });

  it('publishes the blobs of a frame before its rows are visible, and each blob once', async () => {
    const records = uploads(4);
    const published: BlobId[] = [];
    const made = await memoryViews({
      blobs: {
        publish: async (blobIds) => {
          for (const blobId of blobIds) expect(made.views.isRetained(blobId)).toBe(false);
          published.push(...blobIds);
          return { missing: [] };
        },
        finalize: async () => {},
      },
    });
    await made.applier.run(framesOf(records));
    expect(published).toEqual(blobsOf(records));
    await made.applier.close();
    expect(made.applier.finalizedPosition).toBe(lastOf(records));
  });

  it('publishes nothing of a copy, and nothing in a replay', async () => {
    const steps: Step[] = Array.from({ length: 8 }, (_, index) => [40, 0, index, index + 1]);
    const { records } = new RandomLog([[0, 0, 0, 0], [8, 0, 0, 1], ...steps]);
    const copies = records.filter(({ event }) => event.type === 'object.stored' && event.source);
    expect(copies.length).toBeGreaterThan(3);
    const published: BlobId[] = [];
    const blobs = {
      publish: async (blobIds: readonly BlobId[]) => {
        published.push(...blobIds);
        return { missing: [] };
      },
      finalize: async () => {},
    };
    const running = await memoryViews({ blobs });
    await running.applier.run(framesOf(records));
    expect(published).toEqual(blobsOf(records).slice(0, 1));
    const replaying = await memoryViews({ blobs });
    const { records: count } = await replaying.applier.replay(framesOf(records, [3]));
    expect(count).toBe(records.length);
    expect(published.length).toBe(1);
    expect(replaying.applier.finalizedPosition).toBe(lastOf(records));
  });

  it('goes on while a publish fails, tries again, and holds the finalized position back', async () => {
    const records = uploads(3);
    const [first] = blobsOf(records);
    const before = records.slice(0, 1);
    let broken = true;
    const pauses: number[] = [];
    let retry = deferred();
    const published: BlobId[] = [];
    const { said, observe } = watching();
    const { applier } = await memoryViews({
      observe,
      pause: async (ms) => {
        pauses.push(ms);
        await retry.promise;
        retry = deferred();
      },
      blobs: {
        publish: async (blobIds) => {
          if (broken && first && blobIds.includes(first)) throw new Error('ENOSPC');
          published.push(...blobIds);
          return { missing: [] };
        },
        finalize: async () => {},
      },
    });
    const { frames, hand, end } = handed();
    const running = applier.run(frames);
    for (const record of records) {
      await hand([record]);
      await applier.waitFor(record.position);
    }
    expect(applier.finalizedPosition).toBe(lastOf(before));
    expect(said.length).toBe(1);
    retry.resolve();
    await until(() => pauses.length === 2);
    expect(pauses[1]).toBeGreaterThan(pauses[0] ?? 0);
    broken = false;
    retry.resolve();
    await until(() => applier.finalizedPosition === lastOf(records));
    expect([...published].sort()).toEqual([...blobsOf(records)].sort());
    end();
    await running;
    await applier.close();
  });

  it('holds the finalized position until what was published is durable', async () => {
    const records = uploads(2);
    const syncing = deferred();
    const { applier } = await memoryViews({
      blobs: { publish: async () => ({ missing: [] }), finalize: () => syncing.promise },
    });
    await applier.run(framesOf(records, [10]));
    expect(applier.applied).toBe(lastOf(records));
    expect(applier.finalizedPosition).toBe(0);
    syncing.resolve();
    await applier.close();
    expect(applier.finalizedPosition).toBe(lastOf(records));
  });

  it('believes no sync after one that failed', async () => {
    const records = uploads(4);
    let syncs = 0;
    const { said, observe } = watching();
    const { applier } = await memoryViews({
      observe,
      blobs: {
        publish: async () => ({ missing: [] }),
        finalize: async () => {
          syncs += 1;
          throw new Error('EIO');
        },
      },
    });
    await applier.run(framesOf(records.slice(0, 3)));
    await applier.run(framesOf(records.slice(3)));
    await applier.close();
    expect(applier.finalizedPosition).toBeLessThanOrEqual(records[0]?.position ?? 0);
    expect([syncs, said.length]).toEqual([1, 1]);
  });

  it('tells of a blob that is nowhere, and counts it', async () => {
    const records = uploads(1);
    const { said, counted, observe } = watching();
    const { applier } = await memoryViews({
      observe,
      blobs: { publish: async (blobIds) => ({ missing: blobIds }), finalize: async () => {} },
    });
    await applier.run(framesOf(records));
    expect([said.length, counted]).toEqual([1, ['missing_blob']]);
    expect(applier.applied).toBe(lastOf(records));
  });

  it('fails for good where the views can not be written: everyone who waits is told', async () => {
    const records = uploads(3);
    const { applier, store } = await memoryViews();
    const prepare = store.prepare.bind(store);
    const cause = new Error('the disk is gone');
    store.prepare = (batch) => ({
      ...prepare(batch),
      ...(batch.applied === lastOf(records) ? { write: () => Promise.reject(cause) } : {}),
    });
    const waiting = applier.waitFor(lastOf(records));
    const running = applier.run(framesOf(records));
    await expect(waiting).rejects.toThrow(ApplyFailed);
    await expect(waiting).rejects.toMatchObject({ cause });
    await expect(running).rejects.toBe(cause);
    expect(await applier.failed).toBe(cause);
    await expect(applier.waitFor(lastOf(records))).rejects.toThrow(ApplyFailed);
    expect(applier.applied).toBeLessThan(lastOf(records));
  });

  it('fails where the frames do, after those that came before', async () => {
    const records = uploads(2);
    const cause = new Error('unreadable');
    async function* frames() {
      yield* framesOf(records);
      throw cause;
    }
    const { applier } = await memoryViews();
    await expect(applier.run(frames())).rejects.toBe(cause);
    expect(await applier.failed).toBe(cause);
    expect(applier.applied).toBe(lastOf(records));
  });

  it('rejects who waits when it is closed', async () => {
    const { applier } = await memoryViews();
    const waiting = applier.waitFor(9 as Position);
    const rejected = expect(waiting).rejects.toThrow(ApplierClosed);
    await applier.close();
    await rejected;
  });

  it('puts frames that wait already into one batch', async () => {
    const records = uploads(40);
    const { applier, store } = await memoryViews();
    const prepare = store.prepare.bind(store);
    let batches = 0;
    store.prepare = (batch) => {
      batches += 1;
      return prepare(batch);
    };
    await applier.run(framesOf(records));
    expect(batches).toBeGreaterThan(0);
    expect(batches).toBeLessThan(records.length / 2);
    expect(applier.applied).toBe(lastOf(records));
  });
});

describe('a blob that was released', () => {
  it('keeps its CRCs until the retention has passed its last release', async () => {
    // Upload, copy, delete the upload, delete the copy: two releases of one blob.
    const log = new RandomLog([
      [0, 0, 0, 0],
      [8, 0, 0, 1],
      [40, 0, 0, 3],
      [60, 0, 0, 0],
      [60, 0, 3, 0],
    ]);
    const types = log.records.map(({ event }) => event.type);
    expect(types.slice(1)).toEqual([
      'object.stored',
      'object.stored',
      'object.deleted',
      'object.deleted',
    ]);
    const [blobId] = blobsOf(log.records);
    if (!blobId) throw new Error('no blob');
    const [firstRelease, lastRelease] = log.records.slice(-2).map(({ position }) => position);
    const { applier, store, views } = await memoryViews();
    await applier.replay(framesOf(log.records));
    expect(store.get(lastReleaseKey(blobId))).toBe(lastRelease);
    for (const [passed, retained] of [
      [firstRelease, true],
      [lastRelease, false],
    ] as const) {
      const position = (applier.applied + 1) as Position;
      const event = {
        type: 'retention.advanced',
        position: passed ?? (0 as Position),
        time: 0,
      } as const;
      const actor = { sub: null, role: 'system', request_id: null } as const;
      await applier.replay(framesOf([{ event, actor, position, timeMs: 1, epoch: 1 }]));
      expect(views.isRetained(blobId)).toBe(retained);
      expect(store.get(crcsKey(blobId)) !== undefined).toBe(retained);
    }
  });
});

/** Waits for what the background does, turn by turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !condition(); turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(condition()).toBe(true);
}

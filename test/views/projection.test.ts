import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../src/domain/names.ts';
import type { FenceInfo } from '../../src/views/fences.ts';
import { crcsKey, createdKey, everyRow, referenceKey } from '../../src/views/keys.ts';
import type { ViewsBatch, ViewsStore } from '../../src/views/store.ts';
import { collect } from '../support/collect.ts';
import { arbitrarySteps, framesOf, RandomLog } from '../support/random-log.ts';
import { memoryViews } from '../support/views.ts';

const runs = { numRuns: 150 };

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

describe('the projection of any log', () => {
  it('shows the buckets, objects, totals and drains that its events lead to', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySteps(150), async (steps) => {
        const log = new RandomLog(steps);
        const { applier, views } = await memoryViews();
        await applier.replay(framesOf(log.records, [3, 1, 7]));
        const buckets = [...log.buckets.values()].sort((a, b) => byBytes(a.name, b.name));
        expect(await views.buckets()).toEqual(buckets);
        for (const bucket of buckets) expect(views.bucket(bucket.name)).toEqual(bucket);
        for (const [keyspace, rows] of log.rows) {
          expect(views.totals(keyspace)).toEqual(log.totals(keyspace));
          const sorted = [...rows.values()].sort((a, b) => byBytes(a.path, b.path));
          expect(await views.rowsOf(keyspace, 1000)).toEqual(sorted);
          for (const row of sorted) expect(views.object(keyspace, row.path)).toEqual(row);
          for (const owner of ['alice', 'bob']) {
            const own = sorted.filter((row) => row.owner_id === owner);
            const page = await views.list({ keyspace, prefix: '', limit: 1000, ownerId: owner });
            expect(page.objects).toEqual(own);
            expect(await views.ownsAny(keyspace, owner)).toBe(own.length > 0);
          }
        }
        const draining = (await views.drains()).map(({ keyspace }) => keyspace);
        expect(draining).toEqual(
          log.draining.map(({ keyspace }) => keyspace).sort((a, b) => a - b),
        );
      }),
      runs,
    );
  });

  it('keeps exactly one reference, one age and the CRCs of each current row', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySteps(150), async (steps) => {
        const log = new RandomLog(steps);
        const { applier, store, views } = await memoryViews();
        await applier.replay(framesOf(log.records, [5]));
        const expected: string[] = [];
        for await (const { keyspace, row } of views.everyObject()) {
          expected.push(referenceKey(row.blob_id, keyspace, row.id).toString('hex'));
          expected.push(createdKey(keyspace, row.created_at, row.id).toString('hex'));
          expect(store.get(crcsKey(row.blob_id))).toBeDefined();
          expect(views.isRetained(row.blob_id)).toBe(true);
        }
        const kept = (await collect(store.entries(everyRow)))
          .map(({ key }) => key)
          .filter((key) => ['c', 'r'].includes(key.toString('latin1', 0, 1)));
        expect(kept.map((key) => key.toString('hex'))).toEqual(expected.sort());
      }),
      runs,
    );
  });

  it('is the same whatever the batches are', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitrarySteps(150),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        async (steps, sizes) => {
          const { records } = new RandomLog(steps);
          const one = await memoryViews();
          await one.applier.replay(framesOf(records));
          const other = await memoryViews();
          await other.applier.replay(framesOf(records, sizes));
          expect(await other.views.digest()).toBe(await one.views.digest());
        },
      ),
      runs,
    );
  });

  it('converges from the last fence, whichever of the later batches survived a power cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitrarySteps(200),
        fc.nat(),
        fc.nat(),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
        async (steps, cut, back, survival) => {
          const { records } = new RandomLog(steps);
          if (records.length === 0) return;
          const straight = await straightRun(records);
          // The process ends after record `end`; the last fence is not older than the last retention
          // that was followed by anything.
          const end = cut % records.length;
          const oldest = records
            .slice(0, end)
            .findLastIndex(({ event }) => event.type === 'retention.advanced');
          const fenceAt = end - (back % (end - oldest + 1));
          const fence = straight.fences[fenceAt];
          const crashed = await memoryViews({
            applied: (fence?.position ?? 0) as Position,
            totals: fence?.totals ?? [],
          });
          await rebuild(crashed.store, { straight, fence, end: records[end]?.position, survival });
          crashed.store.restartAt((fence?.position ?? 0) as Position);
          const rest = records.filter(({ position }) => position > (fence?.position ?? 0));
          await crashed.applier.replay(framesOf(rest, [1, 9, 2]));
          expect(await crashed.views.digest()).toBe(straight.digest);
        },
      ),
      { numRuns: 300 },
    );
  });
});

interface StraightRun {
  readonly digest: string;
  /** What was written, in order, with the record that it belongs to. */
  readonly batches: readonly { readonly of: Position; readonly batch: ViewsBatch }[];
  /** The fence behind each record; none at -1. */
  readonly fences: readonly FenceInfo[];
}

async function straightRun(records: RandomLog['records']): Promise<StraightRun> {
  const { applier, store, views } = await memoryViews();
  const batches: { of: Position; batch: ViewsBatch }[] = [];
  const fences: FenceInfo[] = [];
  const prepare = store.prepare.bind(store);
  let of = 0 as Position;
  store.prepare = (batch) => {
    batches.push({ of, batch });
    return prepare(batch);
  };
  for (const record of records) {
    of = record.position;
    await applier.replay(framesOf([record]));
    fences.push(await applier.fence());
  }
  return { digest: await views.digest(), batches, fences };
}

/** All up to the fence, and any of the batches from there to the end. */
async function rebuild(
  store: ViewsStore,
  crash: {
    readonly straight: StraightRun;
    readonly fence: FenceInfo | undefined;
    readonly end: Position | undefined;
    readonly survival: readonly boolean[];
  },
): Promise<void> {
  const { straight, fence, end = 0, survival } = crash;
  for (const [index, { of, batch }] of straight.batches.entries()) {
    const durable = of <= (fence?.position ?? 0);
    const survived = of <= end && survival[index % survival.length];
    if (durable || survived) await store.write(batch);
  }
}

describe('retention', () => {
  it('leaves of an emptied store nothing but what it still must remember', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySteps(150), async (steps) => {
        const log = new RandomLog(steps);
        const { applier, store, views } = await memoryViews();
        await applier.replay(framesOf(log.records, [11]));
        const position = (log.head + 1) as Position;
        const last = {
          event: { type: 'retention.advanced', position: log.head, time: Number.MAX_SAFE_INTEGER },
          actor: { sub: null, role: 'system', request_id: null },
          position,
          timeMs: 1,
          epoch: 1,
        } as const;
        await applier.replay(framesOf([last]));
        const kinds = new Map<string, number>();
        for await (const { key } of store.entries(everyRow)) {
          const kind = key.toString('latin1', 0, 1);
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        }
        const objects = await collect(views.everyObject());
        const blobs = new Set(objects.map(({ row }) => row.blob_id));
        expect(['q', 'f', 'x', 'u', 'v', 'i'].filter((kind) => kinds.has(kind))).toEqual([]);
        expect(kinds.get('h') ?? 0).toBe(objects.length);
        expect(kinds.get('y') ?? 0).toBe(log.buckets.size);
        expect(kinds.get('k') ?? 0).toBe(blobs.size);
      }),
      runs,
    );
  });
});

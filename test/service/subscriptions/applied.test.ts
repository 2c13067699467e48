import { expect, it } from 'vitest';
import type { BucketRow } from '../../../src/domain/bucket.ts';
import type { Position } from '../../../src/domain/names.ts';
import { openMemoryJournal } from '../../../src/journal/index.ts';
import {
  createSubscriptions,
  type SubscriptionParts,
} from '../../../src/service/subscriptions/subscriptions.ts';
import { samples } from '../../journal/samples.ts';
import { deferred } from '../../support/deferred.ts';
import { service } from '../../support/rig.ts';
import { everything } from './listener.ts';

it('what is durable is told only once it is applied', async () => {
  const journal = await openMemoryJournal({
    clock: { now: () => 1_750_000_000_000 },
    version: 'test',
    nodeId: 'node',
    random: (count) => new Uint8Array(count).fill(7),
  });
  let applied: Position = journal.head;
  const asked = deferred();
  const mayApply = deferred();
  const parts = {
    journal,
    applier: {
      get applied() {
        return applied;
      },
      async waitFor(position: Position) {
        asked.resolve();
        await mayApply.promise;
        applied = position;
      },
    },
    views: { applied, bucket: (): BucketRow | undefined => undefined },
    access: () => undefined,
    clock: { now: () => 0 },
    observe: { count() {}, error() {} },
    health: { closedTo: () => undefined },
  } as unknown as SubscriptionParts;
  const opened = await createSubscriptions(parts).open(service, {
    filters: [everything],
    from: { kind: 'now' },
  });
  if (!opened.ok) throw new Error(opened.rejection.code);
  await opened.value.next();
  let isTold = false;
  const next = opened.value.next().then((batch) => {
    isTold = true;
    return batch;
  });
  const created = samples.get('bucket.created');
  if (!created) throw new Error('there is no sample');
  await journal.append([created]);
  await asked.promise;
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(isTold).toBe(false);
  mayApply.resolve();
  const batch = await next;
  expect(batch?.ok && batch.value.events.map(({ type }) => type)).toEqual([
    'storage.bucket.created',
  ]);
  opened.value.close();
  await journal.close();
});

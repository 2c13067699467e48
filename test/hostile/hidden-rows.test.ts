/**
 * A row that a range still shows and that no read by key finds: what a wrong bit in the filter of a
 * LevelDB table does. Every one is found by the check, of whatever kind it is.
 */
import { expect, it } from 'vitest';
import type { ViewsDatabase } from '../../src/views/store.ts';
import { verifyViews } from '../../src/views/verify.ts';
import { framesOf, RandomLog, type Step } from '../support/random-log.ts';
import { memoryViews } from '../support/views.ts';

const steps: Step[] = Array.from({ length: 200 }, (_, n) => [(n * 37) % 100, n, n * 3, n * 5]);

it('is found by the check of the views, whichever it is', async () => {
  const { records } = new RandomLog([[0, 0, 0, 0], ...steps]);
  const { applier, database, store } = await memoryViews();
  await applier.replay(framesOf(records, [20]));
  expect((await verifyViews(store)).problems).toEqual([]);
  // What the views say of themselves is asked for by its key at every start.
  const keys = (await database.keys().all()).filter((key) => key[0] !== 0);
  expect(new Set(keys.map((key) => key.toString('latin1', 0, 1))).size).toBeGreaterThan(10);
  for (const key of keys) {
    const show = hide(database, key);
    const { problems } = await verifyViews(store);
    expect(problems.join(), key.toString('latin1')).toContain('not found by its key');
    show();
  }
});

function hide(database: ViewsDatabase, hidden: Buffer): () => void {
  const getSync = database.getSync;
  database.getSync = ((key: Buffer, options: object) =>
    hidden.equals(key) ? undefined : getSync.call(database, key, options)) as typeof getSync;
  return () => {
    database.getSync = getSync;
  };
}

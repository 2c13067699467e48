/**
 * What packs add to what is interrupted: packs that roll, bodies in packs and in files at once, and the
 * compaction of a sweep.
 */
import type { RigOptions } from '../support/rig.ts';
import type { Scenario } from './scenarios.ts';

/** Two bodies fill a pack. */
const packLimits = { packBytes: 400, packNeedles: 100 };
const small: RigOptions = { packLimits };
/** Longer ones get a file. */
const mixed: RigOptions = { packLimits, packUpToBytes: 200 };

const body = (text: string) => Buffer.from(text.padEnd(190, text));
const long = Buffer.from('long'.repeat(100));

export const packScenarios: readonly Scenario[] = [
  {
    name: 'packs that roll, with bodies in files between them',
    options: mixed,
    before: (steps) => steps.bucket('b'),
    async run(steps) {
      for (const [index, text] of ['a', 'b', 'c', 'd'].entries()) {
        await steps.put(text, index === 2 ? long : body(text));
      }
      await steps.put('a', long);
      await steps.put('c', body('c'));
      await steps.settle();
    },
  },
  {
    name: 'the collection and compaction of packs that are mostly dead',
    options: small,
    leavesNothing: true,
    async before(steps) {
      await steps.bucket('b');
      for (const text of ['a', 'b', 'c', 'd']) await steps.put(text, body(text));
      await steps.put('a', body('A'));
      await steps.remove('b');
      await steps.remove('c');
    },
    async run(steps) {
      await steps.sweepAfter(24 * 8);
      await steps.put('e', body('e'));
      await steps.sweepAfter(1);
    },
  },
  {
    name: 'a start after a power cut with packs that nobody sealed',
    options: small,
    async before(steps) {
      await steps.bucket('b');
      for (const text of ['a', 'b', 'c']) await steps.put(text, body(text));
      await steps.remove('a');
    },
    async run(steps) {
      await steps.cutPower();
      await steps.reopen();
      await steps.put('d', body('d'));
      await steps.close();
      await steps.reopen();
      await steps.put('a', body('a'));
    },
  },
];

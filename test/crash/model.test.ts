/**
 * The store and the reference model, side by side: a short fixed part of what `npm run torture` does
 * at any length. And the oracle itself, which must see what it is there to see.
 */
import { describe, expect, test } from 'vitest';
import { type Operation, step, type World } from './model.ts';
import { type Attempt, type Outcome, worldsAfter } from './model-order.ts';
import { sizes } from './model-program.ts';
import { noFigures, runSeed } from './model-run.ts';

const sequences = 40;
const closed = { policy: 'private', write_policy: 'owner', max_file_size: null } as const;

test('random programs, cut off anywhere, leave what the model allows', async () => {
  const figures = noFigures();
  for (let seed = 1; seed <= sequences; seed += 1) {
    const failure = await runSeed(seed, figures, 20_000);
    expect(failure, `replay: npm run torture -- --runs 1 --seed ${seed}`).toBeUndefined();
  }
  console.log(`model: ${JSON.stringify(figures)}`);
  expect(figures.sequences).toBe(sequences);
  expect(figures.acknowledged).toBeGreaterThan(400);
  expect(figures.unknown).toBeGreaterThan(10);
  expect(Math.min(figures.kills, figures.powerCuts, figures.stoppedStarts)).toBeGreaterThan(10);
  // Frames of several pages are torn, and starts go on from fences.
  expect(Math.min(figures.tornTails, figures.fromFences)).toBeGreaterThan(0);
}, 180_000);

describe('the order of what ran beside each other', () => {
  const world = worldOf(
    { kind: 'create', who: 'alice', bucket: 'a', settings: closed },
    { kind: 'put', who: 'alice', bucket: 'a', path: 'p', content: 1, condition: 'none' },
  );
  const put = (content: number): Operation => ({
    kind: 'put',
    who: 'alice',
    bucket: 'a',
    path: 'p',
    content,
    condition: 'none',
  });
  const remove: Operation = {
    kind: 'remove',
    who: 'alice',
    bucket: 'a',
    path: 'p',
    ifMatch: null,
  };
  const outcomes = (...clients: Attempt[][]) =>
    worldsAfter([world], clients, sizes).map(
      (one) => one.get('a')?.objects.get('p')?.content ?? 'gone',
    );

  test('follows the positions where both were acknowledged', () => {
    const first = attempt(put(2), 1, 4, { code: 'ok', position: 8 });
    const second = attempt(put(3), 2, 3, { code: 'ok', position: 7 });
    expect(outcomes([first], [second])).toEqual([2]);
  });

  test('takes one without an answer as done at any point, or never', () => {
    const cutOff = attempt(put(2), 1, Number.POSITIVE_INFINITY, undefined);
    expect(outcomes([cutOff]).sort()).toEqual([1, 2]);
    const acknowledged = attempt(remove, 1, 2, { code: 'ok', position: 8 });
    expect(outcomes([cutOff], [acknowledged]).sort()).toEqual([2, 'gone']);
  });

  test('finds none where a position is not above that of what had ended before', () => {
    const before = attempt(put(2), 1, 2, { code: 'ok', position: 8 });
    const later = attempt(put(3), 3, 4, { code: 'ok', position: 7 });
    expect(outcomes([before], [later])).toEqual([]);
  });

  test('finds none for a refusal that no moment explains', () => {
    expect(outcomes([attempt(remove, 1, 2, { code: 'NoSuchKey' })])).toEqual([]);
    const removed = attempt(remove, 1, 4, { code: 'ok', position: 8 });
    expect(outcomes([removed], [attempt(remove, 2, 3, { code: 'NoSuchKey' })])).toEqual(['gone']);
  });

  test('finds none for bytes that were never there, or are no longer', () => {
    const read: Operation = { kind: 'read', who: 'alice', bucket: 'a', path: 'p' };
    expect(outcomes([attempt(read, 1, 2, { code: 'ok', seen: '1' })])).toEqual([1]);
    expect(outcomes([attempt(read, 1, 2, { code: 'ok', seen: '2' })])).toEqual([]);
    const overwrite = attempt(put(2), 1, 2, { code: 'ok', position: 8 });
    expect(outcomes([overwrite, attempt(read, 3, 4, { code: 'ok', seen: '1' })])).toEqual([]);
  });
});

function worldOf(...operations: Operation[]): World {
  return operations.reduce<World>(
    (world, operation) => step(world, operation, sizes).world,
    new Map(),
  );
}

function attempt(
  operation: Operation,
  began: number,
  ended: number,
  answer: { code: string; seen?: string; position?: number } | undefined,
): Attempt {
  const outcome: Outcome = answer
    ? {
        kind: 'told',
        told: { code: answer.code, ...(answer.seen === undefined ? {} : { seen: answer.seen }) },
        position: answer.position,
      }
    : { kind: 'unknown' };
  return { id: `${began}`, operation, began, ended, outcome };
}

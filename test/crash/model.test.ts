/**
 * The store and the reference model, side by side: a short fixed part of what `npm run torture` does
 * at any length. And the oracle itself, which must see what it is there to see.
 */
import { describe, expect, test } from 'vitest';
import { noFigures } from './model/figures.ts';
import type { Asked, Operation } from './model/operations.ts';
import { type Attempt, type Outcome, worldsAfter } from './model/order.ts';
import { step } from './model/rules/step.ts';
import { runSeed } from './model/run.ts';
import { emptyWorld, type World } from './model/world.ts';

const sequences = 40;
const closed = {
  policy: 'private',
  write_policy: 'owner',
  allowed_mime_types: null,
  max_file_size: null,
} as const;
const body = { type: 'text/plain', cache: null, metadata: null };

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
    putting('p', 1),
  );
  const put = (content: number) => putting('p', content);
  const remove: Operation = {
    kind: 'remove',
    who: 'alice',
    bucket: 'a',
    path: 'p',
    ifMatch: null,
  };
  const outcomes = (...clients: Attempt[][]) =>
    worldsAfter([world], clients).map(
      (one) => one.buckets.get('a')?.objects.get('p')?.content ?? 'gone',
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
    expect(outcomes([attempt(read, 1, 2, { code: 'ok', seen: row(1) })])).toEqual([1]);
    expect(outcomes([attempt(read, 1, 2, { code: 'ok', seen: row(2) })])).toEqual([]);
    const overwrite = attempt(put(2), 1, 2, { code: 'ok', position: 8 });
    expect(outcomes([overwrite, attempt(read, 3, 4, { code: 'ok', seen: row(1) })])).toEqual([]);
  });
});

describe('what is told once more, and what is used up', () => {
  const signed = worldOf(
    { kind: 'create', who: 'alice', bucket: 'a', settings: closed },
    { ...putting('p', 1), key: 'k', id: 'first' },
    {
      ...{ kind: 'sign', who: 'alice', bucket: 'a', path: 'p', operation: 'download' },
      ...{ once: true, upsert: false, maxBytes: null, version: null },
      ...{ id: 'token', issuedAt: 5 },
    },
  );
  const explained = (...clients: Attempt[][]) => worldsAfter([signed], clients).length;
  const spend: Operation = { kind: 'spend', token: 'token', look: 'look', content: 1 };

  test('a use of a token for one use is one use', () => {
    const used = { code: 'ok', seen: '1' };
    const refused = { code: 'InvalidSignature' };
    expect(explained([attempt(spend, 1, 3, used)], [attempt(spend, 2, 4, refused)])).toBe(1);
    expect(explained([attempt(spend, 1, 3, used)], [attempt(spend, 2, 4, used)])).toBe(0);
  });

  test('nobody uses what was revoked before, whether that was one token or all of a path', () => {
    const look: Operation = { kind: 'look', token: 'token' };
    const revocations: readonly Operation[] = [
      { kind: 'revokeToken', who: 'alice', token: 'token' },
      { kind: 'revokeAll', who: 'alice', bucket: 'a', path: 'p', before: null },
      { kind: 'revokeAll', who: 'alice', bucket: 'a', path: null, before: 'token' },
    ];
    for (const operation of revocations) {
      const revoked = attempt(operation, 1, 3, { code: 'ok', position: 8 });
      const found = { code: 'ok', seen: row(1) };
      expect(explained([revoked, attempt(look, 4, 5, found)])).toBe(0);
      expect(explained([revoked, attempt(look, 4, 5, { code: 'InvalidSignature' })])).toBe(1);
      expect(explained([revoked], [attempt(look, 2, 5, found)])).toBe(1);
    }
  });

  test('a repeat is told what the first was, and another request under its key is refused', () => {
    const overwrite = attempt(putting('p', 2), 1, 2, { code: 'ok', position: 8 });
    const repeat = { ...attempt(putting('p', 1), 3, 4, { code: 'ok', position: 4 }), key: 'k' };
    const [left] = worldsAfter([signed], [[overwrite, repeat]]);
    expect(left?.buckets.get('a')?.objects.get('p')?.content).toBe(2);
    const other = (code: string) => ({ ...attempt(putting('p', 3), 3, 4, { code }), key: 'k' });
    expect(explained([other('IdempotencyConflict')])).toBe(1);
    expect(explained([other('ok')])).toBe(0);
  });

  test('a delete of many without an answer deleted all of them or none', () => {
    const paths = ['p', 'q'];
    const stored = attempt(putting('q', 1), 1, 2, { code: 'ok', position: 8 });
    const many: Operation = { kind: 'removeMany', who: 'alice', bucket: 'a', paths };
    const cutOff = attempt(many, 3, Number.POSITIVE_INFINITY, undefined);
    const left = worldsAfter([signed], [[stored, cutOff]]);
    const held = left.map(({ buckets }) => [...(buckets.get('a')?.objects.keys() ?? [])].join());
    expect(held.sort()).toEqual(['', 'p,q']);
  });
});

function putting(path: string, content: number): Operation {
  return { kind: 'put', who: 'alice', bucket: 'a', path, content, condition: 'none', ...body };
}

/** As an answer shows what alice stored. */
function row(content: number): string {
  return `${content} of alice (text/plain, null, null)`;
}

function worldOf(...operations: (Operation & Partial<Omit<Asked, 'operation'>>)[]): World {
  return operations.reduce<World>(
    (world, { id = 'before', key = null, issuedAt, ...operation }) => {
      const issued = issuedAt === undefined ? {} : { issuedAt };
      return step(world, { id, key, operation: operation as Operation, ...issued }).world;
    },
    emptyWorld,
  );
}

function attempt(
  operation: Operation,
  began: number,
  ended: number,
  answer: { code: string; seen?: string; position?: number } | undefined,
): Attempt {
  const isStored = operation.kind === 'put' && answer?.code === 'ok';
  const seen = isStored ? row(operation.content) : answer?.seen;
  const outcome: Outcome = answer
    ? {
        kind: 'told',
        told: { code: answer.code, ...(seen === undefined ? {} : { seen }) },
        position: answer.position,
      }
    : { kind: 'unknown' };
  return { id: `${began}`, operation, key: null, began, ended, outcome };
}

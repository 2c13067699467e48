import { describe, expect, test } from 'vitest';
import {
  consumerAfter,
  decideDefine,
  decideRemoveConsumer,
  maxConsumersPerOwner,
  parseConsumerName,
} from '../../../src/domain/consumers/consumer.ts';
import type { Position } from '../../../src/domain/names.ts';
import type { Result } from '../../../src/domain/result.ts';

const owner = { owner_role: 'user', owner_id: 'alice' } as const;
const filter = { bucket: 'b', prefix: null, types: ['a', 'c'] };
const command = { owner, name: 'n', filter, from: 3 as Position, id: 'one' };

function allowed<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.rejection.code);
}

const made = allowed(decideDefine({ consumer: undefined, count: 0 }, command));
if (!made) throw new Error('no event');
const consumer = consumerAfter(made, { position: 5 as Position, timeMs: 10 });

describe('a consumer', () => {
  test('is not changed by being asked for again, in whatever order its types are named', () => {
    const again = { ...command, filter: { ...filter, types: ['c', 'a'] }, id: 'two' };
    expect(allowed(decideDefine({ consumer, count: 1 }, again))).toBeUndefined();
  });

  test('keeps its identity and where it began when its filter changes', () => {
    const other = {
      ...command,
      filter: { ...filter, prefix: 'x/' },
      from: 9 as Position,
      id: 'two',
    };
    const changed = allowed(decideDefine({ consumer, count: 1 }, other));
    expect(changed).toMatchObject({ id: 'one', from: 3, filter: { prefix: 'x/' }, created_at: 10 });
    expect(
      changed && consumerAfter(changed, { position: 8 as Position, timeMs: 20 }),
    ).toMatchObject({
      created_at: 10,
      updated_at: 20,
    });
  });

  test('is refused where its owner has as many as there may be, but may still be changed', () => {
    const count = maxConsumersPerOwner;
    expect(decideDefine({ consumer: undefined, count }, command)).toMatchObject({ ok: false });
    const other = { ...command, filter: { ...filter, prefix: 'x/' } };
    expect(decideDefine({ consumer, count }, other)).toMatchObject({ ok: true });
  });

  test('that begins with its making hears of what follows its record, also once it was changed', () => {
    const state = { consumer: undefined, count: 0 };
    const begun = allowed(decideDefine(state, { ...command, from: null }));
    if (!begun) throw new Error('no event');
    const row = consumerAfter(begun, { position: 5 as Position, timeMs: 10 });
    expect(row.from).toBe(5);
    const other = { ...command, filter: { ...filter, prefix: 'x/' }, from: null };
    expect(allowed(decideDefine({ consumer: row, count: 1 }, other))).toMatchObject({ from: 5 });
  });

  test('that is not there can not be removed', () => {
    expect(decideRemoveConsumer(undefined)).toMatchObject({ rejection: { code: 'NoSuchRoute' } });
    expect(allowed(decideRemoveConsumer(consumer))).toEqual({
      type: 'consumer.removed',
      ...owner,
      name: 'n',
    });
  });

  test.each(['a', 'A.b_c-9', 'x'.repeat(100)])('may be named %s', (name) => {
    expect(parseConsumerName(name).ok).toBe(true);
  });
  test.each(['', '.a', '-a', 'a/b', 'a b', 'ä', 'x'.repeat(101), 'a\n'])(
    'may not be named %j',
    (name) => expect(parseConsumerName(name).ok).toBe(false),
  );
});

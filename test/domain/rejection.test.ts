import { expect, test } from 'vitest';
import { rejection, rejectionCodes } from '../../src/domain/rejection.ts';
import { ok, refuse } from '../../src/domain/result.ts';

test('a rejection has what it was given and nothing else', () => {
  expect(rejection('NoSuchKey')).toStrictEqual({ code: 'NoSuchKey' });
  expect(
    rejection('EntityTooLarge', 'Too large', { hint: 'Send less', facts: { max_bytes: 1 } }),
  ).toStrictEqual({
    code: 'EntityTooLarge',
    message: 'Too large',
    hint: 'Send less',
    facts: { max_bytes: 1 },
  });
});

test('each code stands once', () => {
  expect(new Set(rejectionCodes).size).toBe(rejectionCodes.length);
});

test('a result is a value or a refusal', () => {
  expect(ok(1)).toStrictEqual({ ok: true, value: 1 });
  expect(refuse(rejection('NoSuchKey'))).toStrictEqual({
    ok: false,
    rejection: { code: 'NoSuchKey' },
  });
});

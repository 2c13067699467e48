import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxMetadataBytes, metadataOf, parseMetadata } from '../../src/domain/values/metadata.ts';

const kept = (result: ReturnType<typeof parseMetadata>) =>
  result.ok ? result.value : result.rejection.code;

/** A JSON object whose text has `bytes` bytes. */
const ofBytes = (bytes: number, filler = 'x') => {
  const rest = bytes - Buffer.byteLength('{"a":""}');
  const count = Math.floor(rest / Buffer.byteLength(filler));
  return `{"a":"${filler.repeat(count)}${'x'.repeat(rest - count * Buffer.byteLength(filler))}"}`;
};

describe('metadata', () => {
  test('is an object, and nothing where it has no members', () => {
    expect(kept(parseMetadata('{ "project" : "x" }'))).toBe('{"project":"x"}');
    expect(kept(parseMetadata('{ }'))).toBeNull();
    expect(kept(metadataOf({}))).toBeNull();
  });

  test.each([
    '',
    'x',
    '{',
    '{"a":1,}',
    'null',
    '"text"',
    '7',
    'true',
    '[]',
    '[{}]',
    '{}{}',
    '\ufeff{}',
  ])('%j is none', (text) => {
    expect(kept(parseMetadata(text))).toBe('InvalidMetadata');
  });

  test.each([null, undefined, 7, 'text', true, [], [{}]])('the value %j is none', (value) => {
    expect(kept(metadataOf(value))).toBe('InvalidMetadata');
  });

  test.each(['x', 'é', '語', '🪣'])('8 KiB of %s are accepted, a byte more is not', (filler) => {
    const most = ofBytes(maxMetadataBytes, filler);
    expect(Buffer.byteLength(most)).toBe(8192);
    expect(kept(parseMetadata(most))).toBe(most);
    expect(kept(metadataOf(JSON.parse(most)))).toBe(most);
    const more = ofBytes(maxMetadataBytes + 1, filler);
    expect(kept(parseMetadata(more))).toBe('InvalidMetadata');
    expect(kept(metadataOf(JSON.parse(more)))).toBe('InvalidMetadata');
  });

  test('text of more than 8 KiB is not even parsed, though it would fit without its spaces', () => {
    expect(kept(parseMetadata(`{"a":1${' '.repeat(maxMetadataBytes)}}`))).toBe('InvalidMetadata');
  });

  test('text that grows beyond 8 KiB when it is written out is refused', () => {
    const raw = `{"a":"${'\ud800'.repeat(2_000)}"}`;
    expect(Buffer.byteLength(raw)).toBeLessThan(maxMetadataBytes);
    expect(kept(parseMetadata(raw))).toBe('InvalidMetadata');
  });

  test('keeps a member named __proto__ as a member', () => {
    const text = '{"__proto__":{"admin":true},"constructor":1}';
    expect(kept(parseMetadata(text))).toBe(text);
    expect(kept(metadataOf(JSON.parse(text)))).toBe(text);
    expect(Reflect.get({}, 'admin')).toBeUndefined();
  });

  test.each([
    '{"n":1e400}',
    '{"a":{"b":[-1e999]}}',
    '{"n":9007199254740992}',
    '{"n":-12345678901234567890}',
    '{"n":1e21}',
  ])('%s is refused: another number would come back', (text) => {
    expect(kept(parseMetadata(text))).toBe('InvalidMetadata');
  });

  test('keeps the largest whole numbers that are exact, and fractions', () => {
    const text = '{"most":9007199254740991,"least":-9007199254740991,"part":0.1}';
    expect(kept(parseMetadata(text))).toBe(text);
  });

  test('keeps lone surrogates as escapes', () => {
    expect(kept(parseMetadata('{"\\ud800":"\\udc00"}'))).toBe('{"\\ud800":"\\udc00"}');
  });

  test('takes 64 levels, by whichever door it comes', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect(kept(parseMetadata(nested(64)))).toBe(nested(64));
    expect(kept(metadataOf(JSON.parse(nested(64))))).toBe(nested(64));
    for (const depth of [65, 4_000]) {
      expect(kept(parseMetadata(nested(depth)))).toBe('InvalidMetadata');
      expect(kept(metadataOf(JSON.parse(nested(depth))))).toBe('InvalidMetadata');
    }
  });

  test('refuses nesting that would overflow the stack of a writer', () => {
    const value: unknown = JSON.parse(`{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`);
    expect(kept(metadataOf(value))).toBe('InvalidMetadata');
  });

  property.prop([fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 8 })])(
    'reads back as what was given',
    (value) => {
      const text = JSON.stringify(value);
      fc.pre(Buffer.byteLength(text) <= maxMetadataBytes);
      fc.pre(!/\d{16}|e\+/.test(text));
      const result = parseMetadata(text);
      expect(result.ok && JSON.stringify(JSON.parse(result.value ?? '{}'))).toBe(text);
      expect(metadataOf(JSON.parse(text))).toEqual(result);
    },
  );

  property.prop([fc.string({ unit: 'binary' })])('any text is kept or refused', (text) => {
    const found = kept(parseMetadata(text));
    if (found !== null && found !== 'InvalidMetadata')
      expect(JSON.parse(found)).toBeTypeOf('object');
  });
});

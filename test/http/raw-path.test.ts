/** Names from the raw request target. */
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { decodePercent, objectKeyOf, parseTarget } from '../../src/http/wire/raw-path.ts';

const key = (raw: string) => objectKeyOf(raw);

describe('an object key from the raw path', () => {
  property.prop([
    fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => text.isWellFormed()),
  ])('decoding undoes encoding exactly once', (text) => {
    expect(decodePercent(encodeURIComponent(text))).toBe(text);
    const twice = encodeURIComponent(encodeURIComponent(text));
    expect(decodePercent(twice)).toBe(encodeURIComponent(text));
  });
  property.prop([fc.uint8Array({ minLength: 1 })])(
    'bytes that are no UTF-8 decode to nothing',
    (bytes) => {
      const raw = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
      const text = Buffer.from(bytes).toString('utf8');
      const isUtf8 = Buffer.from(text, 'utf8').equals(Buffer.from(bytes));
      expect(decodePercent(raw)).toBe(isUtf8 ? text : undefined);
    },
  );

  test.each([
    ['b/a%2Fb', 'a/b'],
    ['b/a%252Fb', 'a%2Fb'],
    ['b/%E3%81%82', 'あ'],
    ['b/\u00e3\u0081\u0082', 'あ'],
    ['b/%EF%BB%BFx', '\ufeffx'],
    ['b/a+b', 'a+b'],
    ['b/a//b', 'a//b'],
    ['b/a/', 'a/'],
    ['b/%5C', '\\'],
    ['b/...', '...'],
  ])('%s is %s', (raw, path) => {
    expect(key(raw)).toEqual({ ok: true, value: { bucket: 'b', path } });
  });

  const traversals = [
    '..',
    '%2e%2e',
    '.%2E',
    'x/../y',
    'x/%2e%2e/y',
    'x%2F..%2Fy',
    'x%2f%2e%2e',
    '.',
    '%2e',
    '../../bucket',
  ];
  test.each([
    ...traversals,
    '',
    '/x',
    '%2Fx',
    '%',
    '%4',
    '%zz',
    '%00',
    '%0a',
    '%7f',
    '%c2%85',
    '%ff',
    '%c0%ae%c0%ae',
    '%ed%a0%80',
    'é',
    'a'.repeat(1025),
  ])('b/%s is InvalidKey, never a near match', (path) => {
    expect(key(`b/${path}`)).toMatchObject({ ok: false, rejection: { code: 'InvalidKey' } });
  });
  test.each(['', '..', '%2e%2e', 'a%2Fb', '%zz', 'list', 'l%69st', '-a', 'a'.repeat(101)])(
    'the bucket %j is InvalidBucketName',
    (bucket) => {
      expect(key(`${bucket}/x`)).toMatchObject({
        ok: false,
        rejection: { code: 'InvalidBucketName' },
      });
    },
  );
});

test('a target is split at its first question mark, and nothing is normalised', () => {
  const { path, query } = parseTarget('/a/../b//c%2f?x=%2B+1&y=\u00c3\u00a9?');
  expect(path).toBe('/a/../b//c%2f');
  expect(query.get('x')).toBe('+ 1');
  expect(query.get('y')).toBe('é?');
  expect(parseTarget('http://host:1/a?b').path).toBe('/a');
});

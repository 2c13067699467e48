import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  maxObjectPathBytes,
  parseBucketName,
  parseObjectPath,
  reservedBucketNames,
  utf8Bytes,
} from '../../src/domain/names.ts';

const code = (result: ReturnType<typeof parseBucketName | typeof parseObjectPath>) =>
  result.ok ? result.value : result.rejection.code;

describe('bucket names', () => {
  test.each(['a', '7', 'avatars', 'A.b_c-9', 'x'.repeat(100), 'Sign', 'lists', 's3.', 'a..b'])(
    '%j is one',
    (name) => {
      expect(code(parseBucketName(name))).toBe(name);
    },
  );

  test.each([
    ['empty', ''],
    ['too long', 'x'.repeat(101)],
    ['beginning with a dot', '.a'],
    ['beginning with a dash', '-a'],
    ['beginning with an underscore', '_a'],
    ['only dots', '..'],
    ['a slash', 'a/b'],
    ['a backslash', 'a\\b'],
    ['a space', 'a b'],
    ['a percent sign', 'a%20'],
    ['an umlaut', 'ä'],
    ['a Kelvin sign', '\u212a'],
    ['a fullwidth letter', 'ａ'],
    ['a trailing newline', 'a\n'],
    ['a second line', 'a\nb'],
    ['NUL', 'a\0'],
    ['an emoji', '🪣'],
  ])('%s is refused', (_kind, name) => {
    expect(code(parseBucketName(name))).toBe('InvalidBucketName');
  });

  // The list of API.md, "Buckets".
  test.each(
    'sign revoke restore list list-v2 copy move info public authenticated upload render s3'.split(
      ' ',
    ),
  )('"%s" is reserved: a route has it', (word) => {
    expect(code(parseBucketName(word))).toBe('InvalidBucketName');
  });

  test('no other word is reserved', () => {
    expect(reservedBucketNames.size).toBe(13);
  });

  property.prop([fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z0-9][\w.-]*$/))])(
    'a string is itself or refused, by the pattern of API.md',
    (text) => {
      const fits = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text) && !reservedBucketNames.has(text);
      expect(code(parseBucketName(text))).toBe(fits ? text : 'InvalidBucketName');
    },
  );
});

describe('object paths', () => {
  test.each([
    'a',
    'a/b/c.txt',
    'a//b',
    'a/',
    '...',
    '.hidden',
    'a/..b/c..',
    'a b',
    'ünïcödé/日本語/🪣.png',
    'e\u0301',
    '%2e%2e/%00',
    'q?x=1#f&g+h',
    'back\\slash',
    '"quotes\'',
    '*',
    '\u00a0',
    '__proto__',
    'x'.repeat(1024),
    '語'.repeat(341),
    '🪣'.repeat(256),
  ])('%j is one', (path) => {
    expect(code(parseObjectPath(path))).toBe(path);
  });

  test.each([
    ['empty', ''],
    ['1,025 bytes', 'x'.repeat(1025)],
    ['1,026 bytes in 342 characters', '語'.repeat(342)],
    ['1,028 bytes in 257 emoji', '🪣'.repeat(257)],
    ['NUL', 'a\0b'],
    ['a newline', 'a\nb'],
    ['a carriage return', 'a\r'],
    ['a tab', 'a\tb'],
    ['an escape', '\u001b[31m'],
    ['DEL', 'a\u007f'],
    ['the first C1 control', 'a\u0080'],
    ['the last C1 control', 'a\u009f'],
    ['a leading slash', '/a'],
    ['two leading slashes', '//a'],
    ['a slash alone', '/'],
    ['a dot alone', '.'],
    ['two dots alone', '..'],
    ['a dot segment first', './a'],
    ['a dot segment within', 'a/./b'],
    ['a dot segment last', 'a/.'],
    ['a parent segment first', '../a'],
    ['a parent segment within', 'a/../b'],
    ['a parent segment last', 'a/..'],
    ['a high surrogate alone', 'a\ud83e'],
    ['a low surrogate alone', '\udea3a'],
    ['surrogates the wrong way round', '\udea3\ud83e'],
  ])('%s is refused', (_kind, path) => {
    expect(code(parseObjectPath(path))).toBe('InvalidKey');
  });

  const segment = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !/[/\p{Cc}]/u.test(text) && text !== '.' && text !== '..');
  property.prop([fc.array(segment, { minLength: 1, maxLength: 6 })])(
    'well-formed segments make a path that is itself',
    (segments) => {
      expect(code(parseObjectPath(segments.join('/')))).toBe(segments.join('/'));
    },
  );

  const troubled = fc.string({
    unit: fc.constantFrom('.', '/', 'a', '\u0000', '\u0085', '\ud800', '\udc00', '語', '%'),
    maxLength: 8,
  });
  property.prop([fc.oneof(troubled, fc.string({ unit: 'binary' }))])(
    'a string is itself or refused, never mended',
    (text) => {
      const isPath =
        text !== '' &&
        Buffer.from(text).toString() === text &&
        Buffer.byteLength(text) <= maxObjectPathBytes &&
        !/\p{Cc}/u.test(text) &&
        !/^\/|(?:^|\/)\.\.?(?:\/|$)/.test(text);
      expect(code(parseObjectPath(text))).toBe(isPath ? text : 'InvalidKey');
    },
  );
});

describe('utf8Bytes', () => {
  const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 });
  property.prop([
    fc.oneof(
      fc.string({ unit: 'binary' }),
      units.map((codes) => String.fromCharCode(...codes)),
      fc.string({ unit: fc.constantFrom('\ud800', '\udbff', '\udc00', '\udfff', 'a', 'é', '語') }),
    ),
  ])('is what Buffer.byteLength says, lone surrogates included', (text) => {
    expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
  });
});

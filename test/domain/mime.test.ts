import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allowsMime, essenceOf, isMimePattern } from '../../src/domain/values/mime.ts';

describe('essence of a content type', () => {
  test.each([
    ['image/png', 'image/png'],
    ['Image/PNG; q=1', 'image/png'],
    ['  text/html ;charset=utf-8', 'text/html'],
    ['video/mp4; codecs="avc1.42E01E, mp4a.40.2"', 'video/mp4'],
    ['text/plain; title="a\\", b"', 'text/plain'],
    ['', ''],
  ])('%j is %j', (contentType, essence) => {
    expect(essenceOf(contentType)).toBe(essence);
  });

  test('several types in one value are none of them: a browser takes the last', () => {
    expect(essenceOf('image/png;x, text/html')).toBe('image/png;x, text/html');
    expect(essenceOf('image/png, Text/HTML')).toBe('image/png, text/html');
  });
});

describe('what a bucket allows', () => {
  test.each([
    [null, 'anything at all', true],
    [[], 'image/png', false],
    [['image/png'], 'image/png', true],
    [['image/png'], 'IMAGE/PNG;a=b', true],
    [['image/png'], 'image/pngx', false],
    [['image/png'], 'image/apng', false],
    [['image/*'], 'image/svg+xml', true],
    [['image/*'], 'imagex/png', false],
    [['image/*'], 'text/html', false],
    [['image/*'], 'image', false],
    [['image/*'], 'image/', false],
    [['image/*'], 'image/png, text/html', false],
    [['image/*'], 'image/png text/html', false],
    [['image/png'], 'image/png;x, text/html', false],
    [['text/plain', 'image/*'], 'text/plain', true],
    [['*/*'], 'application/x-unheard-of', true],
  ] as const)('%j, %j: %s', (allowed, contentType, expected) => {
    expect(allowsMime(allowed, contentType)).toBe(expected);
  });

  const token = fc.stringMatching(/^[a-z0-9!#$&^_.+-]{1,12}$/);
  property.prop([token, token, fc.string()])(
    'a type is allowed by itself, its family and everything, with any parameter',
    (type, subtype, parameter) => {
      const contentType = `${type}/${subtype}; p="${parameter.replaceAll(/["\\]/g, '')}"`;
      for (const pattern of [`${type}/${subtype}`, `${type}/*`, '*/*']) {
        expect(isMimePattern(pattern)).toBe(true);
        expect(allowsMime([pattern], contentType)).toBe(true);
      }
      expect(allowsMime([`${type}x/*`, `${type}/${subtype}x`], contentType)).toBe(false);
    },
  );
});

describe('patterns', () => {
  test.each(['image/png', 'image/*', '*/*', 'application/vnd.api+json', 'x/y'])(
    '%j is one',
    (p) => {
      expect(isMimePattern(p)).toBe(true);
    },
  );

  test.each([
    '',
    'image',
    'image/',
    '/png',
    '*',
    '*/png',
    'image/*/x',
    'image/p*',
    'Image/png',
    'image/png; q=1',
    ' image/png',
    'image/png\n',
    'a/b, c/d',
    `image/${'x'.repeat(250)}`,
  ])('%j is none', (pattern) => {
    expect(isMimePattern(pattern)).toBe(false);
  });
});

/** What is handed on to a server in front, and in which words. */
import { describe, expect, test } from 'vitest';
import { accelAnswer, accelOf, canBeHandedOn } from '../../../src/http/objects/accel.ts';

const directory = '/srv/aero store/größe%20';
const part = { start: 0, end: 9 };

test('off hands nothing on', () => {
  expect(accelOf('off', directory)).toBeUndefined();
});

test.each([
  ['x-accel-redirect', '/aerostore-internal/'],
  ['x-sendfile', '/srv/aero%20store/gr%C3%B6%C3%9Fe%2520/'],
] as const)('%s puts %s before the file, in bytes that a header can hold', (header, root) => {
  expect(accelOf(header, directory)).toEqual({ header, root });
});

test('the answer names the file, keeps what it says of the object, and has no byte of it', () => {
  const headers = { etag: '"a"', 'cache-control': 'no-cache', 'accept-ranges': 'bytes' };
  const accel = { header: 'x-accel-redirect', root: '/in/' } as const;
  expect(accelAnswer(accel, 'blobs/aa/bb/c', headers)).toEqual({
    status: 200,
    headers: { etag: '"a"', 'cache-control': 'no-cache', 'x-accel-redirect': '/in/blobs/aa/bb/c' },
    body: '',
  });
});

describe('what a server in front might judge otherwise is not handed on', () => {
  test.each([
    [{}, undefined, true],
    [{ 'if-none-match': '"a"', 'if-modified-since': 'x' }, undefined, true],
    [{ range: 'bytes=0-9' }, part, true],
    [{ range: 'bytes=-9' }, part, true],
    [{ range: 'bytes=0-9', 'if-range': '"a"' }, part, true],
    [{ range: 'bytes=0-9' }, undefined, false],
    [{ range: 'bytes= 0-9' }, part, false],
    [{ range: 'bytes=0-9999999999999999' }, part, false],
    [{ 'if-match': '"a"' }, undefined, false],
    [{ 'if-unmodified-since': 'x' }, undefined, false],
  ] as const)('%j, of which %j is asked: %j', (headers, range, expected) => {
    expect(canBeHandedOn(headers, range)).toBe(expected);
  });
});

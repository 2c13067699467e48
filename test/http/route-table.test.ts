import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import type { Route } from '../../src/http/route.ts';
import { routeTable } from '../../src/http/route-table.ts';

const route = (prefix: string, tail: Route['tail']): Route => ({ prefix, tail, methods: {} });

const find = routeTable([
  route('/health/live', 'nothing'),
  route('/v1/bucket', 'nothing'),
  route('/v1/bucket', 'bucket/empty'),
  route('/v1/bucket', 'bucket'),
  route('/v1/object/info/public', 'object'),
  route('/v1/object/info', 'object'),
  route('/v1/object/list', 'bucket'),
  route('/v1/object', 'bucket'),
  route('/v1/object', 'object'),
]);

describe('a path finds', () => {
  it.each([
    ['/health/live', '/health/live'],
    ['/v1/bucket', '/v1/bucket'],
    ['/v1/bucket/b', '/v1/bucket/:bucket'],
    ['/v1/bucket/b/empty', '/v1/bucket/:bucket/empty'],
    ['/v1/object/b', '/v1/object/:bucket'],
    ['/v1/object/b/', '/v1/object/:bucket/:path{.*}'],
    ['/v1/object/b/a', '/v1/object/:bucket/:path{.*}'],
    ['/v1/object/b//a/', '/v1/object/:bucket/:path{.*}'],
    ['/v1/object/b/../..', '/v1/object/:bucket/:path{.*}'],
    ['/v1/object/list/b', '/v1/object/list/:bucket'],
    ['/v1/object/list/b/a', '/v1/object/:bucket/:path{.*}'],
    ['/v1/object/info/b/a', '/v1/object/info/:bucket/:path{.*}'],
    ['/v1/object/info/public/b/a', '/v1/object/info/public/:bucket/:path{.*}'],
    ['/v1/object/info/public/b', '/v1/object/info/:bucket/:path{.*}'],
    ['/v1/object/info/b', '/v1/object/:bucket/:path{.*}'],
    ['/v1/object/%69nfo/b/a', '/v1/object/:bucket/:path{.*}'],
  ])('for %s the first route that fits', (path, pattern) => {
    expect(find(path)?.pattern).toBe(pattern);
  });

  it.each([
    '',
    '/',
    '*',
    '/health/live/',
    '/health/lives',
    '/health',
    '/v1/bucket/',
    '/v1/buckets',
    '/v1/bucket/b/',
    '/v1/bucket/b/full',
    '/v1/bucket/b/empty/',
    '/v1/bucket//empty',
    '/v1/object',
    '/v1/object/',
    '/v1/object//a',
    '/v1//object/b',
    '/V1/object/b',
    '//v1/object/b',
  ])('for %s none', (path) => {
    expect(find(path)).toBeUndefined();
  });

  test.prop([fc.stringMatching(/^[a-z%/.]{0,8}$/), fc.constantFrom('/v1/object', '/v1/bucket')])(
    'what a regular expression of the pattern would',
    (rest, prefix) => {
      const path = prefix + rest;
      const patterns = [
        ['/v1/bucket', /^\/v1\/bucket$/],
        ['/v1/bucket/:bucket/empty', /^\/v1\/bucket\/[^/]+\/empty$/],
        ['/v1/bucket/:bucket', /^\/v1\/bucket\/[^/]+$/],
        ['/v1/object/:bucket', /^\/v1\/object\/[^/]+$/],
        ['/v1/object/:bucket/:path{.*}', /^\/v1\/object\/[^/]+\/.*$/],
      ] as const;
      expect(find(path)?.pattern).toBe(patterns.find(([, regexp]) => regexp.test(path))?.[0]);
    },
  );
});

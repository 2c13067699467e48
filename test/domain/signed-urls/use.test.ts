/** Whether a signed URL may be used, rule by rule. */
import { describe, expect, test } from 'vitest';
import type { BucketName, ObjectPath } from '../../../src/domain/names.ts';
import { rejection } from '../../../src/domain/rejection.ts';
import { claimsIn, payloadOf } from '../../../src/domain/signed-urls/token.ts';
import {
  covers,
  type Revocation,
  refuseContent,
  refuseUse,
} from '../../../src/domain/signed-urls/use.ts';
import { boris, bucketOf, nobody, olga, service, uid, uma } from '../samples.ts';
import { aTxt, downloadClaims, objectOf, uploadClaims, useOf } from './samples.ts';

const revocation = (fields: Partial<Revocation>): Revocation => ({
  jti: null,
  bucket_uid: uid('uid-1'),
  path: null,
  issued_before: null,
  ...fields,
});
const state = (bucket = {}, object = {}) => ({
  bucket: bucketOf(bucket),
  object: objectOf(object),
});
const free = (bucket = {}) => ({ bucket: bucketOf(bucket), object: undefined });
const open = { write_policy: 'authenticated' } as const;

const downloads: readonly [string, Parameters<typeof downloadClaims>[0], object, string][] = [
  ['its path, in its time', {}, {}, 'allowed'],
  ['the last millisecond', {}, { nowMs: 19_999 }, 'allowed'],
  ['the moment of its expiry', {}, { nowMs: 20_000 }, 'SignatureExpired'],
  ['an upload', {}, { operation: 'upload' }, 'InvalidSignature'],
  ['another path', {}, { path: 'a.txt2' }, 'InvalidSignature'],
  ['a path in another case', {}, { path: 'A.txt' }, 'InvalidSignature'],
  ['another bucket', {}, { bucket: 'photos2' }, 'InvalidSignature'],
  ['a bucket made again', {}, { state: state({ uid: uid('uid-2') }) }, 'InvalidSignature'],
  ['no bucket', {}, { state: { bucket: undefined, object: undefined } }, 'InvalidSignature'],
  ['a deleted object', {}, { state: free({ policy: 'public' }) }, 'NoSuchKey'],
  ['a deleted object, late', {}, { state: free(), nowMs: 20_000 }, 'InvalidSignature'],
  [
    'a deleted object, late, seen',
    {},
    { state: free({ policy: 'public' }), nowMs: 20_000 },
    'SignatureExpired',
  ],
  ['a used one', {}, { isUsed: true }, 'allowed'],
  ['a used one for one use', { once: true }, { isUsed: true }, 'InvalidSignature'],
  ['one for one use, unused', { once: true }, {}, 'allowed'],
  [
    'a revoked and expired one',
    {},
    { nowMs: 30_000, revocations: [revocation({})] },
    'InvalidSignature',
  ],
  ['an expired one of another path', {}, { nowMs: 30_000, path: 'b' }, 'InvalidSignature'],
  ['the pinned version', { version: 'version-a' }, {}, 'allowed'],
  ['another version', { version: 'version-0' }, {}, 'InvalidSignature'],
  ['issuer: a stranger', { issuer: uma }, {}, 'InvalidSignature'],
  ["issuer: the bucket's owner", { issuer: boris }, {}, 'InvalidSignature'],
  ['issuer: the service', { issuer: service }, {}, 'allowed'],
  [
    'issuer: a stranger, public',
    { issuer: uma },
    { state: state({ policy: 'public' }) },
    'allowed',
  ],
  [
    'issuer: nobody, public',
    { issuer: nobody },
    { state: state({ policy: 'public' }) },
    'InvalidSignature',
  ],
  [
    'issuer: no longer the owner',
    {},
    { state: state({}, { owner_id: 'uma' }) },
    'InvalidSignature',
  ],
];

describe('a download token for', () => {
  test.each(downloads)('%s: %j %j → %s', (_name, claims, use, expected) => {
    expect(refuseUse(downloadClaims(claims), useOf(use))?.code ?? 'allowed').toBe(expected);
  });
});

const uploads: readonly [string, Parameters<typeof uploadClaims>[0], object, string][] = [
  ['a free path, open to all', {}, { state: free(open) }, 'allowed'],
  ['a free path, closed since', {}, { state: free() }, 'InvalidSignature'],
  ["a free path, by the bucket's owner", { issuer: boris }, { state: free() }, 'allowed'],
  ["the issuer's own object", {}, { state: state() }, 'allowed'],
  ["somebody else's object", { issuer: uma }, { state: state(open) }, 'InvalidSignature'],
  [
    "somebody else's, with upsert",
    { issuer: uma, upsert: true },
    { state: state(open) },
    'InvalidSignature',
  ],
  ['a download', {}, { operation: 'download' }, 'InvalidSignature'],
  ['one use, made', { once: true }, { state: free(open), isUsed: true }, 'InvalidSignature'],
  ['a path, late', {}, { state: free(open), nowMs: 20_000 }, 'SignatureExpired'],
];

describe('an upload token for', () => {
  test.each(uploads)('%s: %j %j → %s', (_name, claims, use, expected) => {
    const asked = useOf({ operation: 'upload', ...use });
    expect(refuseUse(uploadClaims(claims), asked)?.code ?? 'allowed').toBe(expected);
  });
});

test.each<[string, Partial<Revocation>, boolean]>([
  ['its jti', { jti: 'jti-1', path: aTxt }, true],
  ['another jti', { jti: 'jti-2', path: aTxt }, false],
  ['its bucket', {}, true],
  ['another bucket', { bucket_uid: uid('uid-2') }, false],
  ['its path', { path: aTxt }, true],
  ['another path', { path: 'a' as ObjectPath }, false],
  ['issued before its very millisecond', { issued_before: 10_000 }, true],
  ['issued before the millisecond before', { issued_before: 9_999 }, false],
  ['its path and time', { path: aTxt, issued_before: 10_001 }, true],
])('a revocation of %s covers the token: %j → %s', (_name, fields, expected) => {
  expect(covers(revocation(fields), downloadClaims())).toBe(expected);
});

test.each([
  [{}, { contentType: 'text/html', sizeBytes: 1e9 }, undefined],
  [{ content_type: 'image/png' }, { contentType: 'image/png' }, undefined],
  [{ content_type: 'image/png' }, { contentType: 'Image/PNG; q=1' }, undefined],
  [{ content_type: 'image/*' }, { contentType: 'image/gif' }, undefined],
  [{ content_type: 'image/png' }, { contentType: 'image/gif' }, 'InvalidMimeType'],
  [{ content_type: 'image/png' }, { contentType: 'image/png, text/html' }, 'InvalidMimeType'],
  [{ max_size: 5 }, { contentType: 'a/b', sizeBytes: 5 }, undefined],
  [{ max_size: 5 }, { contentType: 'a/b', sizeBytes: 6 }, 'EntityTooLarge'],
  [{ max_size: 0 }, { contentType: 'a/b', sizeBytes: 1 }, 'EntityTooLarge'],
  [{ max_size: 5 }, { contentType: 'a/b' }, undefined],
])('what was signed as %j holds %j → %s', (claims, content, expected) => {
  expect(refuseContent(uploadClaims(claims), content)?.code).toBe(expected);
});

describe('claims', () => {
  const wholes = [
    downloadClaims({ version: 'v', once: true }),
    downloadClaims({ issuer: service }),
    downloadClaims({ issuer: { kind: 'service', id: 'ops' } }),
    uploadClaims({ upsert: true, content_type: 'image/*', max_size: 7, once: true }),
    uploadClaims({ bucket: 'é' as BucketName, path: '"\\ 写.txt' as ObjectPath, issuer: olga }),
  ];

  test.each(wholes)('come back as they were: %j', (claims) => {
    expect(claimsIn(JSON.parse(JSON.stringify(payloadOf(claims))))).toEqual(claims);
  });

  test('end in whole seconds for others, never before their own end', () => {
    const { exp, iat } = payloadOf(downloadClaims({ issued_at: 10_999, expires_at: 20_001 }));
    expect({ exp, iat }).toEqual({ exp: 21, iat: 10 });
  });

  test('without one of them are no claims', () => {
    for (const whole of wholes) {
      const { once: _once, sub: _sub, iat: _iat, exp: _exp, ...payload } = payloadOf(whole);
      for (const name of Object.keys(payload)) {
        expect(claimsIn({ ...payload, sub: 'olga', [name]: undefined }), name).toBeUndefined();
        expect(claimsIn({ ...payload, sub: 'olga', [name]: {} }), name).toBeUndefined();
      }
    }
    for (const other of [
      null,
      'text',
      1,
      [],
      {},
      { ...payloadOf(downloadClaims()), role: 'anon' },
    ]) {
      expect(claimsIn(other)).toBeUndefined();
    }
  });
});

test('a refusal tells why, and nothing of the store', () => {
  const refused = refuseUse(downloadClaims(), useOf({ path: 'secret' as ObjectPath }));
  expect(refused).toEqual(
    rejection('InvalidSignature', 'The signed URL is not valid: it was signed for another path', {
      hint: 'Ask its issuer for another one.',
    }),
  );
});

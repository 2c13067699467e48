/** Who takes signed URLs back, and what is recorded of it. */
import { describe, expect, test } from 'vitest';
import type { Caller } from '../../../src/domain/caller.ts';
import {
  decideRevoke,
  longestValidMs,
  type RevocationScope,
} from '../../../src/domain/signed-urls/revoke.ts';
import type { TokenClaims } from '../../../src/domain/signed-urls/token.ts';
import type { Revocation } from '../../../src/domain/signed-urls/use.ts';
import { boris, bucketOf, nobody, olga, service, uid, uma } from '../samples.ts';
import { aTxt, downloadClaims, objectOf, uploadClaims } from './samples.ts';

const nowMs = 15_000;
const there = { bucket: bucketOf(), object: objectOf(), revocations: [] };
const token = (claims: TokenClaims = downloadClaims()): RevocationScope => ({
  kind: 'token',
  claims,
});
const ofPath: RevocationScope = { kind: 'bucket', path: aTxt, issuedBefore: nowMs };
const ofBucket: RevocationScope = { kind: 'bucket', path: null, issuedBefore: nowMs };

function revoke(caller: Caller, scope: RevocationScope, state = {}) {
  const decided = decideRevoke({ ...there, ...state }, { caller, scope, nowMs });
  return decided.ok ? decided.value : decided.rejection.code;
}

describe('who may revoke', () => {
  const seen = { bucket: bucketOf({ policy: 'public' }) };
  const letterBox = { bucket: bucketOf({ write_policy: 'authenticated' }), object: undefined };
  const byUma = token(uploadClaims({ issuer: uma }));
  test.each<[string, Caller, RevocationScope, object, string | undefined]>([
    ["the object's owner, a token", olga, token(), {}, undefined],
    ["the object's owner, the path", olga, ofPath, {}, undefined],
    ["the object's owner, the bucket", olga, ofBucket, {}, 'NoSuchBucket'],
    ["the bucket's owner, a token", boris, token(), {}, undefined],
    ["the bucket's owner, the path", boris, ofPath, {}, undefined],
    ["the bucket's owner, a free path", boris, ofPath, { object: undefined }, undefined],
    ["the bucket's owner, the bucket", boris, ofBucket, {}, undefined],
    ['the service, a token', service, token(), {}, undefined],
    ['the service, a free path', service, ofPath, { object: undefined }, undefined],
    ['the service, the bucket', service, ofBucket, {}, undefined],
    ['a stranger, a token', uma, token(), {}, 'NoSuchBucket'],
    ['a stranger, a token, seen', uma, token(), seen, 'AccessDenied'],
    [
      'a reader, a token of their own',
      uma,
      token(downloadClaims({ issuer: uma })),
      seen,
      'AccessDenied',
    ],
    ['a stranger, the path', uma, ofPath, seen, 'AccessDenied'],
    ['a stranger, a free path', uma, ofPath, { ...seen, object: undefined }, 'NoSuchKey'],
    ['a stranger, the bucket', uma, ofBucket, seen, 'AccessDenied'],
    ['nobody', nobody, token(), seen, 'MissingAuthorization'],
    ['who signed an upload that was not made', uma, byUma, letterBox, undefined],
    ['another than who signed it', olga, byUma, letterBox, 'NoSuchKey'],
    ['who signed it, on what another put there', uma, byUma, seen, 'AccessDenied'],
    [
      'the owner of a bucket made again',
      boris,
      token(),
      { bucket: bucketOf({ uid: uid('2') }) },
      'NoSuchBucket',
    ],
    [
      'the service, where there is no bucket',
      service,
      ofBucket,
      { bucket: undefined },
      'NoSuchBucket',
    ],
  ])('%s', (_name, caller, scope, state, refusal) => {
    const outcome = revoke(caller, scope, state);
    expect(typeof outcome === 'string' ? outcome : undefined).toBe(refusal);
  });
});

const made = (fields: Partial<Revocation>): { revocations: Revocation[] } => ({
  revocations: [
    { jti: null, bucket_uid: uid('uid-1'), path: null, issued_before: null, ...fields },
  ],
});

describe('what is recorded', () => {
  test('of a token: its id, as long as it would have been valid', () => {
    expect(revoke(olga, token())).toEqual({
      type: 'token.revoked',
      jti: 'jti-1',
      bucket_uid: 'uid-1',
      path: 'a.txt',
      issued_before: null,
      expires_at: 20_000,
    });
  });

  test('of a bucket or path: the moment, as long as any token from before it can be valid', () => {
    const event = { type: 'token.revoked', jti: null, bucket_uid: 'uid-1', issued_before: nowMs };
    const expires_at = nowMs + longestValidMs;
    expect(revoke(boris, ofBucket)).toEqual({ ...event, path: null, expires_at });
    expect(revoke(boris, ofPath)).toEqual({ ...event, path: 'a.txt', expires_at });
  });

  test.each<[string, RevocationScope, object]>([
    ['an expired token', token(downloadClaims({ expires_at: nowMs })), {}],
    ['a revoked token', token(), made({ jti: 'jti-1', path: aTxt })],
    ['a token of a revoked bucket', token(), made({ issued_before: 10_000 })],
    ['a path, revoked later', ofPath, made({ path: aTxt, issued_before: nowMs })],
    ['a path of a bucket revoked later', ofPath, made({ issued_before: nowMs + 1 })],
    ['a bucket, revoked later', ofBucket, made({ issued_before: nowMs })],
  ])('nothing of %s', (_name, scope, state) => {
    expect(revoke(boris, scope, state)).toBeUndefined();
  });

  test.each<[string, RevocationScope, object]>([
    ['a token of a bucket revoked before it was issued', token(), made({ issued_before: 9_999 })],
    ['a path, revoked earlier', ofPath, made({ path: aTxt, issued_before: nowMs - 1 })],
    ['a bucket of which a path was revoked', ofBucket, made({ path: aTxt, issued_before: nowMs })],
  ])('a revocation of %s', (_name, scope, state) => {
    expect(revoke(boris, scope, state)).toMatchObject({ type: 'token.revoked' });
  });
});

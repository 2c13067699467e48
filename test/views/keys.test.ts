import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  BlobId,
  BucketName,
  KeyspaceId,
  ObjectId,
  ObjectPath,
  Position,
} from '../../src/domain/names.ts';
import * as keys from '../../src/views/keys.ts';

const runs = { numRuns: 500 };
const path = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 12 })
  .map((text) => text.toWellFormed().replace(/\p{Cc}/gu, '-') as ObjectPath);
const position = fc.oneof(fc.nat(300), fc.maxSafeNat()).map((value) => value as Position);
const owner = fc.string({
  unit: fc.constantFrom('\0', '\u0001', 'a', 'é', '\u00ff'),
  maxLength: 5,
});

const compare = (left: Buffer, right: Buffer) => Math.sign(Buffer.compare(left, right));
const inRange = (key: Buffer, { gte, lt }: keys.KeyRange) =>
  Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;

describe('keys', () => {
  it('hold their parts one behind the other, whatever was asked for before', () => {
    const text = fc.constantFrom('a', 'b', 'é', 'a/b', '', 'a\0b');
    const part = fc.record({ path: text, owner: text, id: text, blob: text, number: position });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
        for (const { path: p, owner: o, id: i, blob: b, number } of parts) {
          const [at, id, blob] = [keys.u64(number), i as ObjectId, b as BlobId];
          const place = { keyspace: number, path: p as ObjectPath, position: number };
          const owner = o.replaceAll('\0', '\0\u{10ffff}');
          const escaped = Buffer.from(owner)
            .toString('latin1')
            .replaceAll('\0\xf4\x8f\xbf\xbf', '\0\xff');
          const expected: [Buffer, (string | Buffer)[]][] = [
            [keys.objectKey(number, p), ['o', at, p]],
            [keys.historyKey(place), ['h', at, p, at]],
            [keys.ownedKey(o, number, p), ['w', Buffer.from(escaped, 'latin1'), '\0\0', at, p]],
            [keys.ownedKey(o), ['w', Buffer.from(escaped, 'latin1'), '\0\0']],
            [keys.createdKey(number, number, id), ['c', at, at, i]],
            [keys.createdKey(number), ['c', at]],
            [keys.referenceKey(blob, number, id), ['r', b, at, i]],
            [keys.crcsKey(blob), ['k', b]],
            [keys.releaseKey(number, blob), ['q', at, b]],
          ];
          for (const [key, pieces] of expected) {
            expect(key).toEqual(Buffer.concat(pieces.map((piece) => Buffer.from(piece))));
          }
        }
      }),
      runs,
    );
  });

  it('order the paths of a keyspace by their UTF-8 bytes', () => {
    fc.assert(
      fc.property(position, path, path, (keyspace, a, b) => {
        const byBytes = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(compare(keys.objectKey(keyspace, a), keys.objectKey(keyspace, b))).toBe(byBytes);
      }),
      runs,
    );
  });

  it('order numbers by value', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        expect(compare(keys.u64(a), keys.u64(b))).toBe(Math.sign(a - b));
        expect(compare(keys.drainKey(a), keys.drainKey(b))).toBe(Math.sign(a - b));
      }),
      runs,
    );
  });

  it('bring a keyspace and a released blob back', () => {
    fc.assert(
      fc.property(position, path, (keyspace, text) => {
        expect(keys.keyspaceOf(keys.objectKey(keyspace, text))).toBe(keyspace);
      }),
    );
    const blobId = '0'.repeat(31).concat('f') as BlobId;
    expect(keys.releasedBlobOf(keys.releaseKey(7 as Position, blobId))).toBe(blobId);
  });

  it('put into the range of a prefix exactly the paths that begin with it', () => {
    fc.assert(
      fc.property(position, path, path, fc.nat(6), (keyspace, a, b, cut) => {
        const prefix = [...a].slice(0, cut).join('');
        const range = keys.within(keys.objectKey(keyspace, prefix));
        for (const text of [a, b]) {
          expect(inRange(keys.objectKey(keyspace, text), range)).toBe(text.startsWith(prefix));
        }
        expect(inRange(keys.objectKey((keyspace + 1) as KeyspaceId, a), range)).toBe(false);
      }),
      runs,
    );
  });

  it('keep the rows of one path together in history, by position', () => {
    fc.assert(
      fc.property(path, path, position, position, (a, b, first, second) => {
        const keyspace = 5 as KeyspaceId;
        const prefix = keys
          .historyKey({ keyspace, path: a, position: 0 as Position })
          .subarray(0, -8);
        const range = {
          gte: Buffer.concat([prefix, Buffer.from([0])]),
          lt: Buffer.concat([prefix, Buffer.from([1])]),
        };
        const one = keys.historyKey({ keyspace, path: a, position: first });
        const two = keys.historyKey({ keyspace, path: a, position: second });
        expect(inRange(one, range)).toBe(true);
        expect(compare(one, two)).toBe(Math.sign(first - second));
        const other = keys.historyKey({ keyspace, path: b, position: first });
        expect(inRange(other, range)).toBe(a === b);
      }),
      runs,
    );
  });

  it('never mix up two owners, whatever their names', () => {
    fc.assert(
      fc.property(owner, owner, path, (a, b, text) => {
        const range = keys.within(keys.ownedKey(a, 1 as KeyspaceId, ''));
        expect(inRange(keys.ownedKey(b, 1 as KeyspaceId, text), range)).toBe(a === b);
      }),
      runs,
    );
  });

  it('do not take the rest of an owner for a keyspace', () => {
    const range = keys.within(keys.ownedKey('a', 1 as KeyspaceId, ''));
    const forged = `a\0\0${'\0'.repeat(7)}\u0001x`;
    expect(inRange(keys.ownedKey(forged, 1 as KeyspaceId, 'path'), range)).toBe(false);
  });

  it('never mix up two callers or keys of idempotent requests', () => {
    const subject = fc.option(owner);
    const role = fc.constantFrom('user', 'service', 'anonymous') as fc.Arbitrary<'user'>;
    const request = fc.tuple(role, subject, owner);
    fc.assert(
      fc.property(request, request, (a, b) => {
        const keyOf = ([role, sub, key]: typeof a) => keys.idempotencyKey({ role, sub }, key);
        expect(keyOf(a).equals(keyOf(b))).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      runs,
    );
  });

  it('keep one timeline apart from that of a longer name', () => {
    const key = keys.timelineKey('b1' as BucketName, 9 as Position);
    const range = keys.timelineBefore(key);
    expect(inRange(keys.timelineKey('b1' as BucketName, 8 as Position), range)).toBe(true);
    expect(inRange(key, range)).toBe(false);
    expect(inRange(keys.timelineKey('b10' as BucketName, 1 as Position), range)).toBe(false);
    expect(inRange(keys.timelineKey('b' as BucketName, 1 as Position), range)).toBe(false);
  });

  it('end the ranges of releases and expiries with the position', () => {
    fc.assert(
      fc.property(position, position, (at, upTo) => {
        const release = keys.releaseKey(at, 'f'.repeat(32) as BlobId);
        expect(inRange(release, keys.releasesUpTo(upTo))).toBe(at <= upTo);
        expect(inRange(keys.expiryKey(at, 254), keys.expiriesUpTo(upTo))).toBe(at <= upTo);
      }),
      runs,
    );
  });

  it('sort objects by age within a keyspace', () => {
    const key = (ms: number, id: string) => keys.createdKey(3 as KeyspaceId, ms, id as ObjectId);
    expect(compare(key(1, 'z'), key(2, 'a'))).toBe(-1);
    expect(compare(key(2, 'a'), key(2, 'b'))).toBe(-1);
  });
});

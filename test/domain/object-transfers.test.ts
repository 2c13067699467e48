/** Copy, move, metadata and delete many: given, when, then. */
import { describe, expect, test } from 'vitest';
import { type BucketRow, bucketFacts } from '../../src/domain/bucket.ts';
import type { Caller } from '../../src/domain/caller.ts';
import { type ObjectRow, previousOf } from '../../src/domain/object.ts';
import { decideDeleteMany, decidePatch, deletion } from '../../src/domain/object-decisions.ts';
import {
  type CopyObject,
  decideCopy,
  decideMove,
  type MoveObject,
} from '../../src/domain/object-transfers.ts';
import type { RejectionCode } from '../../src/domain/rejection.ts';
import type { Result } from '../../src/domain/result.ts';
import { given } from './decider.ts';
import {
  boris,
  bucketCreated,
  bucketOf,
  nobody,
  objectStored,
  olga,
  path,
  position,
  service,
  uid,
  uma,
} from './samples.ts';

/** Boris's bucket, open for writing, with Olga's object at `a.txt`. */
const open = { write_policy: 'authenticated', policy: 'public' } as const;
const withObject = () => given(bucketCreated(open), objectStored('olga', 'first')).state;
const empty = (fields: Partial<BucketRow> = {}) =>
  given(bucketCreated({ ...open, ...fields })).state;
/** Another bucket: Uma's, in keyspace 1 of its own log, told apart by its uid. */
const other = (fields: Partial<BucketRow> = {}) => {
  const bucket = bucketOf({
    uid: uid('uid-2'),
    keyspace: position(9),
    owner_id: 'uma',
    ...open,
    ...fields,
  });
  return { bucket, object: undefined };
};

const moveOf = (caller: Caller, fields: Partial<MoveObject> = {}): MoveObject => ({
  caller,
  path: path('b.txt'),
  overwrite: false,
  maxFileSizeBytes: 1_000,
  ...fields,
});
const crcs = new Uint8Array(4);
const copyOf = (caller: Caller, fields: Partial<CopyObject> = {}): CopyObject => ({
  ...moveOf(caller),
  crcs,
  version: 'version-copy',
  newId: 'id-copy' as never,
  ...fields,
});

function codeOf(result: Result<unknown>): RejectionCode | 'ok' {
  return result.ok ? 'ok' : result.rejection.code;
}

describe('a copy', () => {
  test('says where it came from and belongs to its maker', () => {
    const source = withObject();
    const decided = decideCopy({ source, target: empty() }, copyOf(uma));
    expect(decided).toMatchObject({
      ok: true,
      value: {
        type: 'object.stored',
        object: {
          id: 'id-copy',
          path: 'b.txt',
          owner_id: 'uma',
          version: 'version-copy',
          blob_id: source.object?.blob_id,
          created_at: null,
          crcs,
        },
        previous: null,
        source: { path: 'a.txt', id: source.object?.id, owner_id: 'olga' },
      },
    });
  });

  test('over an object of its maker keeps that object', () => {
    const source = withObject();
    const target = given(bucketCreated(open), objectStored('uma', 'hers')).state;
    const command = copyOf(uma, { overwrite: true });
    const decided = decideCopy({ source, target }, command);
    expect(decided).toMatchObject({
      value: { object: { id: 'id-hers', created_at: 2_000 }, previous: { etag: 'etag-hers' } },
    });
  });

  test.each<[string, Partial<BucketRow>, RejectionCode]>([
    ['larger than the target allows', { max_file_size: 4 }, 'EntityTooLarge'],
    [
      'of a type that the target does not allow',
      { allowed_mime_types: ['image/*'] },
      'InvalidMimeType',
    ],
    ['into a bucket that only its owner writes', { write_policy: 'owner' }, 'AccessDenied'],
    [
      'into a bucket that its maker does not see',
      { write_policy: 'owner', policy: 'private' },
      'NoSuchBucket',
    ],
  ])('%s is refused', (_name, fields, code) => {
    const state = { source: withObject(), target: empty(fields) };
    expect(codeOf(decideCopy(state, copyOf(uma)))).toBe(code);
  });

  test('larger than the server allows is refused', () => {
    const state = { source: withObject(), target: empty() };
    expect(codeOf(decideCopy(state, copyOf(uma, { maxFileSizeBytes: 4 })))).toBe('EntityTooLarge');
  });

  test('of what its maker may not read is of nothing', () => {
    const hidden = given(
      bucketCreated({ policy: 'private', write_policy: 'authenticated' }),
      objectStored('olga', 'first'),
    ).state;
    const of = (caller: Caller) =>
      codeOf(decideCopy({ source: hidden, target: empty() }, copyOf(caller)));
    // Not even for the owner of the bucket.
    expect([of(uma), of(boris), of(olga), of(service)]).toEqual([
      'NoSuchKey',
      'NoSuchKey',
      'ok',
      'ok',
    ]);
    const nothing = { bucket: undefined, object: undefined };
    expect(codeOf(decideCopy({ source: nothing, target: empty() }, copyOf(uma)))).toBe(
      'NoSuchBucket',
    );
    expect(codeOf(decideCopy({ source: empty(), target: empty() }, copyOf(uma)))).toBe('NoSuchKey');
  });

  test('onto what someone else owns is denied before anything else is said', () => {
    const state = { source: withObject(), target: withObject() };
    expect(codeOf(decideCopy(state, copyOf(uma)))).toBe('AccessDenied');
    expect(codeOf(decideCopy(state, copyOf(olga)))).toBe('KeyAlreadyExists');
  });
});

describe('a move', () => {
  test('keeps everything but the place', () => {
    const source = withObject();
    const object = source.object as ObjectRow;
    const target = other();
    const { updated_at: _updated, position: from_position, ...row } = object;
    expect(decideMove({ source, target }, moveOf(olga))).toEqual({
      ok: true,
      value: {
        type: 'object.moved',
        from: { bucket: bucketFacts(source.bucket as BucketRow), keyspace: 1, path: 'a.txt' },
        to: { bucket: bucketFacts(target.bucket), keyspace: 9, path: 'b.txt' },
        object: { ...row, path: 'b.txt' },
        from_position,
        previous: null,
      },
    });
  });

  test('tells what the target was', () => {
    const source = withObject();
    const target = given(bucketCreated(open), objectStored('olga', 'second')).state;
    const object = target.object as ObjectRow;
    const elsewhere = { ...target, bucket: other().bucket };
    expect(
      decideMove({ source, target: elsewhere }, moveOf(olga, { overwrite: true })),
    ).toMatchObject({
      value: { previous: { ...previousOf(object), id: object.id } },
    });
  });

  test('of someone else’s object is denied, or unheard of', () => {
    const of = (caller: Caller, source = withObject()) =>
      codeOf(decideMove({ source, target: other() }, moveOf(caller)));
    expect([of(uma), of(boris), of(olga), of(service)]).toEqual([
      'AccessDenied',
      'AccessDenied',
      'ok',
      'ok',
    ]);
  });

  test('onto itself is nothing, or a change of its metadata', () => {
    const state = { source: withObject(), target: withObject() };
    const self = moveOf(olga, { path: path('a.txt'), overwrite: true });
    expect(decideMove(state, self)).toEqual({ ok: true, value: undefined });
    expect(decideMove(state, { ...self, metadata: '{"n":1}' })).toMatchObject({
      value: { type: 'object.patched', changed: ['metadata'] },
    });
    expect(codeOf(decideMove(state, { ...self, overwrite: false }))).toBe('KeyAlreadyExists');
  });
});

describe('a change of metadata', () => {
  const patch = (caller: Caller, changes: Parameters<typeof decidePatch>[1]['changes']) =>
    decidePatch(withObject(), { caller, changes, maxFileSizeBytes: 1_000 });

  test('names what changed, and only that', () => {
    const changes = { metadata: '{"n":1}', cache_control: null, content_type: 'text/csv' };
    const object = withObject().object as ObjectRow;
    expect(patch(olga, changes)).toMatchObject({
      value: {
        type: 'object.patched',
        object: { ...changes, version: object.version, id: object.id },
        previous: previousOf(object),
        changed: ['metadata', 'content_type'],
      },
    });
  });

  test('to what is there already is no event', () => {
    expect(patch(olga, { metadata: null, content_type: 'text/plain' })).toEqual({
      ok: true,
      value: undefined,
    });
    expect(patch(olga, {})).toEqual({ ok: true, value: undefined });
  });

  test('is for the owner of the object and the service', () => {
    const of = (caller: Caller) => codeOf(patch(caller, { metadata: '{"n":1}' }));
    expect([of(uma), of(boris), of(olga), of(service)]).toEqual([
      'AccessDenied',
      'AccessDenied',
      'ok',
      'ok',
    ]);
  });

  test('meets the type rule of the bucket', () => {
    const texts = given(
      bucketCreated({ ...open, allowed_mime_types: ['text/*'] }),
      objectStored('olga', 'first'),
    ).state;
    const of = (content_type: string) =>
      codeOf(decidePatch(texts, { caller: olga, changes: { content_type }, maxFileSizeBytes: 9 }));
    expect([of('text/css'), of('image/png')]).toEqual(['ok', 'InvalidMimeType']);
  });
});

describe('delete many', () => {
  const state = (fields: Partial<BucketRow> = {}) => {
    const { bucket, object } = given(
      bucketCreated({ ...open, ...fields }),
      objectStored('olga', 'x'),
    ).state;
    const row = object as ObjectRow;
    const his = { ...row, path: path('his'), owner_id: 'boris' };
    return { bucket, objects: [row, his], ownsObjects: false };
  };
  const gone = (caller: Caller, from = state()) => {
    const decided = decideDeleteMany(from, { caller });
    return decided.ok ? decided.value.events.map((event) => event.path) : decided.rejection.code;
  };

  test('takes what the caller may delete', () => {
    expect(gone(olga)).toEqual(['a.txt']);
    expect(gone(uma)).toEqual([]);
    expect(gone(boris)).toEqual(['a.txt', 'his']);
    expect(gone(service)).toEqual(['a.txt', 'his']);
    expect(gone(nobody)).toBe('MissingAuthorization');
  });

  test('is of records that say what was there', () => {
    const { bucket, objects } = state();
    expect(decideDeleteMany(state(), { caller: olga })).toMatchObject({
      value: { events: [deletion(bucket as BucketRow, objects[0] as ObjectRow, null)] },
    });
  });

  test('shows only rows that the caller may read', () => {
    const decided = decideDeleteMany(state({ policy: 'private' }), { caller: boris });
    expect(decided).toMatchObject({
      value: { events: { length: 2 }, readable: [{ path: 'his' }] },
    });
  });

  test('of a bucket that the caller does not see is of none, unless something in it is theirs', () => {
    const hidden = state({ policy: 'private', write_policy: 'owner' });
    expect(gone(uma, hidden)).toBe('NoSuchBucket');
    expect(gone(olga, { ...hidden, ownsObjects: true })).toEqual(['a.txt']);
  });
});

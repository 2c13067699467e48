/** The operations of random programs, and how often each. */
import fc from 'fast-check';
import { caches, contents, metadatas, types } from './contents.ts';
import type { Condition, Intent } from './operations.ts';
import type { Policy, Who, WritePolicy } from './world.ts';

export const bucketNames = ['a', 'b', 'c'];
export const paths = ['p', 'q', 'dir/r', 'dir/ü'];

const bucket = fc.constantFrom('a', 'a', 'a', 'b', 'b', 'c');
const path = fc.constantFrom(...paths);
const place = fc.record({ bucket, path });
/** More often where something is. */
const filled = fc.constantFrom(...paths, 'p', 'p', 'q', 'q');
const filledPlace = fc.record({ bucket, path: filled });
const writer = fc.constantFrom<Who>('alice', 'alice', 'alice', 'bob', 'service', 'service');
const reader = fc.constantFrom<Who>('alice', 'bob', 'bob', 'service', 'nobody');
/** The larger, the rarer. */
const content = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 4 }) },
  { weight: 3, arbitrary: fc.integer({ min: 5, max: 6 }) },
  { weight: 3, arbitrary: fc.integer({ min: 7, max: 9 }) },
  { weight: 1, arbitrary: fc.integer({ min: 10, max: contents.length - 1 }) },
);
const type = fc.constantFrom('text/plain', ...types);
const cache = fc.constantFrom(null, null, ...caches);
const metadata = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: fc.nat(metadatas.length - 1) },
);
const body = { content, type, cache, metadata };
const condition = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Condition>('none') },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Condition>('if-none-match', 'no-overwrite', 'if-match-any'),
  },
  { weight: 1, arbitrary: content },
);
const settings = {
  policy: fc.constantFrom<Policy>('private', 'authenticated', 'public'),
  write_policy: fc.constantFrom<WritePolicy>('owner', 'authenticated'),
  allowed_mime_types: fc.constantFrom(
    null,
    null,
    null,
    ['text/*'],
    ['text/csv', 'application/json'],
  ),
  max_file_size: fc.constantFrom(null, null, null, 5000, 65_536),
};
/** How many back. */
const back = fc.nat(2);

const bucketIntents: [number, fc.Arbitrary<Intent>][] = [
  [3, fc.record({ kind: is('create'), who: writer, bucket, settings: fc.record(settings) })],
  [
    2,
    fc.record({
      kind: is('update'),
      who: writer,
      bucket,
      settings: fc.record(settings, { requiredKeys: [] }),
    }),
  ],
  [1, fc.record({ kind: is('empty'), who: writer, bucket })],
  [1, fc.record({ kind: is('drop'), who: writer, bucket, force: fc.boolean() })],
];

const objectIntents: [number, fc.Arbitrary<Intent>][] = [
  [12, fc.record({ kind: is('put'), who: writer, bucket, path: filled, condition, ...body })],
  [
    3,
    fc.record({
      kind: is('remove'),
      who: writer,
      bucket,
      path,
      ifMatch: rarely(content),
    }),
  ],
  [
    2,
    fc.record({
      kind: is('removeMany'),
      who: writer,
      bucket,
      paths: fc.array(path, { minLength: 1, maxLength: 4, size: 'max' }),
    }),
  ],
  [
    10,
    fc.record(
      {
        kind: fc.constantFrom('copy' as const, 'move' as const),
        who: writer,
        from: filledPlace,
        to: place,
        overwrite: fc.constantFrom(true, true, false),
        metadata,
      },
      { requiredKeys: ['kind', 'who', 'from', 'to', 'overwrite'] },
    ),
  ],
  [
    6,
    fc.record({
      kind: is('patch'),
      who: writer,
      bucket,
      path: filled,
      changes: fc.record(
        { metadata, cache, type: fc.option(type, { freq: 3 }) },
        { requiredKeys: [] },
      ),
      ifMatch: rarely(content),
      ifVersion: rarely(back),
    }),
  ],
  [2, fc.record({ kind: is('read'), who: reader, bucket, path })],
  [2, fc.record({ kind: is('list'), who: reader, bucket })],
];

const signedIntents: [number, fc.Arbitrary<Intent>][] = [
  [
    4,
    fc
      .record({
        kind: is('sign'),
        who: fc.constantFrom<Who>('alice', 'alice', 'bob', 'service', 'nobody'),
        bucket,
        path: filled,
        operation: fc.constantFrom('download' as const, 'upload' as const),
        once: fc.boolean(),
        upsert: fc.boolean(),
        maxBytes: fc.constantFrom(null, null, 5000),
        version: rarely(back),
      })
      .map((one) => (one.operation === 'upload' ? { ...one, version: null } : one)),
  ],
  [4, fc.record({ kind: is('look'), token: back })],
  [3, fc.record({ kind: is('putSigned'), token: back, ...body })],
  [1, fc.record({ kind: is('revokeToken'), who: writer, token: back })],
  [
    1,
    fc.record({
      kind: is('revokeAll'),
      who: writer,
      bucket,
      path: orNone(path),
      before: orNone(back),
    }),
  ],
];

/** Null three times of four. */
function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
}

/** Null as often as not. */
function orNone<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof(fc.constant(null), arbitrary);
}

function is<const Kind extends string>(kind: Kind): fc.Arbitrary<Kind> {
  return fc.constant(kind);
}

export const intents: fc.Arbitrary<Intent> = fc.oneof(
  ...[...bucketIntents, ...objectIntents, ...signedIntents].map(([weight, arbitrary]) => ({
    weight,
    arbitrary,
  })),
);

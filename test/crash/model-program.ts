/** Programs for the model and the store: what several clients do, and what happens to the machine. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { newBlake3 } from '../../src/blobs/hash.ts';
import type { Fault } from '../support/faulty-disk.ts';
import type { Condition, Operation, Policy, Who, WritePolicy } from './model.ts';

export interface Program {
  readonly fenceRecords: number;
  readonly segmentBytes: number;
  readonly waves: readonly Wave[];
}

/** Clients beside each other, and how the machine ends them. */
export interface Wave {
  readonly clients: readonly (readonly Planned[])[];
  /** Something goes wrong at that many disk calls, of all or of the log's, after the wave began. */
  readonly trouble: Trouble | null;
  readonly ending: Ending;
}

export interface Trouble {
  readonly call: number;
  readonly of: 'the disk' | 'the log';
  readonly fault: Fault;
}

export interface Planned {
  readonly operation: Operation;
  /** Turns of the event loop before it begins. */
  readonly delay: number;
}

export type Ending =
  | { readonly kind: 'go on' }
  | { readonly kind: 'stop in order' }
  | {
      readonly kind: 'kill' | 'power';
      readonly seed: number;
      /** Disk calls after which each of the next starts is stopped as well, in the same way. */
      readonly starts: readonly number[];
      readonly loseViews: boolean;
    };

export interface Content {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly etag: string;
  /** JSON text, told along with the bytes: some of it makes frames of more than a page. */
  readonly metadata: string | null;
}

/** Nothing, a byte, a page and its neighbours, past one CRC block, past what is written in turn. */
const contentBytes = [0, 1, 20, 20, 700, 4096, 4097, 70_000, 300_001, 1_100_000];

export const contents: readonly Content[] = await Promise.all(
  contentBytes.map(async (length, index) => {
    const bytes = Buffer.alloc(length, `${index} is the content of this object; `);
    const hash = await newBlake3();
    hash.update(bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const note = 'metadata of several pages '.repeat(280);
    const metadata = index % 3 === 2 ? JSON.stringify({ index, note }) : null;
    return { bytes, sha256, etag: hash.digest(), metadata };
  }),
);

export const sizes = contents.map(({ bytes }) => bytes.length);
export const bucketNames = ['a', 'b', 'c'];
export const paths = ['p', 'q', 'dir/r', 'dir/ü'];

const bucket = fc.constantFrom('a', 'a', 'a', 'b', 'b', 'c');
const path = fc.constantFrom(...paths);
const writer = fc.constantFrom<Who>('alice', 'alice', 'alice', 'bob', 'service', 'service');
const reader = fc.constantFrom<Who>('alice', 'bob', 'bob', 'service', 'nobody');
const policy = fc.constantFrom<Policy>('private', 'authenticated', 'public');
const writePolicy = fc.constantFrom<WritePolicy>('owner', 'authenticated');
const maxFileSize = fc.constantFrom(null, null, null, 5000);
/** The larger, the rarer. */
const content = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 4 }) },
  { weight: 4, arbitrary: fc.integer({ min: 5, max: 6 }) },
  { weight: 2, arbitrary: fc.constant(7) },
  { weight: 1, arbitrary: fc.integer({ min: 8, max: 9 }) },
);
const condition = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Condition>('none') },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Condition>('if-none-match', 'no-overwrite', 'if-match-any'),
  },
  { weight: 1, arbitrary: content },
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      who: writer,
      bucket,
      settings: fc.record({ policy, write_policy: writePolicy, max_file_size: maxFileSize }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      who: writer,
      bucket,
      settings: fc.record(
        { policy, write_policy: writePolicy, max_file_size: maxFileSize },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('empty' as const), who: writer, bucket }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      who: writer,
      bucket,
      force: fc.boolean(),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      who: writer,
      bucket,
      path,
      content,
      condition,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      who: writer,
      bucket,
      path,
      ifMatch: fc.option(content, { freq: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('read' as const), who: reader, bucket, path }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('list' as const), who: reader, bucket }),
  },
);

const planned = fc.record({
  operation,
  delay: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(30) }),
});

const stop: Fault = { kind: 'stop', before: true };
const stopAfter: Fault = { kind: 'stop', before: false };
const fault = fc.constantFrom<Fault>(
  ...[stop, stop, stop, stop, stopAfter, stopAfter, stopAfter, stopAfter],
  { kind: 'error', code: 'EIO' },
  { kind: 'short', code: 'ENOSPC' },
  { kind: 'lost sync' },
);
const short: Fault = { kind: 'short', code: 'ENOSPC' };
const faultOfLog = fc.constantFrom<Fault>(
  ...[stop, stop, stopAfter, stopAfter, short, short, short],
  { kind: 'lost sync' },
);

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.record({
    of: fc.constant('the disk' as const),
    call: fc.integer({ min: 1, max: 70 }),
    fault,
  }),
  fc.record({
    of: fc.constant('the log' as const),
    call: fc.integer({ min: 1, max: 12 }),
    fault: faultOfLog,
  }),
);

const cut = fc.record({
  kind: fc.constantFrom<'kill' | 'power'>('kill', 'power', 'power'),
  seed: fc.nat(1_000_000),
  starts: fc.oneof(
    { weight: 3, arbitrary: fc.constant<number[]>([]) },
    { weight: 1, arbitrary: fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 2 }) },
  ),
  loseViews: fc.constantFrom(false, false, false, false, false, true),
});

const ending: fc.Arbitrary<Ending> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Ending>({ kind: 'go on' }) },
  { weight: 1, arbitrary: fc.constant<Ending>({ kind: 'stop in order' }) },
  { weight: 5, arbitrary: cut as fc.Arbitrary<Ending> },
);

const wave = fc.record({
  clients: fc.array(fc.array(planned, { minLength: 1, maxLength: 3, size: 'max' }), {
    minLength: 1,
    maxLength: 4,
    size: 'max',
  }),
  trouble: fc.option(trouble, { freq: 2 }),
  ending,
});

/** Something to work on, so that most operations find a bucket. */
const opening: Wave = {
  clients: [
    [created('alice', 'a', 'private'), created('alice', 'b', 'public')],
    [created('bob', 'c', 'authenticated')],
  ],
  trouble: null,
  ending: { kind: 'go on' },
};

function created(who: Who, name: string, policyOf: Policy): Planned {
  const settings = {
    policy: policyOf,
    write_policy: 'authenticated',
    max_file_size: null,
  } as const;
  return { delay: 0, operation: { kind: 'create', who, bucket: name, settings } };
}

export const programs: fc.Arbitrary<Program> = fc.record({
  fenceRecords: fc.constantFrom(1, 3, 10, 1000),
  segmentBytes: fc.constantFrom(2048, 8192, 1_000_000),
  waves: fc
    .array(wave, { minLength: 3, maxLength: 10, size: 'max' })
    .map((waves) => [opening, ...waves]),
});

/** One line an operation, for whoever reads a failure. */
export function renderProgram({ fenceRecords, segmentBytes, waves }: Program): string {
  const lines = waves.flatMap(({ clients, trouble, ending: end }, index) => [
    `wave ${index}: trouble ${JSON.stringify(trouble)}, then ${JSON.stringify(end)}`,
    ...clients.flatMap((plans, client) =>
      plans.map(({ operation: planned, delay }) => {
        return `  client ${client} +${delay}: ${JSON.stringify(planned)}`;
      }),
    ),
  ]);
  return [`fence each ${fenceRecords} records, segments of ${segmentBytes} B`, ...lines].join('\n');
}

/** Programs for the model and the store: what several clients do, and what happens to the machine. */
import fc from 'fast-check';
import type { Fault } from '../../support/faulty-disk.ts';
import { intents } from './intents.ts';
import type { Intent } from './operations.ts';
import type { Policy, Who } from './world.ts';

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

export type Planned = {
  /** Turns of the event loop before it begins. */
  readonly delay: number;
} & (
  | { readonly intent: Intent; readonly key: string | null }
  /** That many back of what had an idempotency key, whatever came of it, under the same key. */
  | { readonly again: number }
);

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

const delay = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(30) },
);
const key = fc.oneof(
  { weight: 7, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.nat(11).map((number) => `key-${number}`) },
);
const planned: fc.Arbitrary<Planned> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ intent: intents, key, delay }) },
  { weight: 1, arbitrary: fc.record({ again: fc.nat(2), delay }) },
);

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
    call: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 70 })),
    fault,
  }),
  fc.record({
    of: fc.constant('the log' as const),
    call: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 12 })),
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

const beside = fc.array(fc.array(planned, { minLength: 1, maxLength: 3, size: 'max' }), {
  minLength: 1,
  maxLength: 4,
  size: 'max',
});
/** All of them want the same at once. */
const rivals = fc
  .tuple(
    fc.array(planned, { minLength: 1, maxLength: 2, size: 'max' }),
    fc.integer({ min: 2, max: 3 }),
  )
  .map(([plans, count]) => Array.from({ length: count }, () => plans));

const wave = fc.record({
  clients: fc.oneof({ weight: 3, arbitrary: beside }, { weight: 1, arbitrary: rivals }),
  trouble: fc.option(trouble, { freq: 2 }),
  ending,
});

/** Something to work on, so that most operations find a bucket, an object and a signed URL. */
const opening: Wave = {
  clients: [
    [
      created('alice', 'a', 'private'),
      uploaded('alice', 'a', 'p'),
      uploaded('alice', 'a', 'q'),
      ...signedBy('alice', 'a', 'p'),
    ],
    [
      created('alice', 'b', 'public'),
      uploaded('alice', 'b', 'p'),
      uploaded('alice', 'b', 'q'),
      ...signedBy('alice', 'b', 'q'),
    ],
    [created('bob', 'c', 'authenticated'), uploaded('bob', 'c', 'p'), uploaded('bob', 'c', 'q')],
  ],
  trouble: null,
  ending: { kind: 'go on' },
};

function plainly(intent: Intent): Planned {
  return { intent, key: null, delay: 0 };
}

function created(who: Who, bucket: string, policy: Policy): Planned {
  const settings = {
    policy,
    write_policy: 'authenticated',
    allowed_mime_types: null,
    max_file_size: null,
  } as const;
  return plainly({ kind: 'create', who, bucket, settings });
}

function uploaded(who: Who, bucket: string, path: string): Planned {
  const body = { content: 2, type: 'text/plain', cache: null, metadata: null };
  return plainly({ kind: 'put', who, bucket, path, condition: 'none', ...body });
}

function signedBy(who: Who, bucket: string, path: string): Planned[] {
  const terms = { once: true, upsert: true, maxBytes: null, version: null };
  return (['download', 'upload'] as const).map((operation) =>
    plainly({ kind: 'sign', who, bucket, path, operation, ...terms }),
  );
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
      plans.map(
        ({ delay: turns, ...what }) => `  client ${client} +${turns}: ${JSON.stringify(what)}`,
      ),
    ),
  ]);
  return [`fence each ${fenceRecords} records, segments of ${segmentBytes} B`, ...lines].join('\n');
}

import { describe, expect, test } from 'vitest';
import {
  type EntityTags,
  evaluateRead,
  type ReadConditions,
  refuseWrite,
  type WriteConditions,
} from '../../src/domain/preconditions.ts';

const strong = (tag: string): EntityTags => [{ tag, weak: false }];
const weak = (tag: string): EntityTags => [{ tag, weak: true }];
const same = strong('e1');
const other = strong('e2');

/** Changed 0.7 s after an HTTP date, which tells whole seconds. */
const stored = { etag: 'e1', updated_at: 60_700 };
const then = 60_000;
const before = 59_000;
const after = 61_000;

type ReadCase = [
  name: string,
  conditions: ReadConditions,
  outcome: ReturnType<typeof evaluateRead>,
];

describe('a read, in the order of RFC 9110 §13.2.2', () => {
  test.each<ReadCase>([
    ['without conditions', {}, 'proceed'],
    ['step 1: If-Match that matches', { ifMatch: same }, 'proceed'],
    ['step 1: If-Match that does not', { ifMatch: other }, 'failed'],
    ['step 1: If-Match of anything', { ifMatch: '*' }, 'proceed'],
    ['step 1: If-Match of no tag', { ifMatch: [] }, 'failed'],
    ['step 1: a weak tag never matches strongly (§13.1.1)', { ifMatch: weak('e1') }, 'failed'],
    [
      'step 1: one of several tags is enough',
      {
        ifMatch: [
          { tag: 'e2', weak: false },
          { tag: 'e1', weak: false },
        ],
      },
      'proceed',
    ],
    ['step 2: unmodified since that second', { ifUnmodifiedSinceMs: then }, 'proceed'],
    ['step 2: unmodified since later', { ifUnmodifiedSinceMs: after }, 'proceed'],
    ['step 2: modified since', { ifUnmodifiedSinceMs: before }, 'failed'],
    [
      'step 2 is left out where If-Match is given',
      { ifMatch: same, ifUnmodifiedSinceMs: before },
      'proceed',
    ],
    [
      'step 1 fails whatever step 2 would say',
      { ifMatch: other, ifUnmodifiedSinceMs: after },
      'failed',
    ],
    ['step 3: If-None-Match that matches', { ifNoneMatch: same }, 'not modified'],
    ['step 3: If-None-Match that does not', { ifNoneMatch: other }, 'proceed'],
    ['step 3: If-None-Match of anything', { ifNoneMatch: '*' }, 'not modified'],
    ['step 3: a weak tag matches weakly (§13.1.2)', { ifNoneMatch: weak('e1') }, 'not modified'],
    ['step 3: If-None-Match of no tag', { ifNoneMatch: [] }, 'proceed'],
    ['step 4: not modified since that second', { ifModifiedSinceMs: then }, 'not modified'],
    ['step 4: not modified since later', { ifModifiedSinceMs: after }, 'not modified'],
    ['step 4: modified since', { ifModifiedSinceMs: before }, 'proceed'],
    [
      'step 4 is left out where If-None-Match is given',
      { ifNoneMatch: other, ifModifiedSinceMs: after },
      'proceed',
    ],
    [
      'step 3 answers whatever step 4 would say',
      { ifNoneMatch: same, ifModifiedSinceMs: before },
      'not modified',
    ],
    ['step 1 comes before step 3', { ifMatch: other, ifNoneMatch: same }, 'failed'],
    ['step 3 comes after step 1', { ifMatch: same, ifNoneMatch: same }, 'not modified'],
    [
      'step 2 comes before step 4',
      { ifUnmodifiedSinceMs: before, ifModifiedSinceMs: after },
      'failed',
    ],
    [
      'step 4 comes after step 2',
      { ifUnmodifiedSinceMs: then, ifModifiedSinceMs: then },
      'not modified',
    ],
    ['step 2 comes before step 3', { ifUnmodifiedSinceMs: before, ifNoneMatch: same }, 'failed'],
    ['step 4 comes after step 1', { ifMatch: same, ifModifiedSinceMs: then }, 'not modified'],
    ['the epoch is a date too', { ifUnmodifiedSinceMs: 0 }, 'failed'],
  ])('%s', (_name, conditions, outcome) => {
    expect(evaluateRead(stored, conditions)).toBe(outcome);
  });
});

type WriteCase = [
  name: string,
  there: 'e1' | undefined,
  conditions: Partial<WriteConditions>,
  outcome: string | undefined,
];

describe('a write', () => {
  test.each<WriteCase>([
    ['overwrites', 'e1', {}, undefined],
    ['adds', undefined, {}, undefined],
    ['adds where it may not overwrite', undefined, { overwrite: false }, undefined],
    ['is refused where it may not overwrite', 'e1', { overwrite: false }, 'KeyAlreadyExists'],
    ['goes on where If-Match matches', 'e1', { ifMatch: same }, undefined],
    ['is refused where If-Match differs', 'e1', { ifMatch: other }, 'PreconditionFailed'],
    ['is refused where If-Match is weak', 'e1', { ifMatch: weak('e1') }, 'PreconditionFailed'],
    ['is refused where If-Match has nothing', undefined, { ifMatch: same }, 'PreconditionFailed'],
    ['is refused where If-Match: * has nothing', undefined, { ifMatch: '*' }, 'PreconditionFailed'],
    ['goes on where If-Match: * has something', 'e1', { ifMatch: '*' }, undefined],
    ['goes on where If-None-Match: * has nothing', undefined, { ifNoneMatch: '*' }, undefined],
    ['is refused by If-None-Match: *', 'e1', { ifNoneMatch: '*' }, 'PreconditionFailed'],
    ['is refused by its own weak tag', 'e1', { ifNoneMatch: weak('e1') }, 'PreconditionFailed'],
    ['goes on where If-None-Match differs', 'e1', { ifNoneMatch: other }, undefined],
    [
      'is told of the failed condition first, as RFC 9110 comes before x-upsert',
      'e1',
      { overwrite: false, ifNoneMatch: '*' },
      'PreconditionFailed',
    ],
    [
      'is refused where the condition holds but it may not overwrite',
      'e1',
      { overwrite: false, ifMatch: same },
      'KeyAlreadyExists',
    ],
    ['goes on where it is unmodified since', 'e1', { ifUnmodifiedSinceMs: then }, undefined],
    [
      'is refused where it was modified',
      'e1',
      { ifUnmodifiedSinceMs: before },
      'PreconditionFailed',
    ],
    ['is refused no date by what is not there', undefined, { ifUnmodifiedSinceMs: 0 }, undefined],
    [
      'looks at no date where If-Match is given',
      'e1',
      { ifMatch: same, ifUnmodifiedSinceMs: before },
      undefined,
    ],
    ['needs both conditions', 'e1', { ifMatch: same, ifNoneMatch: same }, 'PreconditionFailed'],
  ])('%s', (_name, etag, conditions, outcome) => {
    const there = etag && { ...stored, etag };
    expect(refuseWrite(there, { overwrite: true, ...conditions })?.code).toBe(outcome);
  });
});

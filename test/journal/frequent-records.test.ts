import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { CommittedRecord, NewRecord } from '../../src/domain/events.ts';
import type { Position } from '../../src/domain/names.ts';
import { decodeAny, encode, RecordUnreadable } from '../../src/journal/codec.ts';
import { frequentTypes, readFrequent } from '../../src/journal/frequent-records.ts';
import { eventTypes } from '../../src/journal/schemas.ts';
import { RandomLog, type Step } from '../support/random-log.ts';
import { samples } from './samples.ts';
import { variedRecord } from './varied.ts';

/** As the codec packs. */
const packr = new Packr({ useRecords: false, variableMapSize: true });

const at = { position: 7 as Position, timeMs: 1_750_000_000_000, epoch: 3 };

/** What a record of the type may leave out, by its path. */
const nullable: readonly string[] = [
  'actor.sub',
  'actor.request_id',
  'event.bucket.owner_id',
  'event.object.owner_id',
  'event.object.cache_control',
  'event.object.metadata',
  'event.object.created_at',
  'event.previous.owner_id',
  'event.source',
  'event.source.owner_id',
  'event.restored_from',
  'event.token',
  'event.cause',
];

function sample(type: string): NewRecord {
  const found = [...samples.values()].find((record) => record.event.type === type);
  if (!found) throw new Error(`no sample of ${type}`);
  return found;
}

/** Any record of the type, with any of what may be missing left out. */
function anyRecord(type: string): fc.Arbitrary<NewRecord> {
  const previous = type === 'object.stored' ? ['event.previous'] : [];
  const leftOut = fc.subarray(['idempotency', ...previous, ...nullable]);
  return fc.tuple(variedRecord(sample(type)), leftOut).map(([record, paths]) => {
    const copy = structuredClone(record) as unknown as Tree;
    for (const path of paths) leaveOut(copy, path.split('.'));
    return copy as unknown as NewRecord;
  });
}

type Tree = Record<string, unknown>;

function leaveOut(tree: Tree, [name = '', ...rest]: readonly string[]): void {
  if (!(name in tree)) return;
  if (name === 'idempotency') delete tree[name];
  else if (rest.length === 0) tree[name] = null;
  else if (tree[name]) leaveOut(tree[name] as Tree, rest);
}

/** The long way; undefined where the record can't be read at all. */
function longWay(bytes: Uint8Array): NewRecord | undefined {
  try {
    const { position: _p, timeMs: _t, epoch: _e, ...record } = decodeAny(bytes, at);
    return record;
  } catch (fault) {
    if (fault instanceof RecordUnreadable) return undefined;
    throw fault;
  }
}

/** Whatever is read straight is what the long way reads: types of values and order of fields included. */
function expectSame(bytes: Uint8Array): NewRecord | undefined {
  const straight = readFrequent(bytes);
  if (!straight) return undefined;
  const record = longWay(bytes);
  expect(straight).toStrictEqual(record);
  expect(JSON.stringify(straight)).toBe(JSON.stringify(record));
  return straight;
}

describe.each(frequentTypes)('a frequent record of type %s', (type) => {
  it('is read straight, and as the long way reads it, whatever it holds', () => {
    fc.assert(
      fc.property(anyRecord(type), (record) => {
        expect(expectSame(encode(record))).toBeDefined();
      }),
      { numRuns: 300 },
    );
  });

  it('is read as the long way reads it, or not at all, with any of its bytes changed', () => {
    fc.assert(
      fc.property(
        anyRecord(type),
        fc.nat(),
        fc.oneof(fc.nat(255), fc.constantFrom(0xc0, 0xcb, 0xcc, 0xcd, 0xce, 0xd9, 0xda, 0xc4)),
        (record, where, byte) => {
          const bytes = Buffer.from(encode(record));
          bytes[where % bytes.length] = byte;
          expectSame(bytes);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('is not read with any one bit flipped, unless the long way reads the same', () => {
    const bytes = Buffer.from(encode(sample(type)));
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >>> 3) ^ (1 << (bit & 7)), bit >>> 3);
      expectSame(changed);
    }
  });

  it('is not read where it is cut short, or where something follows', () => {
    const bytes = Buffer.from(encode(sample(type)));
    for (let end = 0; end < bytes.length; end += 1) {
      expect(readFrequent(bytes.subarray(0, end))).toBeUndefined();
    }
    expect(readFrequent(Buffer.concat([bytes, Buffer.from([0xc0])]))).toBeUndefined();
  });

  it('goes the long way with a field more, a field of another type, or another version', () => {
    const { event, ...rest } = sample(type);
    const flat = { type, v: 1, actor: rest.actor, idempotency: rest.idempotency };
    const { type: _type, ...own } = event as unknown as Tree & { readonly type: string };
    expect(readFrequent(packr.pack({ ...flat, ...own }))).toBeDefined();
    expect(readFrequent(packr.pack({ ...flat, ...own, extra: 1 }))).toBeUndefined();
    expect(readFrequent(packr.pack({ ...flat, v: 2, ...own }))).toBeUndefined();
    for (const name of Object.keys(own)) {
      expect(readFrequent(packr.pack({ ...flat, ...own, [name]: [1] }))).toBeUndefined();
      expect(readFrequent(packr.pack({ ...flat, ...own, [name]: -1 }))).toBeUndefined();
    }
  });

  it.each([
    ['a byte that is no UTF-8', Buffer.from([0xff])],
    ['an overlong form', Buffer.from([0xc0, 0x80])],
    ['a lone surrogate', Buffer.from([0xed, 0xa0, 0x80])],
    ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf])],
  ])('has its text judged by the long way: %s', (_what, odd) => {
    const record = sample(type);
    const text = 'x'.repeat(odd.length);
    const marked = { ...record, actor: { ...record.actor, sub: `${text}0` } } as NewRecord;
    const bytes = Buffer.from(encode(marked));
    odd.copy(bytes, bytes.indexOf(`${text}0`));
    expectSame(bytes);
  });
});

describe('frequent records', () => {
  it('are what the decisions of the domain lead to, as they are written', () => {
    const steps: Step[] = Array.from({ length: 400 }, (_, n) => [(n * 7) % 100, n, n * 3, n * 5]);
    const { records } = new RandomLog([[0, 0, 0, 0], ...steps]);
    const read = (record: CommittedRecord) => readFrequent(encode(record)) !== undefined;
    for (const type of frequentTypes) {
      const own = records.filter(({ event }) => event.type === type);
      expect(own.length).toBeGreaterThan(10);
      expect(own.every(read)).toBe(true);
    }
  });

  it('leave all other types alone', () => {
    for (const type of eventTypes.filter((name) => !frequentTypes.includes(name))) {
      expect(readFrequent(encode(sample(type)))).toBeUndefined();
    }
  });
});

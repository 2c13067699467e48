import fc from 'fast-check';
import { pack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { NewRecord } from '../../src/domain/events.ts';
import type { Position } from '../../src/domain/names.ts';
import { decode, encode, RecordInvalid, RecordUnreadable } from '../../src/journal/codec.ts';
import { nestsDeeperThan } from '../../src/journal/nesting.ts';
import { eventTypes } from '../../src/journal/schemas.ts';
import {
  currentVersion,
  type RawRecord,
  stepKey,
  type UpcastTable,
} from '../../src/journal/upcasts.ts';
import { samples } from './samples.ts';
import { variedRecord } from './varied.ts';

const at = { position: 7 as Position, timeMs: 1_750_000_000_000, epoch: 3 };

/** Buffer and Uint8Array are one thing here. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

function sample(type: string): NewRecord {
  const found = [...samples.values()].find((record) => record.event.type === type);
  if (!found) throw new Error(`no sample of ${type}`);
  return found;
}

/** The flat map of a sample, as it lies on disk. */
function flat(type: string, changes: object = {}): object {
  const { event, ...rest } = sample(type);
  return { v: 1, ...event, ...rest, ...changes };
}

describe('codec', () => {
  it.each(eventTypes)('brings back any %s as it was', (type) => {
    fc.assert(
      fc.property(variedRecord(sample(type)), (record) => {
        expect(plain(decode(encode(record), at))).toEqual(plain({ ...record, ...at }));
      }),
      { numRuns: 50 },
    );
  });

  it('leaves idempotency out where none was given', () => {
    const { idempotency: _none, ...record } = sample('bucket.created');
    expect(decode(encode(record), at)).not.toHaveProperty('idempotency');
  });

  it('refuses to write a field that the type does not have', () => {
    const record = sample('token.used');
    const odd = { ...record, event: { ...record.event, extra: 1 } } as unknown as NewRecord;
    expect(() => encode(odd)).toThrow(RecordInvalid);
  });

  it('refuses to write a lone surrogate, which MessagePack would change', () => {
    const record = sample('webhook.removed');
    const odd = { ...record, event: { ...record.event, id: 'a\ud800' } } as NewRecord;
    expect(() => encode(odd)).toThrow(/well-formed/);
  });

  it('names position, type and version of a record of an unknown type', () => {
    const error = failure(pack({ ...flat('token.used'), type: 'token.eaten', v: 4 }));
    expect(error).toMatchObject({ position: 7, type: 'token.eaten', v: 4 });
    expect(error.message).toContain('token.eaten v4');
  });

  it.each([0, 2, 99])('refuses version %d of a type at version 1', (v) => {
    expect(failure(pack(flat('token.used', { v })))).toMatchObject({ type: 'token.used', v });
  });

  it.each(['constructor', '__proto__', 'toString'])('takes %s for no type', (type) => {
    expect(failure(pack(flat('token.used', { type })))).toMatchObject({ position: 7 });
  });

  it('refuses a record with a field of another type', () => {
    expect(failure(pack(flat('token.used', { expires_at: '12' }))).message).toContain('expires_at');
  });

  it('refuses a nesting bomb without recursion', () => {
    for (const opening of [0x91, 0x81]) {
      expect(failure(Buffer.alloc(200_000, opening)).message).toContain('nests too deep');
    }
  });

  it('refuses every truncation of a record', () => {
    const bytes = encode(sample('object.stored'));
    for (let end = 0; end < bytes.length; end += 1) failure(bytes.subarray(0, end));
  });

  it('throws nothing but RecordUnreadable for any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void failure(bytes)));
  });

  it('measures the nesting of any value as a recursive walk does', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 6 }), fc.integer({ min: 0, max: 8 }), (value, limit) => {
        expect(nestsDeeperThan(pack(value), limit)).toBe(depthOf(value) > limit);
      }),
    );
  });
});

describe('upcasts', () => {
  /** As if token.used had begun without `path`, at a version before `bucket_uid` was renamed. */
  const table: UpcastTable = {
    current: { 'token.used': 3 },
    steps: new Map<string, (record: RawRecord) => Readonly<Record<string, unknown>>>([
      [stepKey('token.used', 1), ({ uid, ...rest }) => ({ ...rest, bucket_uid: uid })],
      [stepKey('token.used', 2), (record) => ({ ...record, path: '' })],
    ]),
  };
  const { actor } = sample('token.used');
  const old = { type: 'token.used', v: 1, actor, jti: 'j', uid: 'u', expires_at: 5 };

  it('lead an old version step by step to the current one', () => {
    expect(decode(pack(old), at, table).event).toEqual({
      type: 'token.used',
      jti: 'j',
      bucket_uid: 'u',
      path: '',
      expires_at: 5,
    });
  });

  it('refuse a version without a step, and one that is newer', () => {
    expect(() => decode(pack({ ...old, v: 0 }), at, table)).toThrow(RecordUnreadable);
    expect(() => decode(pack({ ...old, v: 4 }), at, table)).toThrow(RecordUnreadable);
  });

  it('leave every type at version 1 today but those of consumers and webhooks', () => {
    const changed = eventTypes.filter((type) => currentVersion(type) !== 1);
    expect(changed).toEqual(['consumer.defined', 'consumer.removed', 'webhook.defined']);
    expect(changed.map((type) => currentVersion(type))).toEqual([2, 2, 2]);
  });

  it('know that only a service makes what has no owner, and which webhooks were paused', () => {
    const { actor } = sample('token.used');
    const filter = { bucket: null, prefix: null, types: null };
    const old = { v: 1, actor, owner_id: null, id: 'w', url: 'https://x', filter, paused: true };
    expect(decode(pack({ ...old, type: 'webhook.defined' }), at).event).toMatchObject({
      owner_role: 'service',
      state: 'paused',
    });
  });
});

function failure(bytes: Uint8Array): RecordUnreadable {
  try {
    decode(bytes, at);
  } catch (error) {
    if (error instanceof RecordUnreadable) return error;
    throw error;
  }
  throw new Error('the record was read');
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const parts = Object.values(value);
  return parts.length === 0 ? 0 : 1 + Math.max(...parts.map(depthOf));
}

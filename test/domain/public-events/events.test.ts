import { describe, expect, it } from 'vitest';
import type { BucketPolicy, BucketRow } from '../../../src/domain/bucket.ts';
import type { Caller } from '../../../src/domain/caller.ts';
import type {
  CommittedRecord,
  EventFilter,
  EventType,
  ObjectMoved,
  ObjectStored,
  StoreEvent,
} from '../../../src/domain/events.ts';
import type { BucketName, BucketUid, ObjectPath, Position } from '../../../src/domain/names.ts';
import { announcementOf } from '../../../src/domain/public-events/announcement.ts';
import { publicEvent } from '../../../src/domain/public-events/public-event.ts';
import { sightOf } from '../../../src/domain/public-events/visibility.ts';
import { samples } from '../../journal/samples.ts';

const timeMs = Date.UTC(2026, 1, 28, 23, 59, 59, 7);
const alice: Caller = { kind: 'user', id: 'alice' };
const bob: Caller = { kind: 'user', id: 'bob' };
const service: Caller = { kind: 'service', id: null };
const all: EventFilter = { bucket: null, prefix: null, types: null };

function sample<T extends EventType>(type: T): Extract<StoreEvent, { type: T }> {
  const found = samples.get(type)?.event;
  if (!found) throw new Error(`no sample of ${type}`);
  return found as Extract<StoreEvent, { type: T }>;
}

function committed(event: StoreEvent): CommittedRecord {
  return {
    event,
    actor: { sub: 'someone', role: 'user', request_id: 'r' },
    position: 42 as Position,
    timeMs,
    epoch: 1_700_000_000_000,
  };
}

interface Hearing {
  readonly caller?: Caller;
  readonly filter?: Partial<EventFilter>;
  readonly today?: readonly Partial<BucketRow>[];
}

/** The event as the caller hears of it; undefined where they don't. */
function hear(event: StoreEvent, { caller = service, filter, today = [] }: Hearing = {}) {
  const announcement = announcementOf(committed(event));
  if (!announcement) return undefined;
  const sight = sightOf(announcement, caller, {
    filters: [{ ...all, ...filter }],
    today: (name) => today.find((bucket) => bucket.name === name) as BucketRow | undefined,
  });
  return sight && publicEvent(announcement, sight);
}

const head = { id: 'evt_1700000000000_42', timestamp: '2026-02-28T23:59:59.007Z', position: 42 };

describe('what a record announces', () => {
  it.each([
    ['bucket.created', 'storage.bucket.created', {}],
    [
      'bucket.updated',
      'storage.bucket.updated',
      { changed: ['policy', 'max_file_size', 'allowed_mime_types'] },
    ],
    ['bucket.emptied', 'storage.bucket.emptied', {}],
    ['bucket.deleted', 'storage.bucket.deleted', {}],
    ['bucket.switched', 'storage.bucket.restored', {}],
  ] as const)('%s is a %s', (type, publicType, more) => {
    const expected = { bucket: 'photos', path: null, object_id: null, owner_id: 'alice' };
    expect(hear(sample(type))).toEqual({ ...head, type: publicType, ...expected, ...more });
  });

  it('an upload over an object, a copy, a bringing back, all in one', () => {
    const stored = sample('object.stored');
    const { object, previous } = stored;
    expect(hear(stored)).toEqual({
      ...head,
      type: 'storage.object.updated',
      bucket: 'photos',
      path: object.path,
      object_id: object.id,
      owner_id: 'alice',
      object: {
        id: object.id,
        bucket: 'photos',
        path: object.path,
        size: object.size,
        content_type: object.content_type,
        owner_id: 'alice',
        etag: object.etag,
        version: object.version,
        cache_control: object.cache_control,
        metadata: JSON.parse(object.metadata ?? '{}'),
        created_at: new Date(object.created_at ?? 0).toISOString(),
        updated_at: head.timestamp,
      },
      previous: { version: previous?.version, size: 0, etag: previous?.etag },
      copied_from: { bucket: 'photos', path: 'source.png', object_id: stored.source?.id },
      restored_from: '3',
    });
  });

  it('a first upload is created, with neither a previous state nor a source', () => {
    const stored = sample('object.stored');
    const { crcs, ...object } = stored.object;
    const first: ObjectStored = {
      ...stored,
      object: { ...object, crcs, created_at: null, metadata: null },
      previous: null,
      source: null,
      restored_from: null,
    };
    const event = hear(first);
    expect(Object.keys(event ?? {})).toEqual([
      'id',
      'type',
      'bucket',
      'path',
      'object_id',
      'owner_id',
      'timestamp',
      'position',
      'object',
    ]);
    expect(event).toMatchObject({
      type: 'storage.object.created',
      object: { created_at: head.timestamp, updated_at: head.timestamp, metadata: {} },
    });
  });

  it('a change of metadata is updated, with what changed', () => {
    const event = hear(sample('object.patched'));
    expect(event).toMatchObject({ type: 'storage.object.updated', changed: ['metadata'] });
    expect(event).toHaveProperty('object.updated_at', head.timestamp);
    expect(event).not.toHaveProperty('previous');
  });

  it('a move says where the object was', () => {
    const moved = sample('object.moved');
    const { version, size, etag } = moved.object;
    expect(hear(moved)).toEqual({
      ...head,
      type: 'storage.object.moved',
      bucket: 'photos',
      path: moved.to.path,
      object_id: moved.object.id,
      owner_id: 'alice',
      previous: { bucket: 'photos', path: 'from.png', version, size, etag },
    });
  });

  it('a deletion says what it was, and of which bucket it went along', () => {
    const deleted = sample('object.deleted');
    const { version, size, etag } = deleted.previous;
    const expected = {
      ...head,
      type: 'storage.object.deleted',
      bucket: 'photos',
      path: deleted.path,
      object_id: deleted.id,
      owner_id: deleted.previous.owner_id,
      previous: { version, size, etag },
    };
    expect(hear(deleted)).toEqual({
      ...expected,
      cause: { type: 'storage.bucket.emptied', position: 6 },
    });
    const alone = { ...deleted, cause: null };
    expect(hear(alone)).toEqual(expected);
    const forced = { type: 'bucket.deleted', position: 6 as Position };
    expect(hear({ ...deleted, cause: forced })).toMatchObject({
      cause: { type: 'storage.bucket.deleted', position: 6 },
    });
  });

  it('what a restore replaced goes without a word', () => {
    const deleted = sample('object.deleted');
    for (const type of ['bucket.switched', 'store.opened', 'restore.abandoned']) {
      expect(hear({ ...deleted, cause: { type, position: 6 as Position } })).toBeUndefined();
    }
  });

  it('every other record is none of the public', () => {
    const heard = new Set(
      [...samples.values()].filter(({ event }) => hear(event)).map(({ event }) => event.type),
    );
    expect([...heard].sort()).toEqual([
      'bucket.created',
      'bucket.deleted',
      'bucket.emptied',
      'bucket.switched',
      'bucket.updated',
      'object.deleted',
      'object.moved',
      'object.patched',
      'object.stored',
    ]);
  });
});

describe('who hears of it', () => {
  const stored = sample('object.stored');
  const { uid } = stored.bucket;
  const withPolicy = (policy: BucketPolicy): ObjectStored => ({
    ...stored,
    bucket: { ...stored.bucket, policy },
    source: null,
  });
  const today = (policy: BucketPolicy, more: Partial<BucketRow> = {}) => [
    { uid, name: 'photos' as BucketName, policy, owner_id: 'carol', ...more },
  ];

  it.each([
    ['private', undefined, ['alice', 'service']],
    ['authenticated', undefined, ['alice', 'bob', 'service']],
    ['public', undefined, ['alice', 'bob', 'service']],
    // Closed since: what was open then is not shown any more.
    ['public', 'private', ['alice', 'service']],
    ['authenticated', 'private', ['alice', 'service']],
    // Opened since: what was closed then stays so.
    ['private', 'public', ['alice', 'service']],
    ['authenticated', 'public', ['alice', 'bob', 'service']],
  ] as const)('%s then, %s today: %j', (then, now, heardBy) => {
    const callers = { anonymous: { kind: 'anonymous' }, alice, bob, service } as const;
    const heard = Object.entries(callers).filter(([, caller]) =>
      hear(withPolicy(then), { caller, today: now ? today(now) : [] }),
    );
    expect(heard.map(([name]) => name)).toEqual(heardBy);
  });

  it('the policy of another bucket under the old name is no word on it', () => {
    const other = today('private', { uid: 'another' as BucketUid });
    expect(hear(withPolicy('public'), { caller: bob, today: other })).toBeDefined();
  });

  it('a bucket is heard of by those who see it', () => {
    const created = sample('bucket.created');
    expect(hear(created, { caller: bob })).toBeUndefined();
    expect(hear(created, { caller: alice })).toBeDefined();
    const open = {
      ...created,
      bucket: { ...created.bucket, write_policy: 'authenticated' },
    } as const;
    expect(hear(open, { caller: bob })).toBeDefined();
    expect(hear(open, { caller: bob, today: today('private', { write_policy: 'owner' }) })).toBe(
      undefined,
    );
  });

  it('a source that the caller may not read is left out', () => {
    const copy = withPolicy('public');
    const source = stored.source;
    if (!source) throw new Error('the sample is no copy');
    const copied = {
      ...copy,
      source: { ...source, path: 'hidden' as ObjectPath, owner_id: 'carol' },
    };
    const toBob = hear(copied, { caller: bob });
    expect(toBob).toBeDefined();
    expect(JSON.stringify(toBob)).not.toContain('hidden');
    const hers = { ...copied, source: { ...copied.source, owner_id: 'alice' } };
    expect(hear(hers, { caller: alice })).toHaveProperty('copied_from.path', 'hidden');
  });
});

describe('a move between a bucket that is seen and one that is not', () => {
  const sampled = sample('object.moved');
  const moved = (from: BucketPolicy, to: BucketPolicy): ObjectMoved => ({
    ...sampled,
    from: {
      ...sampled.from,
      path: 'before/x' as ObjectPath,
      bucket: { ...sampled.from.bucket, policy: from, name: 'old' as BucketName },
    },
    to: {
      ...sampled.to,
      path: 'behind/x' as ObjectPath,
      bucket: { ...sampled.to.bucket, policy: to, name: 'new' as BucketName },
    },
  });

  it('into sight: it does not say from where', () => {
    const event = hear(moved('private', 'public'), { caller: bob });
    expect(event).toMatchObject({ bucket: 'new', path: 'behind/x' });
    expect(JSON.stringify(event)).not.toMatch(/old|before/);
    expect(event).not.toHaveProperty('previous');
  });

  it('out of sight: it does not say where to', () => {
    const event = hear(moved('public', 'private'), { caller: bob });
    expect(event).toMatchObject({
      bucket: null,
      path: null,
      previous: { bucket: 'old', path: 'before/x' },
    });
    expect(JSON.stringify(event)).not.toMatch(/new|behind/);
  });

  it('out of sight of both: nothing', () => {
    expect(hear(moved('private', 'private'), { caller: bob })).toBeUndefined();
    expect(hear(moved('private', 'private'), { caller: alice })).toMatchObject({
      path: 'behind/x',
      previous: { path: 'before/x' },
    });
  });

  it('no filter finds out about the side that is not seen', () => {
    const filters = [
      { filter: { bucket: 'old' }, side: 'from' },
      { filter: { prefix: 'before/' }, side: 'from' },
      { filter: { bucket: 'new' }, side: 'to' },
      { filter: { prefix: 'behind/' }, side: 'to' },
    ] as const;
    for (const { filter, side } of filters) {
      expect(hear(moved('public', 'public'), { caller: bob, filter })).toBeDefined();
      const hidden = side === 'from' ? moved('private', 'public') : moved('public', 'private');
      expect(hear(hidden, { caller: bob, filter })).toBeUndefined();
    }
  });

  it('each side is decided by its own bucket of today', () => {
    const { uid } = sampled.from.bucket;
    const closed = {
      uid,
      name: 'old' as BucketName,
      policy: 'private',
      owner_id: 'carol',
    } as const;
    const event = hear(moved('public', 'public'), { caller: bob, today: [closed] });
    expect(event).toMatchObject({ bucket: 'new' });
    expect(event).not.toHaveProperty('previous');
  });
});

describe('a filter', () => {
  const deleted = sample('object.deleted');
  const created = sample('bucket.created');

  it.each([
    [{}, true, true],
    [{ bucket: 'photos' }, true, true],
    [{ bucket: 'photo' }, false, false],
    [{ prefix: '' }, true, true],
    [{ prefix: 'été/' }, true, false],
    [{ prefix: 'Été/' }, false, false],
    [{ types: ['storage.object.deleted'] }, true, false],
    [{ types: ['storage.object.created', 'storage.bucket.created'] }, false, true],
    [{ types: [] }, false, false],
  ] as const)('%j', (filter, object, bucket) => {
    expect(hear(deleted, { filter }) !== undefined).toBe(object);
    expect(hear(created, { filter }) !== undefined).toBe(bucket);
  });
});

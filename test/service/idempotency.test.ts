/** What a request with an idempotency key promises, on a whole store, also after a restart. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BucketName, ObjectPath } from '../../src/domain/names.ts';
import type { Result } from '../../src/domain/result.ts';
import { hashOfRequest } from '../../src/service/idempotency.ts';
import type { Call } from '../../src/service/service.ts';
import { createBucket, get, key, openRig, pathsIn, put, type Rig, user } from '../support/rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
  await createBucket(rig, user('alice'), 'a');
});
afterEach(() => rig.close());

const a = 'a' as BucketName;
const settings = {
  policy: 'private',
  write_policy: 'owner',
  allowed_mime_types: null,
  max_file_size: null,
} as const;

/** A call that asks for `asked` under `word`. */
async function keyed(word: string, asked: unknown = 'same', sub = 'alice'): Promise<Call> {
  const request_hash = await hashOfRequest([asked]);
  return { ...user(sub), idempotency: { key: word, request_hash } };
}

const upload = (call: Call, path: string, text = 'text') =>
  put(rig, call, { bucket: 'a', path, bytes: Buffer.from(text) });
const codeOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.rejection.code);
const head = () => rig.store.views.applied;
const staged = () => rig.disk.paths().filter((path) => path.includes('/staging/'));

/** Each mutation, and something that would make a second time tell. */
const mutations: Record<
  string,
  { act(call: Call): Promise<Result<unknown>>; after?(): Promise<unknown> }
> = {
  'an upload': {
    act: (call) => upload(call, 'new'),
    after: () => upload(user('alice'), 'new', 'later'),
  },
  'a delete': {
    act: (call) => rig.store.service.objects.remove(call, key('a', 'old')),
    after: () => upload(user('alice'), 'old', 'later'),
  },
  'a delete of many': {
    act: (call) => rig.store.service.objects.removeMany(call, a, ['old', 'none'] as ObjectPath[]),
    after: () => upload(user('alice'), 'old', 'later'),
  },
  'a delete of many that finds none': {
    act: (call) => rig.store.service.objects.removeMany(call, a, ['none'] as ObjectPath[]),
    after: () => upload(user('alice'), 'none', 'later'),
  },
  'a copy': {
    act: (call) =>
      rig.store.service.objects.copy(call, {
        source: key('a', 'old'),
        target: key('a', 'copy'),
        overwrite: false,
      }),
    after: () => rig.store.service.objects.remove(user('alice'), key('a', 'old')),
  },
  'a move': {
    act: (call) =>
      rig.store.service.objects.move(call, {
        source: key('a', 'old'),
        target: key('a', 'moved'),
        overwrite: false,
      }),
    after: () => upload(user('alice'), 'old', 'later'),
  },
  'a change of metadata': {
    act: (call) =>
      rig.store.service.objects.patch(call, key('a', 'old'), { changes: { metadata: '{"a":1}' } }),
    after: () =>
      rig.store.service.objects.patch(user('alice'), key('a', 'old'), {
        changes: { metadata: null },
      }),
  },
  'a change that changes nothing': {
    act: (call) =>
      rig.store.service.objects.patch(call, key('a', 'old'), { changes: { metadata: null } }),
    after: () =>
      rig.store.service.objects.patch(user('alice'), key('a', 'old'), {
        changes: { metadata: '{"a":1}' },
      }),
  },
  'a bucket': {
    act: (call) => rig.store.service.buckets.create(call, 'new' as BucketName, settings),
    after: () =>
      rig.store.service.buckets.remove(user('alice'), 'new' as BucketName, { force: false }),
  },
  'settings of a bucket': {
    act: (call) => rig.store.service.buckets.update(call, a, { policy: 'public' }),
    after: () => rig.store.service.buckets.update(user('alice'), a, { policy: 'private' }),
  },
  'settings that the bucket has': {
    act: (call) => rig.store.service.buckets.update(call, a, { policy: 'private' }),
    after: () => rig.store.service.buckets.update(user('alice'), a, { policy: 'public' }),
  },
  'an emptied bucket': {
    act: (call) => rig.store.service.buckets.empty(call, a),
    after: () => upload(user('alice'), 'old', 'later'),
  },
  'a deleted bucket': {
    act: (call) => rig.store.service.buckets.remove(call, a, { force: true }),
    after: () => createBucket(rig, user('alice'), 'a'),
  },
};

describe.each(Object.entries(mutations))('%s', (_name, { act, after }) => {
  beforeEach(async () => {
    await upload(user('alice'), 'old');
  });

  it('is done once for its key, whatever happened since, and after a restart', async () => {
    const call = await keyed('k');
    const first = await act(call);
    expect(codeOf(first)).toBe('ok');
    await after?.();
    await rig.store.settled();
    const position = head();
    expect(await act(call)).toEqual(first);
    await rig.kill();
    await rig.open();
    const opened = head();
    expect(opened - position).toBe(1);
    expect(await act(call)).toEqual(first);
    rig.views.destroy();
    await rig.close();
    await rig.open();
    const rebuilt = head();
    expect(await act(call)).toEqual(first);
    expect(head()).toBe(rebuilt);
    expect(staged()).toEqual([]);
  });

  it('is done once however many ask at the same time', async () => {
    const call = await keyed('k');
    const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => act(call)));
    expect(first && codeOf(first)).toBe('ok');
    for (const other of others) expect(other).toEqual(first);
    expect(staged()).toEqual([]);
  });
});

describe('a key', () => {
  it('that asked for something else is refused, and nothing happens', async () => {
    await upload(await keyed('k', 'one'), 'x');
    const position = head();
    expect(codeOf(await upload(await keyed('k', 'two'), 'x'))).toBe('IdempotencyConflict');
    // The same request line with other bytes.
    expect(codeOf(await upload(await keyed('k', 'one'), 'x', 'other'))).toBe('IdempotencyConflict');
    const removal = await rig.store.service.objects.remove(await keyed('k', 'rm'), key('a', 'x'));
    expect(codeOf(removal)).toBe('IdempotencyConflict');
    expect(head()).toBe(position);
    expect(staged()).toEqual([]);
  });

  it('belongs to its caller', async () => {
    await createBucket(rig, user('alice'), 'open', { write_policy: 'authenticated' });
    const at = (sub: string) => ({ bucket: 'open', path: sub, bytes: Buffer.from(sub) });
    expect(codeOf(await put(rig, await keyed('k', 'x', 'alice'), at('alice')))).toBe('ok');
    expect(codeOf(await put(rig, await keyed('k', 'x', 'bob'), at('bob')))).toBe('ok');
    expect(await pathsIn(rig, user('alice'), 'open')).toEqual(['alice']);
  });

  it('of a refused request may be used again: nothing was done', async () => {
    const copy = async () =>
      rig.store.service.objects.copy(await keyed('k'), {
        source: key('a', 'late'),
        target: key('a', 'copy'),
        overwrite: false,
      });
    expect(codeOf(await copy())).toBe('NoSuchKey');
    await upload(user('alice'), 'late');
    expect(codeOf(await copy())).toBe('ok');
  });

  it('is forgotten after 24 hours', async () => {
    const call = await keyed('k');
    await upload(call, 'x');
    const first = head();
    rig.advance(24 * 60 * 60 * 1000);
    expect(codeOf(await upload(call, 'x'))).toBe('ok');
    expect(head()).toBeGreaterThan(first);
  });

  it('keeps the first content, whatever a repeat came after', async () => {
    const call = await keyed('k');
    await upload(call, 'x', 'first');
    await upload(user('alice'), 'x', 'second');
    expect(codeOf(await upload(call, 'x', 'first'))).toBe('ok');
    expect(await get(rig, call, { bucket: 'a', path: 'x' })).toEqual(Buffer.from('second'));
  });
});

/** What a receiver is sent, how often, and in which order. */
import { describe, expect, test } from 'vitest';
import { tryAfterMs } from '../../../src/domain/webhooks/retry.ts';
import { user } from '../../support/rig.ts';
import { receiver, type WebhookRig, webhookRig, withBucket } from './webhook-rig.ts';

const alice = user('alice');
const bob = user('bob');
const dead = 'https://dead.example/';

const statusOf = async ({ rig }: WebhookRig, id: string) => {
  const found = await rig.store.service.webhooks.get(alice, id);
  if (!found.ok) throw new Error(found.rejection.code);
  return found.value;
};

const isCreated = { types: ['storage.object.created'] };

describe('a webhook', () => {
  test('is sent each event that its owner may hear of and that it asked for, once, in order', async () => {
    const store = await withBucket(alice);
    await store.put(alice, 'before');
    await store.make(alice, receiver, { prefix: 'p' });
    await store.make(bob, 'https://bob.example/');
    for (const path of ['p1', 'other', 'p2', 'p1', 'p3']) await store.put(alice, path);
    await store.sees(['p1', 'p2', 'p1', 'p3']);
    expect(store.paths('https://bob.example/')).toEqual([]);
    const types = store.sent.map(({ event }) => event.type);
    expect(types[2]).toBe('storage.object.updated');
    for (const { id, event, headers } of store.sent) {
      expect(id).toBe(event.id);
      expect(headers).toMatchObject({
        'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
        'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
      });
    }
  });

  test('is tried again with the same id by the schedule, and what comes next waits for it', async () => {
    const store = await withBucket(alice);
    const { id } = await store.make(alice, receiver, isCreated);
    store.answer = () => (store.sent.length < 4 ? 503 : 204);
    await store.put(alice, '1');
    await store.put(alice, '2');
    await store.pass(5_000);
    expect((await statusOf(store, id)).progress).toMatchObject({
      trying: { tries: 1 },
      last: { delivered: false, status: 503 },
    });
    await store.pass(300_000);
    await store.pass(1_800_000);
    await store.sees(['1', '1', '1', '1', '2']);
    expect(new Set(store.sent.slice(0, 4).map((one) => one.id)).size).toBe(1);
    expect((await statusOf(store, id)).progress).toMatchObject({ trying: null, parked: [] });
  });

  test.each([301, 302, 307, 400, 404, 500])('takes %d for no delivery', async (status) => {
    const store = await withBucket(alice);
    await store.make(alice, receiver, isCreated);
    store.answer = () => status;
    await store.put(alice, '1');
    await store.pass(5_000);
    await store.sees(['1', '1']);
  });

  test('is left alone for as long as its receiver asks', async () => {
    const store = await withBucket(alice);
    await store.make(alice, receiver, isCreated);
    store.answer = () => ({ kind: 'answered', status: 429, retryAfter: '7200' });
    await store.put(alice, '1');
    await store.pass(7_200_000);
    await store.sees(['1', '1']);
  });

  test('that fails ten times parks the event and goes on with the next', async () => {
    const store = await withBucket(alice);
    const { id } = await store.make(alice, receiver, isCreated);
    store.answer = ({ event }) => (event.path === '1' ? { kind: 'failed', error: 'timeout' } : 200);
    await store.put(alice, '1');
    await store.put(alice, '2');
    for (const ms of tryAfterMs.slice(1)) await store.pass(ms);
    await store.sees([...Array(10).fill('1'), '2']);
    const { progress } = await statusOf(store, id);
    expect(progress.parked).toMatchObject([{ tries: 10, last: { error: 'timeout' }, due: false }]);
    expect(progress.trying).toBeNull();
  });

  test('whose receiver never answers holds up no other', async () => {
    const store = await withBucket(alice);
    await store.make(alice, dead, isCreated);
    await store.make(alice, receiver, isCreated);
    store.answer = ({ url }) => (url === dead ? new Promise(() => {}) : 200);
    for (const path of ['1', '2', '3']) await store.put(alice, path);
    await store.sees(['1', '2', '3']);
    expect(store.paths(dead)).toEqual(['1']);
    await store.rig.close();
  });

  test('is not told at the next try what was closed to its owner meanwhile', async () => {
    const store = await webhookRig();
    const { buckets } = store.rig.store.service;
    const name = 'open' as never;
    await buckets.create(alice, name, {
      policy: 'authenticated',
      write_policy: 'owner',
      allowed_mime_types: null,
      max_file_size: null,
    });
    await store.make(bob, receiver, isCreated);
    store.answer = () => (store.sent.length < 2 ? 500 : 200);
    await store.put(alice, 'secret', 'open');
    await store.sees(['secret']);
    await buckets.update(alice, name, { policy: 'private' });
    await store.pass(5_000);
    await buckets.update(alice, name, { policy: 'authenticated' });
    await store.put(alice, 'shown', 'open');
    await store.sees(['secret', 'shown']);
  });
});

describe('410', () => {
  test('disables the webhook, by a record, until it is resumed; nothing is lost', async () => {
    const store = await withBucket(alice);
    const { id } = await store.make(alice, receiver, isCreated);
    store.answer = () => (store.sent.length < 2 ? 410 : 200);
    await store.put(alice, '1');
    await store.put(alice, '2');
    await store.sees(['1']);
    await expect
      .poll(async () => (await statusOf(store, id)).webhook)
      .toMatchObject({ state: 'disabled', reason: expect.stringContaining('410') });
    const { webhooks } = store.rig.store.service;
    expect(await webhooks.setState(alice, id, 'active')).toMatchObject({ ok: true });
    await store.pass(5_000);
    await store.sees(['1', '1', '2']);
    expect((await statusOf(store, id)).webhook.reason).toBeNull();
  });
});

describe('a paused webhook', () => {
  test('is sent nothing, and all of it once it is resumed', async () => {
    const store = await withBucket(alice);
    const { id } = await store.make(alice, receiver, isCreated);
    const { webhooks } = store.rig.store.service;
    await store.put(alice, '1');
    await store.sees(['1']);
    await webhooks.setState(alice, id, 'paused');
    await store.put(alice, '2');
    await store.put(alice, '3');
    expect(store.paths()).toEqual(['1']);
    await webhooks.setState(alice, id, 'active');
    await store.sees(['1', '2', '3']);
  });
});

describe('a replay', () => {
  test('tries what is parked once more, the oldest first, and stops at the first failure', async () => {
    const store = await withBucket(alice);
    const { id } = await store.make(alice, receiver, isCreated);
    let isDown = true;
    store.answer = () => (isDown ? 500 : 200);
    for (const path of ['1', '2']) {
      await store.put(alice, path);
      for (const ms of tryAfterMs.slice(1)) await store.pass(ms);
    }
    await expect.poll(async () => (await statusOf(store, id)).progress.parked.length).toBe(2);
    const { webhooks } = store.rig.store.service;
    store.sent.length = 0;
    expect(await webhooks.replay(alice, id, {})).toMatchObject({ value: { replayed: 2 } });
    await store.sees(['1']);
    await expect
      .poll(async () => (await statusOf(store, id)).progress.parked)
      .toMatchObject([
        { tries: 11, due: false },
        { tries: 10, due: false },
      ]);
    isDown = false;
    const [, second] = (await statusOf(store, id)).progress.parked;
    const positions = second ? [second.place.position] : [];
    expect(await webhooks.replay(alice, id, { positions })).toMatchObject({
      value: { replayed: 1 },
    });
    await store.sees(['1', '2']);
    await webhooks.replay(alice, id, {});
    await store.sees(['1', '2', '1']);
    await expect.poll(async () => (await statusOf(store, id)).progress.parked).toEqual([]);
  });

  test('from a place sends all that follows again, under the same ids', async () => {
    const store = await withBucket(alice);
    const { id } = await store.make(alice, receiver, isCreated);
    for (const path of ['1', '2']) await store.put(alice, path);
    await store.sees(['1', '2']);
    const { webhooks } = store.rig.store.service;
    await webhooks.replay(alice, id, { from: { kind: 'beginning' } });
    await store.sees(['1', '2', '1', '2']);
    const ids = store.sent.map((one) => one.id);
    expect(ids.slice(2)).toEqual(ids.slice(0, 2));
    const gone = { kind: 'after', position: 1 as never, epoch: 5 } as const;
    expect(await webhooks.replay(alice, id, { from: gone })).toMatchObject({
      rejection: { code: 'PositionGone' },
    });
  });
});

describe('after a stop', () => {
  test('in good order, a webhook goes on with the next event, and waits on where it waited', async () => {
    const store = await withBucket(alice);
    await store.make(alice, receiver, isCreated);
    await store.put(alice, '1');
    await store.sees(['1']);
    store.answer = () => 500;
    await store.put(alice, '2');
    await store.sees(['1', '2']);
    await store.rig.close();
    await store.rig.open();
    store.answer = () => 200;
    await store.pass(5_000);
    await store.sees(['1', '2', '2']);
  });

  test('by kill -9, nothing is missing: the last second may come again, under the same ids', async () => {
    const store = await withBucket(alice);
    await store.make(alice, receiver, isCreated);
    for (const path of ['1', '2', '3']) await store.put(alice, path);
    await store.sees(['1', '2', '3']);
    await store.rig.kill();
    await store.rig.open();
    await store.put(alice, '4');
    await expect.poll(() => store.paths().at(-1)).toBe('4');
    const again = store.paths().slice(3);
    expect(['1234', '234', '34', '4']).toContain(again.join(''));
    const idOf = (path: string) =>
      new Set(store.sent.flatMap((one) => (one.event.path === path ? [one.id] : [])));
    for (const path of ['1', '2', '3', '4']) expect(idOf(path).size).toBe(1);
  });
});

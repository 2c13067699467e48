import { afterEach, describe, expect, it } from 'vitest';
import type { PublicEvent } from '../../../src/domain/public-events/public-event.ts';
import type { StreamLimits } from '../../../src/service/subscriptions/subscriptions.ts';
import {
  createBucket,
  get,
  key,
  nobody,
  openRig,
  put,
  type Rig,
  service,
  user,
} from '../../support/rig.ts';
import { behind, brief, heard, listen, listening, take } from './listener.ts';

const alice = user('alice');
const bytes = Buffer.from('some bytes');
let rig: Rig;

async function begin(streams: StreamLimits = {}) {
  rig = await openRig({ store: { streams } });
}

afterEach(async () => {
  await rig.close();
});

async function putAll(paths: readonly string[], call = alice, bucket = 'b') {
  for (const path of paths) await put(rig, call, { bucket, path, bytes });
}

const numbers = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `p${String(from + index).padStart(5, '0')}`);

function expectInOrder(events: readonly PublicEvent[]) {
  const positions = events.map(({ position }) => position);
  expect(positions).toEqual([...new Set(positions)].sort((left, right) => left - right));
}

describe('a subscription', () => {
  it('gives out what was, then what comes, each once and in order', async () => {
    await begin();
    await createBucket(rig, alice, 'b');
    await putAll(numbers(20));
    const subscription = await listening(rig, alice);
    const past = await take(subscription, (_, caughtUp) => caughtUp);
    expect(past).toHaveLength(21);
    const coming = take(subscription, (events) => events.length >= 5);
    await putAll(numbers(5, 20));
    const all = [...past, ...(await coming)];
    expect(all.map(({ path }) => path)).toEqual([null, ...numbers(25)]);
    expectInOrder(all);
    subscription.close();
  });

  it('says that it has caught up once, also where nothing was', async () => {
    await begin();
    const subscription = await listening(rig, alice, { from: { kind: 'now' } });
    const first = await subscription.next();
    expect(first?.ok && first.value).toMatchObject({ events: [], caughtUp: true });
    const next = subscription.next();
    await createBucket(rig, alice, 'b');
    const second = await next;
    expect(second?.ok && second.value.caughtUp).toBe(false);
    expect(second?.ok && second.value.events).toHaveLength(1);
    subscription.close();
  });

  it('goes on exactly behind any event, also in the middle of a frame', async () => {
    await begin();
    await createBucket(rig, alice, 'b');
    await putAll(numbers(7));
    const paths = numbers(7).map((path) => key('b', path).path);
    await rig.store.service.objects.removeMany(alice, key('b', 'x').bucket, paths);
    const all = await heard(rig, alice);
    expect(all.slice(-7).map(brief)).toEqual(numbers(7).map((path) => `object.deleted b/${path}`));
    for (const [index, { position, id }] of all.entries()) {
      const epoch = Number(id.split('_')[1]);
      const rest = await heard(rig, alice, { from: behind(position, epoch) });
      expect(rest).toEqual(all.slice(index + 1));
    }
  });

  it('misses nothing where memory holds only a few frames', async () => {
    await begin({ recentBytes: 20_000 });
    await createBucket(rig, alice, 'b');
    const subscription = await listening(rig, alice);
    const slow = await listening(rig, alice);
    const received: PublicEvent[] = [];
    const slowly: PublicEvent[] = [];
    for (let round = 0; round < 12; round += 1) {
      await putAll(numbers(10, round * 10));
      received.push(
        ...(await take(
          subscription,
          (events) => received.length + events.length >= 1 + (round + 1) * 10,
        )),
      );
      // One batch in three rounds: it falls behind what is held, reads the log, and comes back.
      if (round % 3 === 2) {
        const due = 1 + (round + 1) * 10;
        slowly.push(...(await take(slow, (events) => slowly.length + events.length >= due)));
      }
    }
    expect(received.map(({ path }) => path)).toEqual([null, ...numbers(120)]);
    expect(slowly).toEqual(received);
    subscription.close();
    slow.close();
  });

  it('tells all of a frame that is larger than a batch, read from the log', async () => {
    await begin();
    await createBucket(rig, alice, 'b');
    await putAll(numbers(300));
    const paths = numbers(300).map((path) => key('b', path).path);
    await rig.store.service.objects.removeMany(alice, key('b', 'x').bucket, paths);
    await putAll(['last']);
    const all = await heard(rig, alice, { filter: { types: ['storage.object.deleted'] } });
    expect(all.map(({ path }) => path)).toEqual(numbers(300));
    const whole = await heard(rig, alice);
    expect(whole).toHaveLength(602);
    expectInOrder(whole);
  }, 60_000);

  it('repeats nothing when it falls behind once more, wherever its last batch of the log ended', async () => {
    await begin({ recentBytes: 20_000 });
    await createBucket(rig, alice, 'b');
    const level = await listening(rig, alice, { from: { kind: 'now' } });
    await putAll(numbers(180));
    const head = (await take(level, (events) => events.length >= 180)).at(-1)?.position ?? 0;
    const probe = await listening(rig, alice, { from: behind(head - 170) });
    const batch = await probe.next();
    const size = batch?.ok ? batch.value.events.length : 0;
    expect(size).toBeLessThan(160);
    // One of them has a batch that is full just where memory begins.
    const subscriptions = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        listening(rig, alice, { from: behind(head - size - index) }),
      ),
    );
    const firsts: PublicEvent[][] = [];
    for (const one of subscriptions) firsts.push(await take(one, (_, caughtUp) => caughtUp));
    await putAll(numbers(12, 180));
    await take(level, (events) => events.length >= 12);
    for (const [index, one] of subscriptions.entries()) {
      const rest = await take(one, (events) => events.at(-1)?.path === 'p00191');
      const all = [...(firsts[index] ?? []), ...rest];
      expect(all.map(({ path }) => path)).toEqual(numbers(size + index + 12, 180 - size - index));
    }
    for (const one of [level, probe, ...subscriptions]) one.close();
  });

  it('many at once, each behind by another measure, hear the same', async () => {
    await begin({ recentBytes: 60_000 });
    await createBucket(rig, alice, 'b');
    await putAll(numbers(60));
    const all = await heard(rig, alice);
    const subscriptions = await Promise.all(
      all.map(({ position }) => listening(rig, alice, { from: behind(position) })),
    );
    const writing = putAll(numbers(30, 60));
    const rests = await Promise.all(
      subscriptions.map((subscription, index) =>
        take(subscription, (events) => events.length >= 60 - index + 30),
      ),
    );
    await writing;
    const whole = await heard(rig, alice);
    expect(rests).toEqual(all.map((_, index) => whole.slice(index + 1)));
    for (const subscription of subscriptions) subscription.close();
  });

  it('shows an event only once its object can be read', async () => {
    await begin();
    await createBucket(rig, alice, 'b');
    const subscription = await listening(rig, alice, { from: { kind: 'now' } });
    const writing = putAll(numbers(30));
    let seen = 0;
    while (seen < 30) {
      for (const { path } of await take(subscription, (events) => events.length > 0)) {
        expect(await get(rig, alice, { bucket: 'b', path: path ?? '' })).toEqual(bytes);
        seen += 1;
      }
    }
    await writing;
    subscription.close();
  });

  it('tells how far it is behind, and that it is not', async () => {
    await begin();
    await createBucket(rig, alice, 'b');
    const subscription = await listening(rig, alice, { from: { kind: 'now' } });
    await take(subscription, (_, caughtUp) => caughtUp);
    expect(subscription.lag()).toEqual({ events: 0, ms: 0 });
    await putAll(numbers(3));
    expect(subscription.lag().events).toBe(3);
    expect(subscription.lag().ms).toBeGreaterThan(0);
    await take(subscription, (events) => events.length >= 3);
    expect(subscription.lag()).toEqual({ events: 0, ms: 0 });
    subscription.close();
  });

  it('passes what was given out only when it is asked for more', async () => {
    await begin();
    await createBucket(rig, alice, 'b');
    const subscription = await listening(rig, alice);
    const start = subscription.at.position;
    const batch = await subscription.next();
    expect(subscription.at.position).toBe(start);
    const through = batch?.ok ? batch.value.through : undefined;
    const next = subscription.next();
    expect(subscription.at).toEqual(through);
    subscription.close();
    expect(await next).toBeUndefined();
  });
});

describe('where a subscription begins', () => {
  it('refuses what the log does not hold, with what it does', async () => {
    await begin();
    const { position } = (await createBucket(rig, alice, 'b')).ok
      ? await createBucket(rig, alice, 'c').then((made) => (made.ok ? made.value : { position: 0 }))
      : { position: 0 };
    const [event] = await heard(rig, alice);
    const epoch = Number(event?.id.split('_')[1]);
    const codeOf = async (from: ReturnType<typeof behind>) => {
      const opened = await listen(rig, alice, { from });
      if (opened.ok) opened.value.close();
      return opened.ok ? 'open' : opened.rejection;
    };
    const gone = { code: 'PositionGone', facts: { oldest: 1, newest: position } };
    expect(await codeOf(behind(position))).toBe('open');
    expect(await codeOf(behind(position, epoch))).toBe('open');
    expect(await codeOf(behind(0))).toBe('open');
    expect(await codeOf(behind(position + 1))).toMatchObject(gone);
    expect(await codeOf(behind(position + 1, epoch))).toMatchObject(gone);
    expect(await codeOf(behind(position, epoch + 1))).toMatchObject(gone);
    expect(await codeOf(behind(0, epoch))).toMatchObject(gone);
  });

  it('knows the epoch of each record after a restart', async () => {
    await begin();
    await createBucket(rig, alice, 'b');
    const [before] = await heard(rig, alice);
    await rig.close();
    await rig.open();
    await createBucket(rig, alice, 'c');
    const events = await heard(rig, alice);
    const epochs = events.map(({ id }) => Number(id.split('_')[1]));
    expect(events[0]).toEqual(before);
    expect(epochs[1]).toBeGreaterThan(epochs[0] ?? 0);
    const [first, second] = events.map(({ position }) => position);
    const mixed = await listen(rig, alice, { from: behind(second ?? 0, epochs[0]) });
    expect(mixed.ok).toBe(false);
    expect(await heard(rig, alice, { from: behind(first ?? 0, epochs[0]) })).toEqual([events[1]]);
  });

  it('refuses callers without credentials and buckets that are not theirs to see', async () => {
    await begin();
    await createBucket(rig, alice, 'mine');
    await createBucket(rig, alice, 'open', { policy: 'public' });
    const codeOf = async (call: typeof alice, bucket: string | null) => {
      const opened = await listen(rig, call, { filter: { bucket } });
      if (opened.ok) opened.value.close();
      return opened.ok ? 'open' : opened.rejection.code;
    };
    expect(await codeOf(nobody, null)).toBe('MissingAuthorization');
    expect(await codeOf(nobody, 'open')).toBe('MissingAuthorization');
    expect(await codeOf(user('bob'), 'mine')).toBe('NoSuchBucket');
    expect(await codeOf(user('bob'), 'none')).toBe('NoSuchBucket');
    expect(await codeOf(user('bob'), 'open')).toBe('open');
    expect(await codeOf(alice, 'mine')).toBe('open');
    expect(await codeOf(service, 'mine')).toBe('open');
  });

  it('opens a bucket to whoever owns an object in it', async () => {
    await begin();
    const name = key('b', 'x').bucket;
    await createBucket(rig, alice, 'b', { write_policy: 'authenticated' });
    await putAll(['his'], user('bob'));
    await putAll(['hers']);
    await rig.store.service.buckets.update(alice, name, { write_policy: 'owner' });
    const events = await heard(rig, user('bob'), { filter: { bucket: 'b' } });
    expect(events.map(brief)).toEqual(['object.created b/his']);
  });

  it('refuses one more than there may be, until one is closed', async () => {
    await begin({ maxSubscribers: 2 });
    const first = await listening(rig, alice);
    const second = await listening(rig, alice);
    const third = await listen(rig, alice);
    expect(third).toMatchObject({ ok: false, rejection: { code: 'Overloaded' } });
    const internal = await listening(rig, alice, { isInternal: true });
    first.close();
    first.close();
    const fourth = await listening(rig, alice);
    expect(rig.store.service.subscriptions.count).toBe(2);
    expect((await listen(rig, alice)).ok).toBe(false);
    for (const one of [second, internal, fourth]) one.close();
    expect(rig.store.service.subscriptions.count).toBe(0);
  });

  it('ends what is open when the store closes', async () => {
    await begin();
    const subscription = await listening(rig, alice, { from: { kind: 'now' } });
    await take(subscription, (_, caughtUp) => caughtUp);
    const next = subscription.next();
    await rig.close();
    expect(await next).toMatchObject({ ok: false, rejection: { code: 'NotReady' } });
    await rig.open();
  });
});

/** Damaged views: nothing is answered from them, and they come back from the log by themselves. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createBucket,
  get,
  key,
  openRig,
  pathsIn,
  put,
  type Rig,
  service,
  user,
} from '../support/rig.ts';

const alice = user('alice');
const bytes = Buffer.from('hello');

let rig: Rig;
let digest: string;

beforeEach(async () => {
  rig = await openRig();
  await createBucket(rig, alice, 'b', { policy: 'private' });
  await createBucket(rig, alice, 'c', { write_policy: 'authenticated' });
  for (const path of ['1', '2', '3']) await put(rig, alice, { bucket: 'b', path, bytes });
  await put(rig, user('bob'), { bucket: 'c', path: 'x', bytes });
  await put(rig, alice, { bucket: 'b', path: '2', bytes: Buffer.from('again') });
  digest = await rig.store.views.digest();
});
afterEach(async () => {
  await rig.close();
  expect(rig.alarms.filter((alarm) => alarm.includes('unhandled'))).toEqual([]);
});

const names = (kind: string) => [...rig.views.rows.keys()].filter((name) => name.startsWith(kind));
const rowOf = (name: string) => rig.views.rows.get(name) ?? Buffer.alloc(0);

/** The row with one bit changed. */
function flipped(row: Buffer, bit = 40): Buffer {
  const changed = Buffer.from(row);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}

async function verify() {
  const started = await rig.store.service.admin.startJob(service, 'views-verify', {});
  if (!started.ok) throw new Error(started.rejection.code);
  return (await rig.store.jobs.ended(started.value.id))?.result;
}

async function isWhole(): Promise<void> {
  expect(await rig.store.views.digest()).toBe(digest);
  expect(rig.store.service.health()).toEqual({ status: 'ready', reasons: [] });
  expect(await verify()).toMatchObject({ ok: true, problems: [] });
}

describe('a row that was changed', () => {
  it('is never answered from: the store is not ready, and then whole again', async () => {
    const [object = ''] = names('o');
    await rig.views.poke(object, flipped(rowOf(object)));
    expect(await get(rig, alice, { bucket: 'b', path: '1' })).toBe('NotReady');
    expect(rig.store.service.health()).toEqual({
      status: 'not_ready',
      reasons: ['the views are being built anew from the log'],
    });
    expect(await pathsIn(rig, alice, 'b')).toEqual(['NotReady']);
    expect((await put(rig, alice, { bucket: 'b', path: 'n', bytes })).ok).toBe(false);
    await rig.store.settled();
    expect(await get(rig, alice, { bucket: 'b', path: '1' })).toEqual(bytes);
    await isWhole();
  });

  it('is met by a list, a bucket, a decision and an opening alike', async () => {
    const reads = [
      ['o', () => pathsIn(rig, alice, 'b').then(([path]) => path)],
      ['b', () => get(rig, alice, { bucket: 'b', path: '1' })],
      ['o', () => rig.store.service.objects.remove(alice, key('b', '1')).then(codeOf)],
      [
        't',
        () =>
          rig.store.service.buckets
            .remove(alice, key('b', 'x').bucket, { force: true })
            .then(codeOf),
      ],
      [
        'k',
        () => get(rig, alice, { bucket: 'b', path: '1' }).catch((fault) => fault.rejection?.code),
      ],
    ] as const;
    for (const [kind, read] of reads) {
      for (const name of names(kind)) await rig.views.poke(name, flipped(rowOf(name)));
      expect(await read(), kind).toBe('NotReady');
      await rig.store.settled();
      await isWhole();
    }
  });

  it('whatever bit of it: no read tells another value', async () => {
    const [object = ''] = names('o');
    const row = rowOf(object);
    for (let bit = 0; bit < row.length * 8; bit += 1) {
      await rig.views.poke(object, flipped(row, bit));
      expect(await get(rig, alice, { bucket: 'b', path: '1' }), `bit ${bit}`).toBe('NotReady');
      await rig.store.settled();
    }
    await isWhole();
  });
});

describe('a check of the views', () => {
  it.each(['o', 't', 'w', 'c', 'r', 'k'])(
    'finds a row of the kind %s that vanished',
    async (kind) => {
      const [name = ''] = names(kind);
      await rig.views.poke(name, undefined);
      const found = await verify();
      expect(found).toMatchObject({ ok: false });
      await rig.store.settled();
      await isWhole();
    },
  );

  it('finds all rows of a keyspace gone together with their totals', async () => {
    const [first = ''] = names('t');
    const keyspace = first.slice(1);
    for (const name of [...names('o'), ...names('t')]) {
      if (name.slice(1, 9) === keyspace) await rig.views.poke(name, undefined);
    }
    expect(await verify()).toMatchObject({ ok: false });
    await rig.store.settled();
    await isWhole();
  });

  it('finds a damaged row, and one that stands where another should', async () => {
    const [one = '', two = ''] = names('o');
    await rig.views.poke(one, rowOf(two));
    const found = (await verify()) as { problems: string[] };
    expect(found.problems[0]).toContain('is not what was written');
    await rig.store.settled();
    await isWhole();
  });

  it('keeps a difference that the log itself has as a trouble, and does not rebuild for ever', async () => {
    const [object = ''] = names('o');
    await rig.views.poke(object, undefined);
    // Stored as if nothing were there: the record says so for good.
    expect((await put(rig, alice, { bucket: 'b', path: '1', bytes })).ok).toBe(true);
    expect(await verify()).toMatchObject({ ok: false });
    await rig.store.settled();
    expect(await verify()).toMatchObject({ ok: false });
    expect(rig.store.service.health()).toEqual({
      status: 'degraded',
      reasons: ['the views differ from their totals, also when built anew'],
    });
    expect(await get(rig, alice, { bucket: 'b', path: '1' })).toEqual(bytes);
  });
});

describe('a rebuild while the store runs', () => {
  it('answers writers that wait with the new views, and loses none of them', async () => {
    const writes = Array.from({ length: 20 }, (_, index) =>
      put(rig, alice, { bucket: 'b', path: `w${index}`, bytes }),
    );
    const [object = ''] = names('o');
    await rig.views.poke(object, flipped(rowOf(object)));
    await get(rig, alice, { bucket: 'b', path: '1' });
    const outcomes = await Promise.all(writes);
    await rig.store.settled();
    const stored = outcomes.flatMap(({ ok }, index) => (ok ? [`w${index}`] : []));
    for (const outcome of outcomes) {
      if (!outcome.ok) expect(outcome.rejection.code).toBe('NotReady');
    }
    const paths = await pathsIn(rig, alice, 'b');
    expect(paths).toEqual(['1', '2', '3', ...stored].sort());
    await rig.kill();
    await rig.open();
    expect(await pathsIn(rig, alice, 'b')).toEqual(paths);
  });

  it('is run on demand, and gives the same digest', async () => {
    const started = await rig.store.service.admin.startJob(service, 'views-rebuild', {});
    if (!started.ok) throw new Error(started.rejection.code);
    const job = await rig.store.jobs.ended(started.value.id);
    expect(job).toMatchObject({ state: 'done', result: { applied: rig.store.views.applied } });
    await isWhole();
  });

  it('that is cut off leaves views that the next start builds anew', async () => {
    const [object = ''] = names('o');
    await rig.views.poke(object, flipped(rowOf(object)));
    await get(rig, alice, { bucket: 'b', path: '1' });
    await rig.cutPower(3);
    await rig.open();
    expect(rig.store.report.views).toBe('rebuilt');
    await rig.store.settled();
    await isWhole();
  });
});

function codeOf(result: { ok: boolean; rejection?: { code: string } }): string | undefined {
  return result.rejection?.code;
}

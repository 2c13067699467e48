/** Durable consumers over stops: what was acknowledged stays so, and nothing else is left out. */
import { describe, expect, test } from 'vitest';
import type { EventFilter } from '../../src/domain/events.ts';
import type { Call } from '../../src/service/service.ts';
import {
  createBucket,
  dataDirectory,
  openRig,
  put,
  type Rig,
  type RigOptions,
  user,
} from '../support/rig.ts';

const alice = user('alice');
const everything = { bucket: null, prefix: null, types: null };

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = await openRig(options);
  await createBucket(rig, alice, 'b');
  return rig;
}

const add = (rig: Rig, path: string, call: Call = alice) =>
  put(rig, call, { bucket: 'b', path, bytes: Buffer.from(path) });

const define = (rig: Rig, name: string, filter: Partial<EventFilter> = {}) =>
  rig.store.service.consumers.define(alice, {
    name,
    filter: { ...everything, ...filter },
    from: { kind: 'now' },
  });

/** The next batch of a reader that opens now. */
async function read({ store }: Rig, name: string) {
  const reader = await store.service.consumers.open(alice, name);
  if (!reader.ok) throw new Error(reader.rejection.code);
  const batch = await reader.value.next();
  if (!batch?.ok) throw new Error('it ended');
  reader.value.close();
  return batch.value.events;
}

const pathsOf = (events: Awaited<ReturnType<typeof read>>) => events.map((one) => one.event().path);

async function atOf({ store }: Rig, name: string) {
  const found = await store.service.consumers.get(alice, name);
  if (!found.ok) throw new Error(found.rejection.code);
  return found.value;
}

describe('after a stop', () => {
  test('in good order a consumer goes on behind what it acknowledged, and nothing comes twice', async () => {
    const rig = await opened();
    await define(rig, 'c');
    for (const path of ['1', '2', '3', '4']) await add(rig, path);
    const events = await read(rig, 'c');
    const { consumers } = rig.store.service;
    for (const event of events.slice(0, 3)) await consumers.acknowledge(alice, 'c', event.place);
    await rig.close();
    await rig.open();
    expect(pathsOf(await read(rig, 'c'))).toEqual(['4']);
  });

  test('by kill -9 it may be given again what it acknowledged last, and misses nothing', async () => {
    // The first is written at once; what follows within the second waits for a pause without an end.
    const pause = () => new Promise<void>(() => {});
    const rig = await opened({ store: { pause } });
    await define(rig, 'c');
    for (const path of ['1', '2', '3']) await add(rig, path);
    const [first, second] = await read(rig, 'c');
    if (!first || !second) throw new Error('three were written');
    const { consumers } = rig.store.service;
    await consumers.acknowledge(alice, 'c', first.place);
    await expect
      .poll(() => rig.disk.paths().filter((path) => path.includes('/cursors/')))
      .toHaveLength(1);
    await expect.poll(() => rig.disk.paths().some((path) => path.endsWith('.new'))).toBe(false);
    await consumers.acknowledge(alice, 'c', second.place);
    await rig.kill();
    await rig.open();
    expect(pathsOf(await read(rig, 'c'))).toEqual(['2', '3']);
  });

  test('with a damaged cursor it begins where it was made, and an operator is told', async () => {
    const rig = await opened();
    await define(rig, 'c');
    for (const path of ['1', '2']) await add(rig, path);
    const [first] = await read(rig, 'c');
    if (first) await rig.store.service.consumers.acknowledge(alice, 'c', first.place);
    await rig.close();
    const [cursor = ''] = rig.disk
      .paths()
      .filter((path) => path.startsWith(`${dataDirectory}/cursors/`));
    const file = await rig.disk.files.open(cursor, 'update');
    await file.write([Buffer.from('X')], 5);
    await file.close();
    await rig.open();
    expect(pathsOf(await read(rig, 'c'))).toEqual(['1', '2']);
    expect(rig.alarms.join()).toContain('a cursor was lost');
  });
});

describe('a consumer that was given everything', () => {
  test('is not behind for what is none of its own, while it reads and after it', async () => {
    const rig = await opened();
    await define(rig, 'c', { prefix: 'x/' });
    await add(rig, 'x/1');
    for (const path of ['other', 'another']) await add(rig, path);
    const { consumers } = rig.store.service;
    const reader = await consumers.open(alice, 'c');
    if (!reader.ok) throw new Error(reader.rejection.code);
    const batch = await reader.value.next();
    const [event] = batch?.ok ? batch.value.events : [];
    expect((await atOf(rig, 'c')).lag.events).toBe(3);
    if (event) await consumers.acknowledge(alice, 'c', event.place);
    expect(await atOf(rig, 'c')).toMatchObject({ lag: { events: 0, ms: 0 }, isConnected: true });
    reader.value.close();
    expect(await atOf(rig, 'c')).toMatchObject({ lag: { events: 0, ms: 0 }, isConnected: false });
    await rig.close();
    await rig.open();
    await add(rig, 'x/2');
    expect(pathsOf(await read(rig, 'c'))).toEqual(['x/2']);
  });

  test('but did not acknowledge it is behind by it', async () => {
    const rig = await opened();
    await define(rig, 'c');
    await add(rig, '1');
    await read(rig, 'c');
    expect((await atOf(rig, 'c')).lag.events).toBe(1);
    expect((await atOf(rig, 'c')).lag.ms).toBeGreaterThan(0);
  });
});

/** The consumer routes: definitions, the one stream, acknowledgements, and whom they exist for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SseClient } from '../events/sse-client.ts';
import { type StoreDoor, startStoreDoor } from '../support/store-door.ts';

let door: StoreDoor;
beforeAll(async () => {
  door = await startStoreDoor({ streamTimes: { tickMs: 10, placeMs: 20 } });
  await door.call('/bucket', { method: 'POST', json: { name: 'b' } });
});
afterAll(() => door.close());

const put = (path: string) => door.call(`/object/b/${path}`, { method: 'PUT', body: path });

const define = (name: string, json: object = {}, as = 'ann') =>
  door.call(`/consumers/${name}`, { method: 'PUT', json, as });

const ack = (name: string, id: unknown, as = 'ann') =>
  door.call(`/consumers/${name}/ack`, { method: 'POST', json: { id }, as });

const show = async (name: string) =>
  (await (await door.call(`/consumers/${name}`)).json()) as {
    position: number;
    lag: { events: number; seconds: number };
    connected: boolean;
  };

async function read(name: string, as = 'ann'): Promise<SseClient> {
  const stop = new AbortController();
  const response = await door.call(`/consumers/${name}/events`, { as, signal: stop.signal });
  expect(response.status).toBe(200);
  return new SseClient(response, stop);
}

const pathsOf = (client: SseClient) => client.events.map(({ path }) => path);
const idsOf = (client: SseClient) => client.events.map(({ id }) => String(id));
const codeOf = async (answer: Response) => [
  answer.status,
  ((await answer.json()) as { code: string }).code,
];

describe('a consumer', () => {
  test('is read from where it was made, and from what was acknowledged on', async () => {
    const made = await define('indexer', { bucket: 'b', types: ['storage.object.created'] });
    expect(made.status).toBe(200);
    expect(made.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
    expect(await made.json()).toMatchObject({
      name: 'indexer',
      bucket: 'b',
      prefix: null,
      types: ['storage.object.created'],
      owner_id: 'ann',
    });
    for (const path of ['1', '2', '3']) await put(path);
    const first = await (await read('indexer')).until((client) => client.events.length === 3);
    expect(pathsOf(first)).toEqual(['1', '2', '3']);
    expect((await ack('indexer', idsOf(first)[1])).status).toBe(200);
    first.stop();
    const second = await (await read('indexer')).until((client) => client.events.length === 1);
    expect(pathsOf(second)).toEqual(['3']);
    second.stop();
  });

  test('takes the ids of the stream, too, and moves past what is none of its own', async () => {
    await define('filtered', { prefix: 'f/', from: 'now' });
    await put('f/1');
    const client = await (await read('filtered')).until(({ events }) => events.length === 1);
    for (const path of ['other1', 'other2']) await put(path);
    await client.until(({ blocks }) => blocks.some(({ id, data }) => id && data === undefined));
    expect((await show('filtered')).lag.events).toBeGreaterThan(0);
    const streamId = client.blocks.find(({ data }) => data?.includes('f/1'))?.id;
    expect((await ack('filtered', streamId)).status).toBe(200);
    expect(await show('filtered')).toMatchObject({
      lag: { events: 0, seconds: 0 },
      connected: true,
    });
    client.stop();
  });

  test('tells how far it is behind', async () => {
    await define('late');
    await put('l1');
    await put('l2');
    const { lag } = await show('late');
    expect(lag.events).toBe(2);
    expect(lag.seconds).toBeGreaterThan(0);
  });

  test('that is defined again keeps its cursor, whatever "from" says', async () => {
    await define('kept', { from: 'now' });
    await put('k1');
    const client = await (await read('kept')).until(({ events }) => events.length === 1);
    await ack('kept', idsOf(client)[0]);
    client.stop();
    const { position } = await show('kept');
    await define('kept', { from: 'beginning' });
    expect(await show('kept')).toMatchObject({ position });
  });

  test('whose filter changes ends its reader, who comes back and goes on', async () => {
    await define('changing', { from: 'now' });
    const client = await (await read('changing')).until(
      (one) => one.named('caughtup') !== undefined,
    );
    await define('changing', { prefix: 'only/' });
    await client.over();
    expect(client.named('closing')?.data).toContain('NotReady');
    await put('not');
    await put('only/1');
    const next = await (await read('changing')).until(({ events }) => events.length === 1);
    expect(pathsOf(next)).toEqual(['only/1']);
    next.stop();
  });

  test('has one reader: the older is told and ended, and what it had not acknowledged comes again', async () => {
    await define('shared', { from: 'now' });
    await put('s1');
    const older = await (await read('shared')).until(({ events }) => events.length === 1);
    const newer = await (await read('shared')).until(({ events }) => events.length === 1);
    await older.over();
    expect(JSON.parse(older.named('closing')?.data ?? '{}')).toMatchObject({ code: 'TakenOver' });
    expect(pathsOf(newer)).toEqual(['s1']);
    await put('s2');
    await newer.until(({ events }) => events.length === 2);
    expect(pathsOf(older)).toEqual(['s1']);
    newer.stop();
  });

  test('is not taken over by a HEAD', async () => {
    await define('asked', { from: 'now' });
    const reader = await read('asked');
    const head = await door.call('/consumers/asked/events', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const none = await door.call('/consumers/none/events', { method: 'HEAD' });
    expect(none.status).toBe(404);
    await put('a1');
    await reader.until(({ events }) => events.length === 1);
    expect(reader.named('closing')).toBeUndefined();
    reader.stop();
  });

  test('that is deleted ends its reader; made again under its name it begins anew', async () => {
    await define('gone', { from: 'beginning' });
    const client = await (await read('gone')).until(({ events }) => events.length > 1);
    await ack('gone', idsOf(client).at(-1));
    const removed = await door.call('/consumers/gone', { method: 'DELETE' });
    expect(await removed.json()).toEqual({ message: 'Successfully deleted' });
    await client.over();
    expect(client.named('closing')?.data).toContain('NoSuchRoute');
    expect(await codeOf(await door.call('/consumers/gone'))).toEqual([404, 'NoSuchRoute']);
    await define('gone', { from: 'beginning' });
    expect(await show('gone')).toMatchObject({ position: 0 });
  });
});

describe('an acknowledgement', () => {
  test('that goes back is answered with where the consumer is', async () => {
    await define('back', { from: 'now' });
    await put('b1');
    await put('b2');
    const client = await (await read('back')).until(({ events }) => events.length === 2);
    const [first, second] = idsOf(client);
    client.stop();
    const ahead = (await (await ack('back', second)).json()) as { position: number };
    expect(await (await ack('back', first)).json()).toEqual(ahead);
    expect(await show('back')).toMatchObject(ahead);
  });

  test('of what was not delivered yet is refused', async () => {
    await define('early', { from: 'now' });
    await put('e1');
    const client = await (await read('early')).until(({ events }) => events.length === 1);
    client.stop();
    const [, epoch] = /^evt_(\d+)_/.exec(idsOf(client)[0] ?? '') ?? [];
    const later = Number((await put('e2')).headers.get('x-aerostore-position'));
    expect(await codeOf(await ack('early', `${epoch}-${later}`))).toEqual([400, 'InvalidRequest']);
    const beyond = await ack('early', `${epoch}-999999`);
    expect(beyond.status).toBe(410);
    expect(await beyond.json()).toMatchObject({
      code: 'PositionGone',
      oldest: expect.any(Number),
      newest: expect.any(Number),
    });
    expect(await codeOf(await ack('early', '5-2'))).toEqual([410, 'PositionGone']);
    expect(await codeOf(await ack('early', 'evt_5_2'))).toEqual([410, 'PositionGone']);
  });

  test.each([[''], ['x'], ['5'], ['-5'], ['evt_5'], ['5-5-5'], [5], [null], ['9'.repeat(60)]])(
    '%j is none',
    async (id) => {
      await define('strict');
      expect(await codeOf(await ack('strict', id))).toEqual([400, 'InvalidRequest']);
    },
  );
});

describe('what is refused', () => {
  test.each([
    [{ from: 'x' }, 400],
    [{ from: '1-1' }, 410],
    [{ from: 999_999 }, 410],
    [{ types: ['nothing'] }, 400],
    [{ types: 'storage.object.created' }, 400],
    [{ bucket: 'none' }, 404],
    [{ bucket: '..' }, 400],
    [{ more: 1 }, 400],
  ])('defining by %j: %d', async (body, status) => {
    expect((await define('refused', body)).status).toBe(status);
    expect((await door.call('/consumers/refused')).status).toBe(404);
  });

  test.each(['.hidden', 'a%2Fb', '%20', 'x'.repeat(101), '%'])('the name %s', async (name) => {
    expect((await define(name)).status).toBe(400);
  });

  test('more than a hundred of one owner', async () => {
    for (let index = 0; index < 100; index += 1) await define(`c${index}`, {}, 'many');
    expect((await define('one-more', {}, 'many')).status).toBe(400);
    expect((await define('c5', { prefix: 'x' }, 'many')).status).toBe(200);
  });
});

describe('to others', () => {
  test('a consumer does not exist, and its name is free for them', async () => {
    await define('mine');
    const asks: readonly [string, string, object?][] = [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/events'],
      ['POST', '/ack', { id: '1-1' }],
    ];
    for (const as of ['bob', 'service']) {
      for (const [method, word, json] of asks) {
        const answer = await door.call(`/consumers/mine${word}`, { method, as, json });
        expect(await codeOf(answer), `${as} ${method} ${word}`).toEqual([404, 'NoSuchRoute']);
      }
    }
    for (const [method, word, json] of asks) {
      const answer = await door.call(`/consumers/mine${word}`, { method, as: null, json });
      expect(await codeOf(answer)).toEqual([401, 'MissingAuthorization']);
    }
    expect((await define('mine', {}, 'bob')).status).toBe(200);
    await door.call('/consumers/mine', { method: 'DELETE', as: 'bob' });
    expect((await door.call('/consumers/mine')).status).toBe(200);
  });

  test('lists show what is theirs; the service role’s shows all', async () => {
    await define('listed');
    const names = async (as: string) => {
      const all = (await (await door.call('/consumers', { as })).json()) as { name: string }[];
      return all.map(({ name }) => name);
    };
    expect(await names('ann')).toContain('listed');
    expect(await names('zoe')).toEqual([]);
    expect(await names('service')).toContain('listed');
  });
});

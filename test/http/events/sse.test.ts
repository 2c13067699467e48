import { request } from 'node:http';
import { connect } from 'node:net';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storageEvent } from '../../../src/http/events/schemas.ts';
import { key, user } from '../../support/rig.ts';
import { secret, token, until } from '../support/door.ts';
import { type StoreDoor, type StoreDoorOptions, startStoreDoor } from '../support/store-door.ts';
import { type SseClient, sse } from './sse-client.ts';

const fast = { tickMs: 5, placeMs: 20, beatMs: 60_000, stallMs: 10_000 };
let door: StoreDoor;
let open: SseClient[] = [];

async function start(options: StoreDoorOptions = {}) {
  await door?.close();
  door = await startStoreDoor({ streamTimes: fast, ...options });
}

beforeEach(() => start());
afterEach(async () => {
  for (const client of open) client.stop();
  open = [];
  await door.close();
});

async function listen(
  ...args: Parameters<typeof sse> extends [unknown, ...infer Rest] ? Rest : []
) {
  const client = await sse(door, ...args);
  open.push(client);
  return client;
}

async function bucket(name: string, more: object = {}, as = 'ann') {
  const made = await door.call('/bucket', { method: 'POST', json: { name, ...more }, as });
  expect(made.status).toBe(200);
}

async function put(path: string, as = 'ann', body = 'hello'): Promise<number> {
  const stored = await door.call(`/object/${path}`, {
    method: 'PUT',
    body,
    as,
    headers: { 'content-type': 'text/plain' },
  });
  expect(stored.status, await stored.clone().text()).toBe(200);
  return Number(stored.headers.get('x-aerostore-position'));
}

const caughtUp = (client: SseClient) => client.named('caughtup') !== undefined;
const heard = (count: number) => (client: SseClient) => client.events.length >= count;

describe('the stream', () => {
  it('has the head of a stream that nobody stores or collects', async () => {
    const client = await listen();
    const { headers, status } = client.response;
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-accel-buffering')).toBe('no');
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('x-request-id')).toBeTruthy();
    expect(headers.get('content-length')).toBeNull();
  });

  it('gives each event an id, one line of data and no name, and says when it has caught up', async () => {
    await bucket('b');
    const position = await put('b/été 🎈.txt');
    const client = await listen('?from=beginning');
    await client.until(caughtUp);
    const events = client.blocks.filter(({ data, event }) => data && !event);
    expect(events).toHaveLength(2);
    for (const { id, data } of events) {
      const event = JSON.parse(data ?? '');
      expect(storageEvent.strict().parse(event)).toEqual(event);
      expect(`evt_${id?.replace('-', '_')}`).toBe(event.id);
    }
    expect(client.events[1]).toMatchObject({
      type: 'storage.object.created',
      path: 'été 🎈.txt',
      position,
    });
    expect(client.named('caughtup')?.data).toBe(`{"position":${position}}`);
    await put('b/next');
    await client.until(heard(3));
    expect(client.blocks.filter(({ event }) => event === 'caughtup')).toHaveLength(1);
  });

  it('begins now unless told, and Last-Event-ID counts more than from', async () => {
    await bucket('b');
    await put('b/1');
    const client = await listen();
    await client.until(caughtUp);
    await put('b/2');
    await client.until(heard(1));
    expect(client.events[0]?.path).toBe('2');
    const [, first] = (await (await listen('?from=beginning')).until(heard(3))).blocks.filter(
      ({ id }) => id,
    );
    const again = await listen('?from=beginning', {
      headers: { 'last-event-id': first?.id ?? '' },
    });
    await again.until(caughtUp);
    expect(again.events.map(({ path }) => path)).toEqual(['2']);
    const empty = await listen('?from=beginning', { headers: { 'last-event-id': '' } });
    await empty.until(caughtUp);
    expect(empty.events).toHaveLength(3);
  });

  it('of what is filtered shows only the place, as a block with nothing but an id', async () => {
    await bucket('b');
    await bucket('other');
    const client = await listen('?bucket=b&prefix=a/&types=storage.object.created');
    await client.until(caughtUp);
    const position = await put('other/x');
    await client.until(({ blocks }) => blocks.some(({ id }) => id?.endsWith(`-${position}`)));
    const last = client.blocks.find(({ id }) => id?.endsWith(`-${position}`));
    expect(Object.keys(last ?? {})).toEqual(['id']);
    await put('b/c');
    await put('b/a/1');
    await client.until(heard(1));
    expect(client.events.map(({ path }) => path)).toEqual(['a/1']);
    const resumed = await listen('', { headers: { 'last-event-id': last?.id ?? '' } });
    await resumed.until(heard(2));
    expect(resumed.events.map(({ path }) => path)).toEqual(['c', 'a/1']);
  });

  it('shows a sign of life while nothing happens', async () => {
    await start({ streamTimes: { ...fast, beatMs: 60 } });
    const client = await listen();
    await client.until(({ blocks }) => blocks.filter(({ comment }) => comment === '').length >= 2);
  });

  it('gives a HEAD the same head and no stream', async () => {
    const answer = await door.call('/events', { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await answer.text()).toBe('');
    await until(() => door.rig.store.service.subscriptions.count === 0);
  });

  it('is closed when the client leaves, and then holds nothing', async () => {
    const client = await listen();
    await client.until(caughtUp);
    expect(door.rig.store.service.subscriptions.count).toBe(1);
    client.stop();
    await until(() => door.rig.store.service.subscriptions.count === 0);
  });
});

describe('bad requests', () => {
  const refused = async (query: string, init: { as?: string | null; headers?: object } = {}) => {
    const answer = await door.call(`/events${query}`, init as { as?: string });
    const { code, message, ...rest } = (await answer.json()) as Record<string, unknown>;
    return { status: answer.status, code, message, ...rest };
  };

  it.each([
    ['?from=yesterday'],
    ['?from=-1'],
    ['?from=1-'],
    ['?from=-'],
    ['?from=1-2-3'],
    ['?from=99999999999999999999'],
    ['?from=1e3'],
    ['?from='],
    ['?types=storage.object.created,nonsense'],
    ['?types='],
    ['?bucket=a&bucket=b'],
    [`?prefix=${'x'.repeat(1025)}`],
  ])('%s is 400', async (query) => {
    expect(await refused(query)).toMatchObject({ status: 400, code: 'InvalidRequest' });
  });

  it.each(['x', '1-x', '1 2', '-3', '1-2-3'])('Last-Event-ID %s is 400', async (id) => {
    expect(await refused('', { headers: { 'last-event-id': id } })).toMatchObject({
      status: 400,
      message: expect.stringContaining('Last-Event-ID'),
    });
  });

  it('a bucket that is missing, hidden, or no name', async () => {
    await bucket('hidden', {}, 'bob');
    expect(await refused('?bucket=missing')).toEqual(await refused('?bucket=hidden'));
    expect(await refused('?bucket=hidden')).toMatchObject({ status: 404, code: 'NoSuchBucket' });
    expect(await refused('?bucket=a/b')).toMatchObject({ status: 400, code: 'InvalidBucketName' });
  });

  it('no login, a bad one, or one in the URL', async () => {
    expect(await refused('', { as: null })).toMatchObject({ status: 401 });
    expect(await refused('?bucket=missing', { as: null })).toMatchObject({
      status: 401,
      code: 'MissingAuthorization',
    });
    const bad = { as: null, headers: { authorization: 'Bearer x.y.z' } };
    expect(await refused('', bad)).toMatchObject({ status: 401, code: 'InvalidJWT' });
    const login = await token('ann');
    for (const name of ['token', 'access_token']) {
      const answer = await refused(`?${name}=${login}`, { as: null });
      expect(answer).toMatchObject({ status: 401, code: 'InvalidJWT' });
    }
  });

  it('a place that the log does not have is 410, with what it has', async () => {
    await bucket('b');
    const newest = await put('b/1');
    const client = await listen('?from=beginning');
    await client.until(caughtUp);
    const id = client.blocks.findLast((block) => block.data && block.id)?.id ?? '';
    const [epoch = ''] = id.split('-');
    for (const from of [
      `${newest + 1}`,
      `${epoch}-${newest + 1}`,
      `${Number(epoch) + 1}-${newest}`,
      `${epoch}-0`,
    ]) {
      expect(await refused(`?from=${from}`)).toMatchObject({
        status: 410,
        code: 'PositionGone',
        oldest: 1,
        newest,
      });
    }
    expect((await listen(`?from=${newest}`)).response.status).toBe(200);
    expect((await listen(`?from=${id}`)).response.status).toBe(200);
  });

  it('one subscriber too many is 503, with when to come again', async () => {
    await start({ rig: { store: { streams: { maxSubscribers: 1 } } } });
    const client = await listen();
    await client.until(caughtUp);
    const answer = await door.call('/events');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBeTruthy();
    expect(await answer.json()).toMatchObject({ code: 'Overloaded' });
    client.stop();
    await until(() => door.rig.store.service.subscriptions.count === 0);
    expect((await listen()).response.status).toBe(200);
  });

  it('another method is 405', async () => {
    const answer = await door.call('/events', { method: 'POST', json: {} });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
  });
});

describe('how a stream ends', () => {
  it('with its token: a last word, and a fresh token goes on', async () => {
    await bucket('b');
    const short = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(Math.floor(Date.now() / 1000) + 1)
      .sign(secret);
    const client = await listen('?from=beginning', {
      as: null,
      headers: { authorization: `Bearer ${short}` },
    });
    await client.until(caughtUp);
    await client.over();
    const last = client.blocks.at(-1);
    expect(last?.event).toBe('closing');
    expect(JSON.parse(last?.data ?? '')).toEqual({
      code: 'InvalidJWT',
      message: 'The token has expired',
    });
    await put('b/later');
    const id = client.blocks.findLast((block) => block.id)?.id ?? '';
    const resumed = await listen('', { headers: { 'last-event-id': id } });
    await resumed.until(heard(1));
    expect(resumed.events.map(({ path }) => path)).toEqual(['later']);
  });

  it('with the server: a last word, and the server does not wait for it', async () => {
    const client = await listen();
    await client.until(caughtUp);
    await door.http.close(10_000);
    await client.over();
    expect(client.blocks.at(-1)?.event).toBe('closing');
    expect(JSON.parse(client.blocks.at(-1)?.data ?? '')).toMatchObject({ code: 'NotReady' });
  });

  it('with a client that takes nothing, which costs one batch', async () => {
    await start({ streamTimes: { ...fast, stallMs: 200 } });
    await bucket('b');
    for (let index = 0; index < 8; index += 1) await put(`b/${index}`);
    const socket = connect({ port: Number(new URL(door.origin).port), host: '127.0.0.1' });
    socket.pause();
    socket.write(
      `GET /storage/v1/events?from=beginning HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await token('ann')}\r\n\r\n`,
    );
    const { subscriptions } = door.rig.store.service;
    await until(() => subscriptions.count === 1);
    // The kernel's buffers take the first megabytes.
    let wrote = 0;
    while (subscriptions.count === 1 && wrote < 3_000) {
      const metadata = JSON.stringify({ text: 'y'.repeat(7_000), wrote });
      const { objects } = door.rig.store.service;
      const patches = Array.from({ length: 8 }, (_, index) =>
        objects.patch(user('ann'), key('b', String(index)), { changes: { metadata } }),
      );
      wrote += (await Promise.all(patches)).length;
    }
    await until(() => subscriptions.count === 0);
    socket.destroy();
  }, 60_000);
});

describe('who hears what', () => {
  it('as the policy is when it is given out, whatever it was when it happened', async () => {
    await bucket('shared', { policy: 'authenticated', write_policy: 'authenticated' });
    await put('shared/1');
    const bob = await listen('?from=beginning', { as: 'bob' });
    await bob.until(heard(2));
    await door.call('/bucket/shared', { method: 'PUT', json: { policy: 'private' } });
    await put('shared/2');
    await put('shared/his', 'bob');
    await bob.until(({ events }) => events.some(({ path }) => path === 'his'));
    expect(bob.events.map(({ path }) => path)).toEqual([null, '1', null, 'his']);
    const again = await listen('?from=beginning', { as: 'bob' });
    await again.until(caughtUp);
    expect(again.events.map(({ path }) => path)).toEqual([null, null, 'his']);
    const service = await listen('?from=beginning', { as: 'service' });
    await service.until(caughtUp);
    expect(service.events.map(({ path }) => path)).toEqual([null, '1', null, '2', 'his']);
  });
});

it('an offer of HTTP/2 does not keep anybody from being answered', async () => {
  await bucket('b');
  const authorization = `Bearer ${await token('ann')}`;
  const ask = (method: string, path: string, body?: string) =>
    new Promise<string>((resolve, reject) => {
      const asked = request(`${door.origin}/storage/v1${path}`, {
        method,
        headers: {
          authorization,
          connection: 'Upgrade, HTTP2-Settings',
          upgrade: 'h2c',
          'http2-settings': 'AAMAAABkAAQAAP__',
          ...(body === undefined ? {} : { 'content-length': body.length }),
        },
      });
      asked.once('response', async (response) => {
        let text = `${response.statusCode} `;
        for await (const chunk of response) text += chunk;
        resolve(text);
      });
      asked.once('error', reject);
      asked.end(body);
    });
  const body = 'x'.repeat(200_000);
  expect(await ask('PUT', '/object/b/1', body)).toMatch(/^200 /);
  expect(await ask('GET', '/object/b/1')).toBe(`200 ${body}`);
  expect(await ask('GET', '/object/b/2')).toMatch(/^404 .*NoSuchKey/);
});

import { once } from 'node:events';
import { request } from 'node:http';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { RawClient, secret, token, until } from '../support/door.ts';
import { type StoreDoor, type StoreDoorOptions, startStoreDoor } from '../support/store-door.ts';
import { sse } from './sse-client.ts';

const fast = { tickMs: 5, placeMs: 20, beatMs: 60_000, stallMs: 10_000 };
let door: StoreDoor;
let sockets: WebSocket[] = [];

async function start(options: StoreDoorOptions = {}) {
  await door?.close();
  door = await startStoreDoor({ streamTimes: fast, ...options });
}

beforeEach(() => start());
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  sockets = [];
  await door.close();
});

interface Listener {
  readonly socket: WebSocket;
  readonly messages: Record<string, unknown>[];
  readonly pings: () => number;
  closed(): Promise<{ code: number; reason: string }>;
}

async function listen(query = '', { as = 'ann' }: { as?: string | null } = {}): Promise<Listener> {
  const headers = as === null ? {} : { authorization: `Bearer ${await token(as)}` };
  return listenWith(query, headers);
}

async function listenWith(query: string, headers: Record<string, string>): Promise<Listener> {
  const url = `${door.origin.replace('http', 'ws')}/storage/v1/events${query}`;
  const socket = new WebSocket(url, { headers });
  sockets.push(socket);
  const messages: Record<string, unknown>[] = [];
  let pings = 0;
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  socket.on('ping', () => {
    pings += 1;
  });
  const closing = once(socket, 'close');
  closing.catch(() => undefined);
  await once(socket, 'open');
  return {
    socket,
    messages,
    pings: () => pings,
    async closed() {
      const [code, reason] = await closing;
      return { code, reason: String(reason) };
    },
  };
}

/** The answer to a handshake that is not accepted. */
function handshake(query: string, headers: Record<string, string>, path = '/storage/v1/events') {
  return new Promise<{ status: number; headers: object; body: Record<string, unknown> }>(
    (resolve, reject) => {
      const asked = request(`${door.origin}${path}${query}`, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          ...headers,
        },
      });
      asked.once('upgrade', () => reject(new Error('it was accepted')));
      asked.once('response', async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        const { statusCode: status = 0 } = response;
        resolve({ status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) });
      });
      asked.once('error', reject);
      asked.end();
    },
  );
}

async function bucket(name: string, as = 'ann') {
  const made = await door.call('/bucket', { method: 'POST', json: { name }, as });
  expect(made.status).toBe(200);
}

async function put(path: string) {
  const headers = { 'content-type': 'text/plain' };
  const stored = await door.call(`/object/${path}`, { method: 'PUT', body: 'hello', headers });
  return Number(stored.headers.get('x-aerostore-position'));
}

const caughtUp = ({ messages }: Listener) => messages.some(({ type }) => type === 'caughtup');

describe('events by WebSocket', () => {
  it('are those of the stream, a message each', async () => {
    await bucket('b');
    await put('b/1');
    const listener = await listen('?from=beginning');
    await until(() => caughtUp(listener));
    const position = await put('b/2');
    await until(() => listener.messages.length >= 4);
    const stream = await sse(door, '?from=beginning');
    await stream.until(({ events }) => events.length >= 3);
    stream.stop();
    const { messages } = listener;
    const events = messages.filter(({ type }) => String(type).startsWith('storage.'));
    expect(events).toEqual(stream.events);
    const [up] = messages.filter(({ type }) => type === 'caughtup');
    expect(up).toMatchObject({ position: position - 1 });
    expect(up?.id).toMatch(new RegExp(`^\\d+-${position - 1}$`));
  });

  it('move a filtered subscriber on, and a place resumes', async () => {
    await bucket('b');
    await bucket('other');
    const listener = await listen('?bucket=b');
    await until(() => caughtUp(listener));
    const position = await put('other/x');
    await until(() => listener.messages.some((message) => message.position === position));
    const place = listener.messages.at(-1);
    expect(place).toMatchObject({ type: 'position', position });
    await put('b/1');
    const resumed = await listen(`?from=${String(place?.id)}`);
    await until(() => resumed.messages.length >= 1);
    expect(resumed.messages[0]).toMatchObject({ path: '1' });
  });

  it('are kept alive by pings, and who does not answer one is gone', async () => {
    await start({ streamTimes: { ...fast, beatMs: 400 } });
    const listener = await listen();
    await until(() => listener.pings() >= 2);
    const { subscriptions } = door.rig.store.service;
    const client = new RawClient(
      Number(new URL(door.origin).port),
      [
        'GET /storage/v1/events HTTP/1.1',
        'Host: x',
        `Authorization: Bearer ${await token('ann')}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        '\r\n',
      ].join('\r\n'),
    );
    await client.until(/101 Switching/);
    await client.closed();
    await until(() => subscriptions.count === 1);
    expect(listener.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('leave the log a line and hold nothing when the client leaves', async () => {
    const listener = await listen();
    const { subscriptions } = door.rig.store.service;
    await until(() => subscriptions.count === 1);
    listener.socket.close();
    await until(() => subscriptions.count === 0);
    await until(() => door.lines.some(({ facts }) => facts.status === 101));
    const line = door.lines.find(({ facts }) => facts.status === 101);
    expect(line?.facts).toMatchObject({ route: '/storage/v1/events', caller_id: 'ann' });
  });
});

describe('what a client says', () => {
  it.each([
    ['a message', 'hello', 1008],
    ['a binary message', Buffer.from('hello'), 1003],
    ['a message that is too large', 'x'.repeat(5_000), 1009],
  ] as const)('%s ends it with a code', async (_name, message, code) => {
    const listener = await listen();
    listener.socket.send(message);
    expect((await listener.closed()).code).toBe(code);
    await until(() => door.rig.store.service.subscriptions.count === 0);
    // Nobody else is concerned.
    const other = await listen();
    await until(() => caughtUp(other));
  });
});

describe('how it ends', () => {
  it('with its token', async () => {
    const short = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(Math.floor(Date.now() / 1000) + 1)
      .sign(secret);
    const listener = await listenWith('', { authorization: `Bearer ${short}` });
    expect((await listener.closed()).code).toBe(1008);
    const last = { type: 'closing', code: 'InvalidJWT', message: 'The token has expired' };
    expect(listener.messages.at(-1)).toEqual(last);
  });

  it('with the server, which does not wait for it', async () => {
    const listener = await listen();
    await until(() => caughtUp(listener));
    await door.http.close(10_000);
    expect((await listener.closed()).code).toBe(1001);
    expect(listener.messages.at(-1)).toMatchObject({ type: 'closing', code: 'NotReady' });
  });

  it('with the server at its latest, whatever the client does', async () => {
    const client = new RawClient(
      Number(new URL(door.origin).port),
      `GET /storage/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await token('ann')}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    await client.until(/caughtup/);
    await door.http.close(50);
    await client.closed();
  });
});

describe('a handshake that is refused', () => {
  it('is answered with the usual problem, and the connection ends', async () => {
    await bucket('hidden', 'bob');
    const authorization = `Bearer ${await token('ann')}`;
    const cases = [
      ['?from=x', { authorization }, 400, 'InvalidRequest'],
      ['?bucket=hidden', { authorization }, 404, 'NoSuchBucket'],
      ['?from=999', { authorization }, 410, 'PositionGone'],
      ['', {}, 401, 'MissingAuthorization'],
      ['', { authorization: 'Bearer a.b.c' }, 401, 'InvalidJWT'],
      ['?token=a.b.c', {}, 401, 'InvalidJWT'],
      ['', { authorization, 'sec-websocket-version': '8' }, 400, 'InvalidRequest'],
      ['', { authorization, 'sec-websocket-key': 'short' }, 400, 'InvalidRequest'],
    ] as const;
    for (const [query, headers, status, code] of cases) {
      const answer = await handshake(query, headers);
      expect(answer).toMatchObject({ status, body: { code, statusCode: String(status) } });
      expect(answer.headers).toMatchObject({
        connection: 'close',
        'x-request-id': expect.any(String),
      });
    }
    expect(door.rig.store.service.subscriptions.count).toBe(0);
  });

  it('one subscriber too many', async () => {
    await start({ rig: { store: { streams: { maxSubscribers: 1 } } } });
    await listen();
    const answer = await handshake('', { authorization: `Bearer ${await token('ann')}` });
    expect(answer).toMatchObject({ status: 503, body: { code: 'Overloaded' } });
    expect(answer.headers).toHaveProperty('retry-after');
  });

  it('of a route that has none is answered as the request that it is', async () => {
    const live = await handshake('', {}, '/health/live');
    expect(live).toMatchObject({ status: 200, body: { status: 'live' } });
    const none = await handshake('', {}, '/storage/v1/nothing');
    expect(none).toMatchObject({ status: 404, body: { code: 'NoSuchRoute' } });
  });
});

describe('a token for one connection', () => {
  const make = async (json?: object, as = 'ann') => {
    const answer = await door.call('/events/token', {
      method: 'POST',
      as,
      ...(json ? { json } : {}),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, string> };
  };
  const open = async (query: string) => {
    const answer = await door.call(`/events${query}`, { method: 'HEAD', as: null });
    return answer.status;
  };

  it('opens a stream as its caller, once, for a minute at most', async () => {
    await bucket('b');
    const { status, body } = await make();
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(['expires_at', 'token']);
    const validMs = Date.parse(body.expires_at ?? '') - door.rig.advance(0);
    expect(validMs).toBeLessThanOrEqual(60_000);
    expect(validMs).toBeGreaterThan(50_000);
    const listener = await listen(`?from=beginning&token=${body.token}`, { as: null });
    await until(() => caughtUp(listener));
    expect(listener.messages[0]).toMatchObject({ type: 'storage.bucket.created', bucket: 'b' });
    expect(await open(`?token=${body.token}`)).toBe(401);
  });

  it('is used up by exactly one of many at once', async () => {
    const { body } = await make();
    const tries = await Promise.all(Array.from({ length: 20 }, () => open(`?token=${body.token}`)));
    expect(tries.filter((status) => status === 200)).toHaveLength(1);
    expect(tries.filter((status) => status === 401)).toHaveLength(19);
  });

  it('is not used up by a connection that was refused', async () => {
    const { body } = await make();
    expect(await open(`?token=${body.token}&from=999`)).toBe(410);
    expect(await open(`?token=${body.token}&from=x`)).toBe(400);
    expect(await open(`?token=${body.token}`)).toBe(200);
  });

  it('expires', async () => {
    const { body } = await make();
    door.rig.advance(60_000);
    const answer = await door.call(`/events?token=${body.token}`, { as: null });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(await answer.json()).toMatchObject({ message: 'The token has expired' });
  });

  it('opens what it was made for and no more', async () => {
    await bucket('a');
    await bucket('b');
    await put('a/x/1');
    await put('a/y/1');
    await put('b/x/1');
    const types = ['storage.object.created'];
    const { body } = await make({ bucket: 'a', prefix: 'x/', types });
    const wide = await listen(`?from=beginning&token=${body.token}`, { as: null });
    await until(() => caughtUp(wide));
    expect(wide.messages.map(({ path }) => path)).toEqual(['x/1', undefined]);
    const other = await make({ bucket: 'a', prefix: 'x/', types });
    const outside = await listen(`?from=beginning&prefix=y/&token=${other.body.token}`, {
      as: null,
    });
    await until(() => caughtUp(outside));
    expect(outside.messages.map(({ type }) => type)).toEqual(['caughtup']);
  });

  it('is refused to those who could not listen themselves', async () => {
    await bucket('hidden', 'bob');
    expect(await make({ bucket: 'hidden' })).toMatchObject({ status: 404 });
    expect(await make({ types: ['nonsense'] })).toMatchObject({ status: 400 });
    expect(await make({ nonsense: 1 })).toMatchObject({ status: 400 });
    const anonymous = await door.call('/events/token', { method: 'POST', as: null });
    expect(anonymous.status).toBe(401);
  });

  it('is no signed URL, and a signed URL is no such token', async () => {
    await bucket('b');
    await put('b/1');
    const { body } = await make();
    const download = await door.call(`/object/sign/b/1?token=${body.token}`, { as: null });
    expect(download.status).toBe(403);
    expect(await download.json()).toMatchObject({ code: 'InvalidSignature' });
    const signed = await door.call('/object/sign/b/1', { method: 'POST', json: {} });
    const { token: url } = (await signed.json()) as { token: string };
    expect(await open(`?token=${url}`)).toBe(401);
  });

  it('ends its stream with the login that it was made with', async () => {
    const login = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(Math.floor(Date.now() / 1000) + 2)
      .sign(secret);
    const made = await fetch(`${door.origin}/storage/v1/events/token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${login}` },
    });
    expect(made.status).toBe(200);
    const { token: ours } = (await made.json()) as { token: string };
    const listener = await listen(`?token=${ours}`, { as: null });
    await listener.closed();
    expect(listener.messages.at(-1)).toMatchObject({ type: 'closing', code: 'InvalidJWT' });
  });

  it('counts as a signature, and a bad one as a failed authentication', async () => {
    await start({ limits: { signingPerMinute: 2, authFailuresPerMinute: 2 } });
    await make();
    await make();
    expect(await make()).toMatchObject({ status: 429 });
    expect(await open('?token=a.b.c')).toBe(401);
    expect(await open('?token=a.b.c')).toBe(401);
    expect(await open('?token=a.b.c')).toBe(429);
  });
});

/** Events as programs have them: curl, the eventsource package, ws, the typed client. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ask } from '../support/client.ts';
import { repository, type Server, startServer, temporaryFolder } from '../support/server.ts';
import { makeBucket, put } from '../support/store.ts';
import { user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const token = user('alice');
let server: Server;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

interface Told {
  readonly id: string;
  readonly type: string;
  readonly path: string | null;
  readonly position: number;
}

async function restart(): Promise<void> {
  const { dataDir, port } = server;
  await server.kill();
  server = await startServer({ dataDir, env: { AEROSTORE_PORT: String(port) } });
}

const hasCurl = (() => {
  try {
    execFileSync('curl', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasCurl)('curl -N shows each event at once', async () => {
  const bucket = await makeBucket(server);
  const url = `${server.url}/storage/v1/events?bucket=${bucket}&from=beginning`;
  const curl = spawn('curl', ['-sN', '-H', `Authorization: Bearer ${token}`, url]);
  let text = '';
  curl.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await until('it has caught up', () => text.includes('event: caughtup'));
  await put(server, `${bucket}/a`, { token, body: 'x' });
  await until('the upload is heard', () => text.includes('storage.object.created'));
  expect(text).toMatch(/^id: \d+-\d+\ndata: \{"id":"evt_\d+_\d+","type":"storage.bucket.created"/m);
  const ended = once(curl, 'exit');
  curl.kill();
  await ended;
});

test('the eventsource package goes on by itself where it was, through a kill of the server', async () => {
  const bucket = await makeBucket(server);
  const heard: Told[] = [];
  const source = new EventSource(
    `${server.url}/storage/v1/events?bucket=${bucket}&from=beginning`,
    {
      fetch: (url, init) =>
        fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } }),
    },
  );
  source.onmessage = ({ data, lastEventId }) => {
    const event = JSON.parse(data) as Told;
    expect(`evt_${lastEventId.replace('-', '_')}`).toBe(event.id);
    heard.push(event);
  };
  await put(server, `${bucket}/1`, { token, body: 'x' });
  await until('the first are heard', () => heard.length === 2);
  await restart();
  await put(server, `${bucket}/2`, { token, body: 'x' });
  await until('the next is heard', () => heard.length >= 3, 30_000);
  await put(server, `${bucket}/3`, { token, body: 'x' });
  await until('the last is heard', () => heard.length >= 4);
  expect(heard.map((event) => event.path)).toEqual([null, '1', '2', '3']);
  source.close();
});

test('ws hears the same', async () => {
  const bucket = await makeBucket(server);
  await put(server, `${bucket}/1`, { token, body: 'x' });
  const url = `${server.url.replace('http', 'ws')}/storage/v1/events?bucket=${bucket}&from=beginning`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  const messages: { type: string }[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  await until('it has caught up', () => messages.some(({ type }) => type === 'caughtup'));
  expect(messages.map(({ type }) => type)).toEqual([
    'storage.bucket.created',
    'storage.object.created',
    'caughtup',
  ]);
  const closed = once(socket, 'close');
  socket.close();
  await closed;
});

test('a server that is stopped says so, and stops at once', async () => {
  const own = await startServer();
  const url = `${own.url.replace('http', 'ws')}/storage/v1/events`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  const messages: object[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  const stream = await fetch(`${own.url}/storage/v1/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await until('it is open', () => messages.length > 0);
  const text = stream.text();
  const closed = once(socket, 'close');
  const began = performance.now();
  expect((await own.stop()).code).toBe(0);
  expect(performance.now() - began).toBeLessThan(8_000);
  await closed;
  expect(messages.at(-1)).toMatchObject({ type: 'closing', code: 'NotReady' });
  expect(await text).toMatch(/event: closing\ndata: \{"code":"NotReady"[^\n]*\n\n$/);
});

describe('the typed client', () => {
  test('is an iterator in a program of another package', async () => {
    const bucket = await makeBucket(server);
    const folder = temporaryFolder();
    mkdirSync(path.join(folder, 'node_modules'));
    symlinkSync(repository, path.join(folder, 'node_modules', 'aerostore'));
    const file = path.join(folder, 'program.mjs');
    writeFileSync(
      file,
      `import { createClient } from 'aerostore/client';
const [url, token, bucket] = process.argv.slice(2);
for await (const { path } of createClient({ url, token }).events({ bucket, from: 'beginning' })) {
  console.log(path);
  if (path === 'last') break;
}`,
    );
    const program = spawn(process.execPath, [file, server.url, token, bucket]);
    let output = '';
    program.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    const ended = once(program, 'exit');
    await put(server, `${bucket}/first`, { token, body: 'x' });
    await until('the first is heard', () => output.includes('first'));
    await restart();
    await put(server, `${bucket}/last`, { token, body: 'x' });
    expect(await ended).toEqual([0, null]);
    expect(output).toBe('null\nfirst\nlast\n');
  });
});

test('one subscriber too many is told when to come again', async () => {
  const small = await startServer({ env: { AEROSTORE_LIMIT_SUBSCRIBERS: '1' } });
  const stop = new AbortController();
  const headers = { authorization: `Bearer ${token}` };
  const first = await fetch(`${small.url}/storage/v1/events`, { headers, signal: stop.signal });
  expect(first.status).toBe(200);
  const second = await ask(small, '/events', { token });
  expect(second.status).toBe(503);
  expect(second.headers['retry-after']).toBeDefined();
  stop.abort();
  await until('there is room again', async () => {
    const again = await ask(small, '/events', { method: 'HEAD', token });
    return again.status === 200;
  });
  await small.stop();
});

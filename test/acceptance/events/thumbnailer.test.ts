/** docs/examples/thumbnailer: it does what it says, also after it was killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { decode, encode } from 'fast-png';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import {
  environment,
  repository,
  type Server,
  startServer,
  temporaryFolder,
} from '../support/server.ts';
import { user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const token = user('ann');
const cursorFile = path.join(temporaryFolder(), 'cursor.txt');
let server: Server;
let program: ChildProcess | undefined;
let output = '';

beforeAll(async () => {
  server = await startServer();
  for (const name of ['photos', 'thumbnails']) {
    const made = await ask(server, '/bucket', { method: 'POST', token, json: { name } });
    expect(made.status).toBe(200);
  }
});
afterAll(async () => {
  await kill();
  await server.stop();
});

function start(): void {
  const script = path.join(repository, 'docs/examples/thumbnailer/thumbnailer.mjs');
  program = spawn(process.execPath, [script, 'photos', 'thumbnails', cursorFile], {
    env: { ...environment({}), STORE_URL: server.url, STORE_TOKEN: token },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [program.stdout, program.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
}

async function kill(): Promise<void> {
  if (!program || program.exitCode !== null || program.signalCode !== null) return;
  const ended = once(program, 'exit');
  program.kill('SIGKILL');
  await ended;
}

function png(width: number, height: number): Buffer {
  const data = new Uint8Array(width * height * 4).fill(200);
  return Buffer.from(encode({ width, height, channels: 4, data }));
}

async function upload(name: string, body: Buffer, type = 'image/png') {
  const headers = { 'content-type': type };
  const stored = await ask(server, `/object/photos/${name}`, {
    method: 'PUT',
    token,
    body,
    headers,
  });
  expect(stored.status, stored.text()).toBe(200);
}

const thumbnail = (name: string) => ask(server, `/object/thumbnails/${name}`, { token });

async function sizeOf(name: string) {
  const found = await until(
    `there is a thumbnail of ${name}: ${output}`,
    async () => {
      const reply = await thumbnail(name);
      return reply.status === 200 ? reply : undefined;
    },
    30_000,
  );
  const { width, height } = decode(found.bytes);
  return [width, height];
}

test('pictures from before, from now and from while it was away get their thumbnails', async () => {
  await upload('before.png', png(300, 150));
  start();
  expect(await sizeOf('before.png')).toEqual([128, 64]);
  await upload('a/now.png', png(10, 20));
  await upload('no-picture.txt', Buffer.from('hello'), 'text/plain');
  expect(await sizeOf('a/now.png')).toEqual([10, 20]);
  await kill();
  await upload('away.png', png(64, 256));
  await ask(server, '/object/photos/before.png', { method: 'DELETE', token });
  await ask(server, '/object/move', {
    method: 'POST',
    token,
    json: { bucketId: 'photos', sourceKey: 'a/now.png', destinationKey: 'moved.png' },
  });
  start();
  expect(await sizeOf('away.png')).toEqual([32, 128]);
  expect(await sizeOf('moved.png')).toEqual([10, 20]);
  await until('what is gone has none', async () => {
    const replies = await Promise.all(['before.png', 'a/now.png', 'no-picture.txt'].map(thumbnail));
    return replies.every(({ status }) => status === 404);
  });
  // Nothing from before was done again.
  expect(output.match(/made before\.png/g)).toHaveLength(1);
});

test('it outlives the server, and ends when it is told to', async () => {
  const { dataDir, port } = server;
  await server.kill();
  server = await startServer({ dataDir, env: { AEROSTORE_PORT: String(port) } });
  await upload('later.png', png(1, 1));
  expect(await sizeOf('later.png')).toEqual([1, 1]);
  const ended = once(program as ChildProcess, 'exit');
  program?.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

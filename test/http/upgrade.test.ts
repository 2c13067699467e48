/** Connections that Node hands over without its parser, by clients that do not go by the rules. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDoor, type TestDoor, token } from './support/door.ts';

let door: TestDoor;
beforeEach(async () => {
  door = await startDoor();
});
afterEach(() => door.close());

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`;
const webSocket = lines(
  'GET /storage/v1/events HTTP/1.1',
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
);
const tunnel = lines('CONNECT a.example:443 HTTP/1.1', 'Host: a.example:443');
const http2 = lines(
  'GET /health/live HTTP/1.1',
  'Host: x',
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAA',
);

async function expectAlive() {
  const answer = await fetch(`${door.origin}/health/live`);
  expect(answer.status).toBe(200);
}

describe('pipelined behind a request that is still being answered', () => {
  it.each([
    ['a WebSocket', webSocket],
    ['a tunnel', tunnel],
    ['an offer of HTTP/2', http2],
  ])('%s ends the connection, and nothing else', async (_name, second) => {
    const login = `Authorization: Bearer ${await token('ann')}`;
    const first = lines('GET /storage/v1/bucket HTTP/1.1', 'Host: x', login);
    const client = await door.raw(`${first}${second}`).closed();
    expect(client.text).toBe('');
    await expectAlive();
  });
});

it('a tunnel whose client is gone before it is answered is nobody’s trouble', async () => {
  const port = Number(new URL(door.origin).port);
  for (let round = 0; round < 40; round += 1) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write(tunnel, () => setImmediate(() => socket.resetAndDestroy()));
    await new Promise((resolve) => socket.once('close', resolve));
  }
  await expectAlive();
});

/** Handshakes of WebSockets that come to nothing after they were let in: nothing of them stays. */
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { token, until } from '../support/door.ts';
import { type StoreDoor, startStoreDoor } from '../support/store-door.ts';

let door: StoreDoor;
beforeEach(async () => {
  door = await startStoreDoor();
});
afterEach(() => door.close());

async function shake(more: readonly string[], ends = false): Promise<string> {
  const socket = connect({ port: Number(new URL(door.origin).port), host: '127.0.0.1' });
  socket.on('error', () => undefined);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  const head = [
    'GET /storage/v1/events HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${await token('ann')}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...more,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  if (ends) socket.end();
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

it('one with protocols that are none is refused, and takes no subscriber’s place', async () => {
  const { subscriptions } = door.rig.store.service;
  expect(await shake(['Sec-WebSocket-Protocol: ,,'])).toMatch(/^HTTP\/1\.1 400 /);
  await until(() => subscriptions.count === 0);
});

it('one whose client says no more behind it takes no subscriber’s place', async () => {
  const { subscriptions } = door.rig.store.service;
  for (let round = 0; round < 10; round += 1) await shake([], true);
  await until(() => subscriptions.count === 0);
});

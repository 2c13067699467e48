/** What streams is let go of, however early its answer breaks. */
import { expect, test } from 'vitest';
import { send } from '../../src/http/wire/answer.ts';
import type { Exchange } from '../../src/http/wire/exchange.ts';

test('a head that can not be written ends the stream that was begun', async () => {
  let isLetGo = false;
  async function* bytes() {
    try {
      yield Buffer.from('hello');
    } finally {
      isLetGo = true;
    }
  }
  const outgoing = {
    writeHead() {
      throw new TypeError('Invalid character in header content');
    },
  };
  const exchange = {
    outgoing,
    incoming: { method: 'GET' },
    corsHeaders: {},
    body: { isUnread: false },
    isLast: () => false,
  };
  const body = { sizeBytes: 5, chunks: bytes(), close: async () => {} };
  const sent = send(exchange as unknown as Exchange, { status: 200, headers: {}, body });
  await expect(sent).rejects.toThrow('Invalid character');
  expect(isLetGo).toBe(true);
});

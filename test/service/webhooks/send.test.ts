/** One delivery: what a receiver may do to it, and what it may not. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test } from 'vitest';
import { allowListOf } from '../../../src/service/webhooks/outward/addresses.ts';
import { createSend } from '../../../src/service/webhooks/outward/send.ts';
import { signedHeaders } from '../../../src/service/webhooks/outward/signature.ts';
import type { Resolve } from '../../../src/service/webhooks/outward/target.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function receiver(answer: RequestListener): Promise<{ port: number; server: Server }> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

const here: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];
const never = new AbortController().signal;

function sender({
  allow = ['127.0.0.0/8'],
  resolve = here,
  timeoutMs = 2_000,
}: {
  allow?: string[];
  resolve?: Resolve;
  timeoutMs?: number;
} = {}) {
  const send = createSend({ allow: allowListOf(allow), httpAllowed: true, resolve }, { timeoutMs });
  return (url: string, body = '{}') => send({ url, headers: {}, body }, never);
}

describe('the outcome', () => {
  test.each([200, 204, 299, 302, 400, 410, 500])(
    'is the status %d of the answer',
    async (status) => {
      const { port } = await receiver((_request, answer) => {
        answer.writeHead(status, { location: '/elsewhere', 'retry-after': '7' });
        answer.end();
      });
      const outcome = await sender()(`http://127.0.0.1:${port}/`);
      expect(outcome).toEqual({ kind: 'answered', status, retryAfter: '7' });
    },
  );

  test('of a redirect is the redirect: nothing is followed', async () => {
    const asked: (string | undefined)[] = [];
    const { port } = await receiver((request, answer) => {
      asked.push(request.url);
      answer.writeHead(307, { location: '/again' }).end();
    });
    await sender()(`http://127.0.0.1:${port}/first`);
    expect(asked).toEqual(['/first']);
  });

  test('is a failure where nobody listens, without a word of the address', async () => {
    const { port, server } = await receiver(() => {});
    await new Promise((resolve) => server.close(resolve));
    const outcome = await sender()(`http://name.example:${port}/`);
    expect(outcome).toEqual({ kind: 'failed', error: 'ECONNREFUSED' });
  });

  test('is a time-out where a receiver takes the request and says nothing', async () => {
    const { port } = await receiver(() => {});
    const outcome = await sender({ timeoutMs: 100 })(`http://127.0.0.1:${port}/`);
    expect(outcome).toEqual({ kind: 'failed', error: 'timeout' });
  });

  test('is a time-out where the answer drips', async () => {
    const { port } = await receiver((_request, answer) => {
      answer.writeHead(200);
      const drip = setInterval(() => answer.write('x'), 10);
      answer.once('close', () => clearInterval(drip));
    });
    const outcome = await sender({ timeoutMs: 150 })(`http://127.0.0.1:${port}/`);
    expect(outcome).toEqual({ kind: 'failed', error: 'timeout' });
  });

  test('is a time-out where no name server answers', async () => {
    const resolve: Resolve = () => new Promise(() => {});
    const outcome = await sender({ resolve, timeoutMs: 50 })('http://slow.example/');
    expect(outcome).toEqual({ kind: 'failed', error: 'timeout' });
  });

  test('is a time-out where the receiver changes to another protocol', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      const answer = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: x'];
      socket.once('data', () => socket.write(`${answer.join('\r\n')}\r\n\r\n`));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const outcome = await sender({ timeoutMs: 200 })(`http://127.0.0.1:${port}/`);
    expect(outcome).toEqual({ kind: 'failed', error: 'timeout' });
    server.close();
  });

  test('of an answer without an end is its status, and no more than a little of it is read', async () => {
    let written = 0;
    let closed = () => {};
    const ended = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const { port } = await receiver((_request, answer) => {
      answer.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024);
      const pour = () => {
        while (!answer.destroyed) {
          written += chunk.byteLength;
          if (!answer.write(chunk)) return void answer.once('drain', pour);
        }
      };
      answer.once('close', closed);
      pour();
    });
    const outcome = await sender()(`http://127.0.0.1:${port}/`);
    expect(outcome).toMatchObject({ kind: 'answered', status: 200 });
    await ended;
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });

  test('is a failure where the answer’s head is too large', async () => {
    const { port } = await receiver((_request, answer) => {
      answer.writeHead(200, { 'x-large': 'x'.repeat(60_000) }).end();
    });
    const outcome = await sender()(`http://127.0.0.1:${port}/`);
    expect(outcome).toEqual({ kind: 'failed', error: 'HPE_HEADER_OVERFLOW' });
  });

  test('is none where the sender is stopped', async () => {
    const { port } = await receiver(() => stop.abort(new Error('stopped')));
    const stop = new AbortController();
    const send = createSend({
      allow: allowListOf(['127.0.0.1/32']),
      httpAllowed: true,
      resolve: here,
    });
    const message = { url: `http://127.0.0.1:${port}/`, headers: {}, body: '{}' };
    await expect(send(message, stop.signal)).rejects.toThrow('stopped');
  });
});

describe('before each delivery', () => {
  test('the host is looked at again, and the very address that was looked at is taken', async () => {
    const hosts: (string | undefined)[] = [];
    const { port } = await receiver((request, answer) => {
      expect(request.headers['user-agent']).toBe('aerostore');
      hosts.push(request.headers.host);
      answer.end();
    });
    // No resolver of this machine knows the name: only the address that was looked at leads there.
    const rebinding = [['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1', '169.254.169.254']];
    const resolve: Resolve = async () =>
      (rebinding.shift() ?? []).map((address) => ({ address, family: 4 }) as const);
    const deliver = sender({ resolve });
    const url = `http://rebound.example:${port}/`;
    expect(await deliver(url)).toMatchObject({ kind: 'answered' });
    const refused = { kind: 'failed', error: 'the host may not be reached' };
    expect(await deliver(url)).toEqual(refused);
    expect(await deliver(url)).toEqual(refused);
    expect(await deliver(url)).toEqual({ kind: 'failed', error: 'the host is not known' });
    expect(hosts).toEqual([`rebound.example:${port}`]);
  });

  test('a private address is refused, though it was allowed once', async () => {
    const { port } = await receiver((_request, answer) => answer.end());
    const deliver = sender({ allow: [] });
    expect(await deliver(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'failed' });
    expect(await deliver(`http://localhost:${port}/`)).toMatchObject({ kind: 'failed' });
  });
});

describe('the signature', () => {
  const secrets = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`);
  const body = '{"type":"storage.object.created","path":"ä"}';

  test('is one that the standard’s own library verifies, with each secret', () => {
    const headers = signedHeaders({ id: 'evt_1_2', body, nowMs: Date.now(), secrets });
    for (const secret of secrets) {
      expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    }
    const other = new Webhook(`whsec_${Buffer.alloc(32, 3).toString('base64')}`);
    expect(() => other.verify(body, headers)).toThrow();
    const [first = ''] = secrets;
    expect(() => new Webhook(first).verify(`${body} `, headers)).toThrow();
    expect(() =>
      new Webhook(first).verify(body, { ...headers, 'webhook-id': 'evt_1_3' }),
    ).toThrow();
  });
});

/** Webhooks against the build: verified by the standard's own library, over kill -9, past bad receivers. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { ask } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server as Aerostore, startServer } from '../support/server.ts';
import { makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const alice = user('alice');
const env = { AEROSTORE_WEBHOOK_ALLOW: '127.0.0.1' };

interface Message {
  readonly id: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly event: { readonly type: string; readonly path: string; readonly position: number };
}

type Answer = (answer: ServerResponse, message: Message, request: IncomingMessage) => void;

const receivers: Server[] = [];
afterEach(() => {
  for (const receiver of receivers.splice(0)) {
    receiver.close();
    receiver.closeAllConnections();
  }
});

async function receiver(reply: Answer = (answer) => void answer.end()) {
  const got: Message[] = [];
  const server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const headers = request.headers as Record<string, string>;
      const message = { id: headers['webhook-id'] ?? '', headers, body, event: JSON.parse(body) };
      got.push(message);
      reply(answer, message, request);
    });
  });
  receivers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { got, port, url: `http://127.0.0.1:${port}/in` };
}

async function make(server: Aerostore, url: string, more: object = {}) {
  const json = { url, types: ['storage.object.created'], ...more };
  const reply = await ask(server, '/webhooks', { method: 'POST', token: alice, json });
  expect(reply.status, reply.text()).toBe(200);
  return reply.json() as { id: string; secret: string };
}

const show = async (server: Aerostore, id: string) =>
  (await ask(server, `/webhooks/${id}`, { token: alice })).json();

const paths = (got: readonly Message[]) => got.map(({ event }) => event.path);

/** In the order of their first coming. */
const firsts = (got: readonly Message[]) => [...new Set(paths(got))];

describe('a receiver', () => {
  let server: Aerostore;
  beforeAll(async () => {
    server = await startServer({ env });
  });
  afterAll(() => server?.kill());

  test('verifies each event by the standard’s library, with the old secret and the new', async () => {
    const { got, url } = await receiver();
    const bucket = await makeBucket(server);
    const { id, secret } = await make(server, url, { bucket });
    await put(server, `${bucket}/ä/1`, { token: alice, body: '1' });
    await until('the event comes', () => got.length === 1);
    const rotated = await ask(server, `/webhooks/${id}/rotate`, { method: 'POST', token: alice });
    const { secret: next } = rotated.json() as { secret: string };
    await put(server, `${bucket}/2`, { token: alice, body: '2' });
    await until('the next comes', () => got.length === 2);
    const [first, second] = got;
    if (!first || !second) throw new Error('two came');
    expect(new Webhook(secret).verify(first.body, first.headers)).toMatchObject({
      id: first.id,
      type: 'storage.object.created',
      bucket,
      path: 'ä/1',
    });
    for (const key of [secret, next]) new Webhook(key).verify(second.body, second.headers);
    expect(() => new Webhook(next).verify(first.body, first.headers)).toThrow();
    expect(second.headers['content-type']).toBe('application/json');
  });

  test('hears only what its maker may see', async () => {
    const { got, url } = await receiver();
    await make(server, url, { prefix: 'secret/' });
    const bobs = await makeBucket(server, { owner: 'bob' });
    const own = await makeBucket(server);
    await put(server, `${bobs}/secret/of-bob`, { token: user('bob'), body: 'x' });
    await put(server, `${own}/secret/of-alice`, { token: alice, body: 'x' });
    await until('the event comes', () => got.length > 0);
    expect(paths(got)).toEqual(['secret/of-alice']);
  });

  test('that fails is tried again a few seconds later, under the same id', async () => {
    const { got, url } = await receiver((answer) => {
      answer.statusCode = got.length === 1 ? 500 : 200;
      answer.end();
    });
    const bucket = await makeBucket(server);
    const { id } = await make(server, url, { bucket });
    await put(server, `${bucket}/1`, { token: alice, body: '1' });
    await put(server, `${bucket}/2`, { token: alice, body: '2' });
    await until('it is tried again', () => got.length === 3, 20_000);
    expect(paths(got)).toEqual(['1', '1', '2']);
    expect(got[0]?.id).toBe(got[1]?.id);
    expect(await show(server, id)).toMatchObject({ tries: 0, last: { delivered: true } });
  });

  test('that says that it is gone is told nothing more', async () => {
    const { got, url } = await receiver((answer) => {
      answer.writeHead(410).end();
    });
    const bucket = await makeBucket(server);
    const { id } = await make(server, url, { bucket });
    await put(server, `${bucket}/1`, { token: alice, body: '1' });
    await until('it is disabled', async () => (await show(server, id)).state === 'disabled');
    await put(server, `${bucket}/2`, { token: alice, body: '2' });
    expect(paths(got)).toEqual(['1']);
  });

  test('that hangs, drips, redirects to itself or has no end holds up no other', async () => {
    const bucket = await makeBucket(server);
    const bad = await Promise.all([
      receiver(() => {}),
      receiver((answer) => {
        answer.writeHead(200);
        const drip = setInterval(() => answer.write('.'), 50);
        answer.once('close', () => clearInterval(drip));
      }),
      receiver((answer) => void answer.writeHead(308, { location: '/in' }).end()),
      receiver((answer) => {
        const pour = () => {
          while (!answer.destroyed) if (!answer.write(Buffer.alloc(65_536))) return;
        };
        answer.on('drain', pour);
        pour();
      }),
    ]);
    const hooks: { id: string }[] = [];
    for (const { url } of bad) hooks.push(await make(server, url, { bucket }));
    const good = await receiver();
    await make(server, good.url, { bucket });
    const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
    for (const name of names) await put(server, `${bucket}/${name}`, { token: alice, body: name });
    await until('the good one has all', () => good.got.length === names.length);
    expect(paths(good.got)).toEqual(names);
    const [hanging, dripping, redirecting, endless] = bad;
    // One delivery of each is under way or was told; none is followed, none comes twice at once.
    expect([hanging?.got.length, dripping?.got.length]).toEqual([1, 1]);
    await until('the redirect is told', async () => {
      const { last } = (await show(server, hooks[2]?.id ?? '')) as { last: { status: number } };
      return last?.status === 308;
    });
    expect(redirecting?.got.length).toBe(1);
    await until('what has no end is cut off', () => endless?.got.length === names.length);
  });

  test('is tested, listed and replayed by the command line', async () => {
    const { got, url } = await receiver();
    const bucket = await makeBucket(server);
    const { id } = await make(server, url, { bucket });
    await put(server, `${bucket}/1`, { token: alice, body: '1' });
    await until('the event comes', () => got.length === 1);
    const tested = await ask(server, `/webhooks/${id}/test`, { method: 'POST', token: alice });
    expect(tested.json()).toMatchObject({ delivered: true, status: 200 });
    const at = ['--url', server.url, '--token', service];
    const listed = await aerostore(['webhooks', 'list', '--json', ...at]);
    expect(listed.code, listed.stderr).toBe(0);
    const { webhooks } = JSON.parse(listed.stdout) as { webhooks: { id: string }[] };
    expect(webhooks.map((webhook) => webhook.id)).toContain(id);
    const replayed = await aerostore(['webhooks', 'replay', id, '--from', 'beginning', ...at]);
    expect(replayed.code, replayed.stderr).toBe(0);
    await until('it comes again', () => got.length === 3);
    expect(got.map((message) => message.event.type)).toEqual([
      'storage.object.created',
      'webhook.test',
      'storage.object.created',
    ]);
    expect(got[2]?.id).toBe(got[0]?.id);
  });
});

describe('kill -9', () => {
  test('of the server, over and over, loses no event: what comes twice has the same id', async () => {
    const { got, url } = await receiver();
    let server = await startServer({ env });
    const { dataDir } = server;
    try {
      const bucket = await makeBucket(server);
      const { secret } = await make(server, url, { bucket });
      const written: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        for (let index = 0; index < 15; index += 1) {
          const name = `${round}-${index}`;
          await put(server, `${bucket}/${name}`, { token: alice, body: name });
          written.push(name);
        }
        if (round === 1) await until('some came', () => got.length > 0);
        await server.kill();
        server = await startServer({ dataDir, env });
      }
      await until('all came', () => new Set(paths(got)).size === written.length);
      expect(firsts(got)).toEqual(written);
      for (const { body, headers, id, event } of got) {
        new Webhook(secret).verify(body, headers);
        expect(id).toMatch(new RegExp(`^evt_\\d+_${event.position}$`));
      }
      expect(new Set(got.map(({ id }) => id)).size).toBe(written.length);
    } finally {
      await server.kill();
    }
  });
});

describe('where a webhook may lead', () => {
  let server: Aerostore;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.kill());

  test.each([
    'http://127.0.0.1:9999/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://localhost/',
    'https://localhost./',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://10.0.0.1/',
    'https://172.20.1.1/',
    'https://192.168.1.1/',
    'https://100.64.0.1/',
    'https://169.254.169.254/latest/meta-data/',
    'https://metadata.google.internal/',
    'https://[fd00:ec2::254]/',
    'https://[fe80::1]/',
    'https://224.0.0.1/',
    'https://0.0.0.0/',
    'https://user:password@8.8.8.8/',
    'ftp://8.8.8.8/',
    'file:///etc/passwd',
    'https://8.8.8.8/#x',
    `https://8.8.8.8/${'x'.repeat(5000)}`,
    'nonsense',
    '',
  ])('not to %s', async (url) => {
    const reply = await ask(server, '/webhooks', { method: 'POST', token: alice, json: { url } });
    expectProblem(reply, '400 InvalidRequest');
  });

  test('a name that leads to this machine is refused at the delivery, too', async () => {
    const { got, port } = await receiver();
    const name = 'http://localhost';
    const allowed = await startServer({ env: { AEROSTORE_WEBHOOK_ALLOW: 'localhost' } });
    const { dataDir } = allowed;
    const bucket = await makeBucket(allowed);
    const { id } = await make(allowed, `${name}:${port}/in`, { bucket });
    await put(allowed, `${bucket}/1`, { token: alice, body: '1' });
    await until('it comes while it is allowed', () => got.length === 1);
    await allowed.stop();
    const closed = await startServer({ dataDir });
    try {
      await put(closed, `${bucket}/2`, { token: alice, body: '2' });
      await until('it is refused', async () => {
        const { last } = (await show(closed, id)) as { last: { error: string | null } | null };
        return last?.error === 'the host may not be reached';
      });
      expect(paths(got)).toEqual(['1']);
    } finally {
      await closed.kill();
    }
  });
});

/** Durable consumers against the build: over kill -9, with another reader, by the command line. */
import { describe, expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { ask, base } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const alice = user('alice');

interface Heard {
  readonly id: string;
  readonly path: string;
}

/** Reads a consumer's stream until it ends or is stopped. */
function read(server: Server, name: string) {
  const stop = new AbortController();
  const heard: Heard[] = [];
  const named: Record<string, string> = {};
  const over = (async () => {
    const response = await fetch(`${server.url}${base}/consumers/${name}/events`, {
      headers: { authorization: `Bearer ${alice}` },
      signal: stop.signal,
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = new Map(
          block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]),
        );
        const data = fields.get('data');
        if (data === undefined) continue;
        const event = fields.get('event');
        if (event === undefined) heard.push(JSON.parse(data));
        else named[event] = data;
      }
    }
  })().catch(() => undefined);
  return { heard, named, over, stop: () => stop.abort() };
}

async function acknowledge(server: Server, name: string, id: string | undefined): Promise<void> {
  const reply = await ask(server, `/consumers/${name}/ack`, {
    method: 'POST',
    token: alice,
    json: { id },
  });
  expect(reply.status, reply.text()).toBe(200);
}

const define = (server: Server, name: string, json: object) =>
  ask(server, `/consumers/${name}`, { method: 'PUT', token: alice, json });

describe('a consumer', () => {
  test('misses nothing over kill -9: it goes on from what it acknowledged, or from a second before', async () => {
    let server = await startServer();
    const { dataDir } = server;
    try {
      const bucket = await makeBucket(server);
      const filter = { bucket, types: ['storage.object.created'] };
      const defined = await define(server, 'indexer', filter);
      expect(defined.status, defined.text()).toBe(200);
      const done: string[] = [];
      const written: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        for (let index = 0; index < 10; index += 1) {
          const name = `${round}-${index}`;
          await put(server, `${bucket}/${name}`, { token: alice, body: name });
          written.push(name);
        }
        const reader = read(server, 'indexer');
        const wanted = round === 2 ? written.at(-1) : `${round}-6`;
        await until('they come', () => reader.heard.some(({ path }) => path === wanted));
        const fresh = reader.heard.slice(
          0,
          1 + reader.heard.findIndex(({ path }) => path === wanted),
        );
        done.push(...fresh.map(({ path }) => path));
        await acknowledge(server, 'indexer', fresh.at(-1)?.id);
        reader.stop();
        await reader.over;
        await server.kill();
        server = await startServer({ dataDir });
      }
      expect([...new Set(done)]).toEqual(written);
    } finally {
      await server.kill();
    }
  });

  test('has one reader, is listed by the command line, and is nobody else’s', async () => {
    const server = await startServer();
    try {
      const bucket = await makeBucket(server);
      await define(server, 'shared', { bucket });
      await put(server, `${bucket}/1`, { token: alice, body: '1' });
      const older = read(server, 'shared');
      await until('the older hears', () => older.heard.length === 1);
      const newer = read(server, 'shared');
      await until('the newer hears', () => newer.heard.length === 1);
      await older.over;
      expect(JSON.parse(older.named.closing ?? '{}')).toMatchObject({ code: 'TakenOver' });
      const at = ['--url', server.url, '--token', service, '--json'];
      const listed = await aerostore(['consumers', 'list', ...at]);
      expect(JSON.parse(listed.stdout)).toMatchObject({
        consumers: [{ name: 'shared', owner_id: 'alice', connected: true }],
      });
      newer.stop();
      const asks: readonly [string, string][] = [
        ['GET', ''],
        ['GET', '/events'],
        ['POST', '/ack'],
        ['DELETE', ''],
      ];
      for (const [method, word] of asks) {
        const json = { id: '1-1' };
        const question = { method, token: user('mallory'), ...(word === '/ack' ? { json } : {}) };
        const reply = await ask(server, `/consumers/shared${word}`, question);
        expectProblem(reply, '404 NoSuchRoute');
      }
    } finally {
      await server.kill();
    }
  });

  test('of a stopped server is listed from its directory', async () => {
    const server = await startServer();
    const bucket = await makeBucket(server);
    await define(server, 'later', { bucket, from: 'beginning' });
    expect((await server.stop()).code).toBe(0);
    const listed = await aerostore(['consumers', 'list', '--data-dir', server.dataDir]);
    expect(listed.code, listed.stderr).toBe(0);
    expect(listed.stdout).toContain('later\talice\t0\t');
  });
});

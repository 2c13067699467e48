/** `consumers list`, `webhooks list|replay`: on a directory that nobody serves, and on a server. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Compose } from '../../src/cli/surroundings.ts';
import { HomeLocked } from '../../src/home/errors.ts';
import { openRig, type Rig, service, user } from '../support/rig.ts';
import { runCommand } from './run-command.ts';
import { smallLog } from './small-log.ts';

const alice = user('alice');
const filter = { bucket: null, prefix: 'p/', types: null };

/** A directory whose use cases are those of a store in memory. */
async function offline() {
  const rig = await openRig();
  onTestFinished(() => rig.close());
  const { layout } = await smallLog();
  const compose: Partial<Compose> = {
    askOffline(config, ask) {
      expect(config.dataDir).toBe(layout.directory);
      return ask(rig.store.service, service);
    },
  };
  const run = (...words: string[]) =>
    runCommand([...words, '--data-dir', layout.directory], { compose });
  return { rig, run };
}

async function makeWebhook({ store }: Rig): Promise<string> {
  const made = await store.service.webhooks.create(alice, { url: 'https://8.8.8.8/in', filter });
  if (!made.ok) throw new Error(made.rejection.code);
  return made.value.webhook.id;
}

describe('on a directory', () => {
  test('consumers are listed with where they are and how far behind', async () => {
    const { rig, run } = await offline();
    expect((await run('consumers', 'list')).out).toBe('There are no consumers.\n');
    const { consumers } = rig.store.service;
    await consumers.define(alice, { name: 'indexer', filter, from: { kind: 'beginning' } });
    const { code, out } = await run('consumers', 'list');
    expect(code).toBe(0);
    expect(out).toMatch(/^indexer\talice\t0\t2\t[\d.]+\tfalse\t-\tp\/$/m);
    const { consumers: rows } = JSON.parse((await run('consumers', 'list', '--json')).out);
    expect(rows).toMatchObject([{ name: 'indexer', lag: { events: 2 }, connected: false }]);
  });

  test('webhooks are listed with their state, without a secret', async () => {
    const { rig, run } = await offline();
    expect((await run('webhooks', 'list')).out).toBe('There are no webhooks.\n');
    const id = await makeWebhook(rig);
    const { code, out } = await run('webhooks', 'list');
    expect(code).toBe(0);
    expect(out).toContain(`${id}\talice\tactive\t`);
    expect(out).toContain('https://8.8.8.8/in');
    const json = (await run('webhooks', 'list', '--json')).out;
    expect(JSON.parse(json)).toMatchObject({ webhooks: [{ id, parked_count: 0 }] });
    expect(json).not.toContain('whsec_');
  });

  test('a replay moves a webhook back, and is refused where there is none', async () => {
    const { rig, run } = await offline();
    const id = await makeWebhook(rig);
    const { code, out } = await run('webhooks', 'replay', id, '--from', 'beginning', '--json');
    expect([code, out]).toEqual([0, '{"replayed":0}\n']);
    const shown = await rig.store.service.webhooks.get(alice, id);
    expect(shown).toMatchObject({ value: { progress: { at: { position: 0 } } } });
    expect(await run('webhooks', 'replay', id)).toMatchObject({ code: 0 });
    const none = '01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e';
    expect(await run('webhooks', 'replay', none)).toEqual({
      code: 1,
      out: '',
      err: 'error: There is no such webhook.\n',
    });
  });

  test.each([
    [['x'], 'id'],
    [['01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e', '--from', 'x'], 'position'],
    [['01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e', 'evt_x'], 'id'],
    [['01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e', 'evt_1_2', '--from', '1'], '--from'],
  ])('a replay of %j is used wrongly', async (words, named) => {
    const { run } = await offline();
    const { code, err } = await run('webhooks', 'replay', ...words);
    expect(code).toBe(2);
    expect(err).toContain(named);
  });

  test('that a server holds, the command says to ask that', async () => {
    const { layout } = await smallLog();
    const compose: Partial<Compose> = {
      askOffline: () => Promise.reject(new HomeLocked('it is in use: ask it with --url')),
    };
    const words = ['consumers', 'list', '--data-dir', layout.directory];
    const { code, err } = await runCommand(words, { compose });
    expect([code, err]).toEqual([1, 'error: it is in use: ask it with --url\n']);
  });
});

describe('on a server', () => {
  test('each asks its route, with the token', async () => {
    const asked: string[] = [];
    const server = createServer((request, answer) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        asked.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
        answer.end(request.method === 'POST' ? '{"replayed":2}' : '[]');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const at = ['--url', `http://127.0.0.1:${port}`, '--token', 't'];
    const id = '01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e';
    expect((await runCommand(['consumers', 'list', ...at])).out).toContain('no consumers');
    expect((await runCommand(['webhooks', 'list', ...at])).out).toContain('no webhooks');
    const replayed = await runCommand(['webhooks', 'replay', id, 'evt_1_2', '--json', ...at]);
    expect(replayed.out).toBe('{"replayed":2}\n');
    expect(asked).toEqual([
      'GET /storage/v1/consumers Bearer t ',
      'GET /storage/v1/webhooks Bearer t ',
      `POST /storage/v1/webhooks/${id}/replay Bearer t {"events":["evt_1_2"]}`,
    ]);
  });
});

/** The webhook routes: what is asked, what is answered, and whom they exist for. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type StoreDoor, startStoreDoor } from '../support/store-door.ts';

let door: StoreDoor;
const sent: { url: string; id: string | undefined; signatures: number }[] = [];

beforeAll(async () => {
  door = await startStoreDoor({
    rig: {
      followers: {
        webhookAllow: ['10.0.0.0/8', 'allowed.internal'],
        resolve: async (host) => {
          const known: Record<string, string> = {
            'hooks.example': '93.184.215.14',
            'inside.example': '192.168.0.9',
            'ten.example': '10.1.2.3',
            'allowed.internal': '192.168.0.9',
          };
          const address = known[host];
          if (address === undefined) throw new Error('not known');
          return [{ address, family: 4 }];
        },
        send: async ({ url, headers }) => {
          const signatures = headers['webhook-signature']?.split(' ').length ?? 0;
          sent.push({ url, id: headers['webhook-id'], signatures });
          return { kind: 'answered', status: 404, retryAfter: undefined };
        },
      },
    },
  });
});
afterAll(() => door.close());
beforeEach(() => {
  sent.length = 0;
});

const url = 'https://hooks.example/in';

const post = (path: string, json?: unknown, as = 'ann', headers = {}) =>
  door.call(`/webhooks${path}`, { method: 'POST', as, headers, ...(json ? { json } : {}) });

async function make(as = 'ann', body: object = { url }): Promise<{ id: string; secret: string }> {
  const answer = await post('', body, as);
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return JSON.parse(text);
}

const jsonOf = async (answer: Response) => (await answer.json()) as Record<string, unknown>;

describe('POST /webhooks', () => {
  test('answers id and secret, and the place of its record', async () => {
    const answer = await post('', { url, types: ['storage.object.created'], prefix: 'a/' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
    const made = await jsonOf(answer);
    expect(Object.keys(made).sort()).toEqual(['id', 'secret']);
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const shown = await jsonOf(await door.call(`/webhooks/${made.id}`));
    expect(shown).toMatchObject({
      id: made.id,
      url,
      types: ['storage.object.created'],
      prefix: 'a/',
      bucket: null,
      state: 'active',
      owner_id: 'ann',
      last: null,
      parked: [],
    });
    expect(JSON.stringify(shown)).not.toContain(String(made.secret).slice(6));
  });

  test.each([
    [{}, 'url'],
    [{ url: 5 }, 'url'],
    [{ url, more: 1 }, 'more'],
    [{ url: 'http://hooks.example/' }, 'url'],
    [{ url: 'https://u:p@hooks.example/' }, 'url'],
    [{ url: 'https://127.0.0.1/' }, 'url'],
    [{ url: 'https://2130706433/' }, 'url'],
    [{ url: 'https://[::1]/' }, 'url'],
    [{ url: 'https://169.254.169.254/latest/meta-data' }, 'url'],
    [{ url: 'https://localhost/' }, 'url'],
    [{ url: 'https://inside.example/' }, 'url'],
    [{ url, types: ['storage.object.eaten'] }, 'types'],
    [{ url, types: [] }, 'types'],
    [{ url, prefix: 'x'.repeat(2000) }, 'prefix'],
  ])('refuses %j, naming the field', async (body, field) => {
    const answer = await post('', body);
    expect(answer.status).toBe(400);
    expect(await jsonOf(answer)).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining(`"${field}`),
    });
  });

  test('refuses a filter on a bucket that the caller does not see', async () => {
    await door.call('/bucket', { method: 'POST', as: 'bob', json: { name: 'of-bob' } });
    for (const bucket of ['of-bob', 'none']) {
      const answer = await post('', { url, bucket });
      expect([answer.status, (await jsonOf(answer)).code]).toEqual([404, 'NoSuchBucket']);
    }
    expect((await post('', { url, bucket: '../x' })).status).toBe(400);
    expect((await post('', { url, bucket: 'of-bob' }, 'bob')).status).toBe(200);
  });

  test('takes private hosts that the operator allows', async () => {
    await make('ann', { url: 'https://ten.example/' });
    await make('ann', { url: 'https://allowed.internal/' });
    await make('ann', { url: 'https://10.9.9.9/' });
  });

  test('takes a host that nobody knows today', async () => {
    await make('ann', { url: 'https://tomorrow.example/' });
  });

  test('under an idempotency key is done once, and shows the same secret again', async () => {
    const headers = { 'idempotency-key': 'hook-1' };
    const first = await jsonOf(await post('', { url }, 'kay', headers));
    expect(await jsonOf(await post('', { url }, 'kay', headers))).toEqual(first);
    expect((await post('', { url: `${url}2` }, 'kay', headers)).status).toBe(409);
    const all = (await (await door.call('/webhooks', { as: 'kay' })).json()) as unknown[];
    expect(all).toHaveLength(1);
  });

  test('refuses more than twenty of one owner, and leaves the others theirs', async () => {
    for (let index = 0; index < 20; index += 1) await make('many');
    const answer = await post('', { url }, 'many');
    expect(answer.status).toBe(400);
    expect((await jsonOf(answer)).message).toContain('20');
    await make('other');
  });
});

describe('to others', () => {
  const each: readonly [string, string][] = [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/test'],
    ['POST', '/rotate'],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/replay'],
  ];

  test('a webhook does not exist: each answers as for one that is not there', async () => {
    const { id } = await make('ann');
    for (const [method, word] of each) {
      const ask = async (target: string, as: string | null) => {
        const answer = await door.call(`/webhooks/${target}${word}`, { method, as });
        return [answer.status, (await jsonOf(answer)).code];
      };
      expect(await ask(id, 'bob'), method + word).toEqual([404, 'NoSuchRoute']);
      expect(await ask('none', 'ann'), method + word).toEqual([404, 'NoSuchRoute']);
      expect(await ask(id, null), method + word).toEqual([401, 'MissingAuthorization']);
    }
    const shown = (await (await door.call('/webhooks', { as: 'bob' })).json()) as { id: string }[];
    expect(shown.map((webhook) => webhook.id)).not.toContain(id);
    expect(sent).toEqual([]);
  });

  test('but the service role sees and does all of it', async () => {
    const { id } = await make('ann');
    const all = (await (await door.call('/webhooks', { as: 'service' })).json()) as {
      id: string;
    }[];
    expect(all.map((webhook) => webhook.id)).toContain(id);
    for (const [method, word] of each.toReversed()) {
      const answer = await door.call(`/webhooks/${id}${word}`, { method, as: 'service' });
      expect(answer.status, method + word).toBe(200);
      if (word === '') break;
    }
  });
});

describe('what is done to a webhook', () => {
  test('a test is one message, signed, whose outcome is told', async () => {
    const { id } = await make();
    const answer = await post(`/${id}/test`, {});
    expect(await jsonOf(answer)).toMatchObject({ delivered: false, status: 404, error: null });
    expect(sent).toEqual([{ url, id: expect.stringMatching(/^test_/), signatures: 1 }]);
  });

  test('a rotation shows another secret, and both sign', async () => {
    const { id, secret } = await make();
    const rotated = await post(`/${id}/rotate`);
    expect(rotated.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
    const answer = await jsonOf(rotated);
    expect(answer).toEqual({ id, secret: expect.stringMatching(/^whsec_/) });
    expect(answer.secret).not.toBe(secret);
    await post(`/${id}/test`);
    expect(sent).toMatchObject([{ signatures: 2 }]);
  });

  test('pause and resume answer the webhook; done twice they change nothing', async () => {
    const { id } = await make();
    const paused = await post(`/${id}/pause`);
    expect(await jsonOf(paused)).toMatchObject({ id, state: 'paused' });
    await post(`/${id}/pause`);
    expect(await jsonOf(await post(`/${id}/resume`))).toMatchObject({ id, state: 'active' });
  });

  test('a replay takes a position, an id, or the ids of what is parked', async () => {
    const { id } = await make();
    for (const body of [{}, { from: 'beginning' }, { from: 1 }, { from: 'now' }]) {
      const answer = await post(`/${id}/replay`, body);
      expect(await jsonOf(answer), JSON.stringify(body)).toEqual({ replayed: 0 });
    }
    const named = await post(`/${id}/replay`, { events: ['evt_1_2'] });
    expect(await jsonOf(named)).toEqual({ replayed: 0 });
    expect((await post(`/${id}/replay`, { from: '1-1' })).status).toBe(410);
    for (const body of [{ events: ['x'] }, { from: 'x' }, { from: 'now', events: ['evt_1_2'] }]) {
      expect((await post(`/${id}/replay`, body)).status, JSON.stringify(body)).toBe(400);
    }
  });

  test('what was deleted is gone', async () => {
    const { id } = await make();
    const removed = await door.call(`/webhooks/${id}`, { method: 'DELETE' });
    expect(await jsonOf(removed)).toEqual({ message: 'Successfully deleted' });
    expect((await door.call(`/webhooks/${id}`)).status).toBe(404);
    expect((await door.call(`/webhooks/${id}`, { method: 'DELETE' })).status).toBe(404);
  });

  test('a body that is not needed may be {}, and nothing else', async () => {
    const { id } = await make();
    for (const word of ['test', 'rotate', 'pause', 'resume']) {
      expect((await post(`/${id}/${word}`, {})).status).toBe(200);
      expect((await post(`/${id}/${word}`, { more: 1 })).status).toBe(400);
    }
  });
});

/**
 * API.md "Who may do what" over HTTP, where it is not about one object: every bucket at once, a policy
 * that changes, who makes buckets, the store's own state, and what signed routes look at.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Asked,
  callerNames,
  callers,
  furnish,
  ids,
  isAnonymous,
  isBad,
  isService,
  may,
  policies,
  readable,
  type Setting,
  seesBucket,
  settings,
  unlimited,
} from '../support/access.ts';
import { ask } from '../support/client.ts';
import { expectProblem, outcome } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { sign, signUpload } from '../support/signed.ts';
import { fresh } from '../support/store.ts';
import { service } from '../support/tokens.ts';

let server: Server;
/** One of each setting; whoever changes one repairs it. */
const buckets = new Map<Setting, string>();

beforeAll(async () => {
  server = await startServer({ env: unlimited });
  for (const setting of settings) {
    const bucket = await furnish(server, setting);
    buckets.set(setting, bucket);
  }
});
afterAll(() => server?.kill());

const bucketOf = (setting: Setting) => buckets.get(setting) ?? '';
const names = (rows: unknown, key = 'name') =>
  (rows as Record<string, unknown>[]).map((row) => row[key]);

describe('a signed URL ignores Authorization', () => {
  test.each(callerNames)('%s', async (caller) => {
    const token = callers[caller];
    for (const setting of settings) {
      const bucket = bucketOf(setting);
      const shown = `${setting.policy} ${setting.writePolicy}`;
      const down = await sign(server, `${bucket}/of-writer`, { token: callers.writer, json: {} });
      for (const method of ['GET', 'HEAD']) {
        const url = `/object/sign/${bucket}/of-writer?token=${down.token}`;
        const reply = await ask(server, url, { token, method });
        expect(outcome(reply), shown).toBe('200');
        expect(reply.text()).toBe(method === 'GET' ? 'of-writer' : '');
      }
      const question = { token: callers.writer, json: {}, headers: { 'x-upsert': 'true' } };
      const up = await signUpload(server, `${bucket}/of-writer`, question);
      const url = `/object/upload/sign/${bucket}/of-writer?token=${up.token}`;
      const reply = await ask(server, url, { token, method: 'PUT', body: 'of-writer' });
      expect(outcome(reply), `${shown}: ${reply.text()}`).toBe('200');
      expect(reply.json().owner_id).toBe('writer');
      // Without a token in the URL, no caller has any business there.
      const bare = await ask(server, url.replace(/\?.*/, ''), { token, method: 'PUT', body: 'x' });
      expect(bare.status, bare.text()).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('all buckets', () => {
  test.each(callerNames)('%s sees theirs', async (caller) => {
    const token = callers[caller];
    const visible = settings
      .filter((setting) => seesBucket({ ...setting, caller, path: 'none' }))
      .map(bucketOf)
      .sort();
    for (const url of ['/bucket?limit=1000', '/query/storage_buckets?limit=1000']) {
      const reply = await ask(server, url, { token });
      if (isBad({ caller })) expectProblem(reply, '401 InvalidJWT');
      else if (isAnonymous({ caller })) expectProblem(reply, '401 MissingAuthorization');
      else {
        const rows = url.startsWith('/query') ? reply.json().rows : reply.json();
        expect(names(rows, 'id').sort(), url).toEqual(visible);
      }
    }
  });

  test.each(callerNames)('%s queries the objects of all', async (caller) => {
    const reply = await ask(server, '/query/storage_objects?limit=1000', {
      token: callers[caller],
    });
    if (isBad({ caller })) return expectProblem(reply, '401 InvalidJWT');
    if (isAnonymous({ caller })) return expectProblem(reply, '401 MissingAuthorization');
    const rows = reply.json().rows as { bucket_id: string; path: string }[];
    const wanted = settings.flatMap((setting) =>
      readable({ ...setting, caller, path: 'none' }).map((path) => `${bucketOf(setting)}/${path}`),
    );
    expect(rows.map(({ bucket_id, path }) => `${bucket_id}/${path}`).sort()).toEqual(wanted.sort());
  });

  test.each(callerNames)('%s makes one', async (caller) => {
    const reply = await ask(server, '/bucket', {
      method: 'POST',
      token: callers[caller],
      json: { name: fresh('made') },
    });
    if (isBad({ caller })) expectProblem(reply, '401 InvalidJWT');
    else if (isAnonymous({ caller })) expectProblem(reply, '401 MissingAuthorization');
    else expect(reply.json().owner_id, reply.text()).toBe(ids[caller] ?? null);
  });
});

describe('a changed policy', () => {
  const changes = policies.flatMap((from) => policies.map((to) => [from, to] as const));
  test.each(changes)('from %s to %s', async (from, to) => {
    const widens = policies.indexOf(to) > policies.indexOf(from);
    for (const owners of [['boss'], ['boss', 'writer']]) {
      for (const caller of ['stranger', 'writer', 'boss', 'service'] as const) {
        const setting = { policy: from, writePolicy: 'authenticated' } as const;
        const bucket = await furnish(server, setting, owners);
        const asked: Asked = { ...setting, caller, path: 'none' };
        const allowed = widens && owners.length > 1 ? may('widen', asked) : may('manage', asked);
        const reply = await ask(server, `/bucket/${bucket}`, {
          method: 'PUT',
          token: callers[caller],
          json: { policy: to },
        });
        const shown = `${caller}, ${owners}: ${reply.text()}`;
        expect(outcome(reply), shown).toBe(allowed ? '200' : '403 AccessDenied');
      }
    }
  });
});

describe('where only the service role makes buckets', () => {
  test('no user does', async () => {
    const strict = await startServer({ env: { AEROSTORE_BUCKET_CREATORS: 'service' } });
    try {
      const make = (token: string | undefined) =>
        ask(strict, '/bucket', { method: 'POST', token, json: { name: fresh('made') } });
      expectProblem(await make(callers.nobody), '401 MissingAuthorization');
      expectProblem(await make(callers.boss), '403 AccessDenied');
      expect((await make(service)).status).toBe(200);
    } finally {
      await strict.kill();
    }
  });
});

describe('the store’s own state is the service role’s alone', () => {
  test.each(callerNames)('%s', async (caller) => {
    const begun = await ask(server, '/admin/jobs', {
      method: 'POST',
      token: service,
      json: { kind: 'views-verify' },
    });
    expect(begun.status, begun.text()).toBe(200);
    const requests: [string, string, unknown?][] = [
      ['GET', 'status'],
      ['GET', 'recovery'],
      ['GET', 'digest'],
      ['GET', 'jobs'],
      ['POST', 'jobs', { kind: 'views-verify' }],
      ['POST', 'jobs', { kind: 'nonsense' }],
      ['GET', `jobs/${begun.json().id}`],
      ['GET', 'jobs/none'],
      ['DELETE', 'jobs/none'],
      ['DELETE', `jobs/${begun.json().id}`],
    ];
    for (const [method, route, json] of requests) {
      const shown = `${method} ${route}`;
      const reply = await ask(server, `/admin/${route}`, {
        method,
        token: callers[caller],
        json,
      });
      if (isBad({ caller })) expectProblem(reply, '401 InvalidJWT');
      else if (isAnonymous({ caller })) expectProblem(reply, '401 MissingAuthorization');
      else if (!isService({ caller })) expectProblem(reply, '403 AccessDenied');
      else if (/nonsense|none/.test(`${route} ${JSON.stringify(json)}`)) {
        expect([400, 404], shown).toContain(reply.status);
      } else if (method !== 'DELETE') expect(reply.status, shown).toBe(200);
      // Whether a job that has ended can be cancelled is not about who asks.
      else expect([401, 403], shown).not.toContain(reply.status);
    }
  });
});

/**
 * API.md "Who may do what" over HTTP: reading, writing and managing × caller × policy × write_policy
 * × whose object. The other routes are in access-changes.test.ts, leaks in access-leaks.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Asked,
  callerNames,
  callers,
  expectedManage,
  expectedOn,
  expectedRead,
  expectedSee,
  expectedWithin,
  expectedWrite,
  furnish,
  isBad,
  paths,
  type Route,
  readable,
  type Setting,
  same,
  settings,
  unlimited,
} from '../support/access.ts';
import { ask, type Question, type Reply } from '../support/client.ts';
import { expectProblem, outcome } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { head, makeBucket, put } from '../support/store.ts';

const read = (stem: string): Route => ({
  name: `GET ${stem}`,
  expected: expectedRead,
  request: (bucket, path) => [`${stem}/${bucket}/${path}`, {}],
  ofObject: true,
});

const publicRead = (stem: string): Route => ({
  ...read(stem),
  expected: (asked) =>
    asked.policy === 'public' || isBad(asked) ? expectedRead(asked) : '404 NoSuchBucket',
});

const write = (method: string): Route => ({
  name: `${method} /object`,
  expected: expectedWrite,
  request: (bucket, path) => [`/object/${bucket}/${path}`, { method, body: 'new bytes' }],
  ofObject: true,
});

const ofBucket = (
  name: string,
  expected: Route['expected'],
  request: (bucket: string) => readonly [string, Question],
): Omit<Route, 'ofObject'> & { ofObject: false } => ({ name, expected, request, ofObject: false });

const routes: readonly Route[] = [
  read('/object'),
  read('/object/authenticated'),
  read('/object/info'),
  read('/object/info/authenticated'),
  publicRead('/object/public'),
  publicRead('/object/info/public'),
  {
    name: 'HEAD /object',
    expected: (asked) => expectedRead(asked).slice(0, 3),
    request: (bucket, path) => [`/object/${bucket}/${path}`, { method: 'HEAD' }],
    ofObject: true,
  },
  write('POST'),
  write('PUT'),
  {
    name: 'DELETE /object',
    expected: (asked) => expectedOn('delete', asked),
    request: (bucket, path) => [`/object/${bucket}/${path}`, { method: 'DELETE' }],
    ofObject: true,
  },
  ofBucket('GET /object/list', expectedWithin, (bucket) => [`/object/list/${bucket}`, {}]),
  // Nothing listens there: only who may have one is asked.
  ofBucket('POST /webhooks', expectedWithin, (bucket) => [
    '/webhooks',
    { method: 'POST', json: { url: 'http://127.0.0.1:40404/', bucket } },
  ]),
  ofBucket('PUT /consumers', expectedWithin, (bucket) => [
    `/consumers/of-${bucket}`,
    { method: 'PUT', json: { bucket } },
  ]),
  ofBucket('GET /bucket', expectedSee, (bucket) => [`/bucket/${bucket}`, {}]),
  ofBucket('PUT /bucket', expectedManage, (bucket) => [
    `/bucket/${bucket}`,
    { method: 'PUT', json: { max_file_size: 1000 } },
  ]),
  ofBucket('POST /bucket/empty', expectedManage, (bucket) => [
    `/bucket/${bucket}/empty`,
    { method: 'POST' },
  ]),
  ofBucket(
    'DELETE /bucket',
    (asked) => (expectedManage(asked) === '200' ? '409 BucketNotEmpty' : expectedManage(asked)),
    (bucket) => [`/bucket/${bucket}`, { method: 'DELETE' }],
  ),
  ofBucket('DELETE /bucket?force', expectedManage, (bucket) => [
    `/bucket/${bucket}?force=true`,
    { method: 'DELETE' },
  ]),
];

let server: Server;
beforeAll(async () => {
  server = await startServer({ env: { ...unlimited, AEROSTORE_WEBHOOK_ALLOW: '127.0.0.1' } });
});
afterAll(() => server?.kill());

/** Buckets that no request has changed yet. */
const ready = new Map<Setting, string>();

async function furnished(setting: Setting): Promise<string> {
  const bucket = ready.get(setting) ?? (await furnish(server, setting));
  ready.set(setting, bucket);
  return bucket;
}

describe.each(settings)('$policy bucket, written by $writePolicy', (setting) => {
  describe.each(routes)('$name', (route) => {
    test.each(callerNames)('%s', async (caller) => {
      for (const path of route.ofObject ? paths : (['none'] as const)) {
        const asked: Asked = { ...setting, caller, path };
        const bucket = await furnished(setting);
        const before = await head(server);
        const [url, question] = route.request(bucket, path);
        const changes = !['GET', 'HEAD', undefined].includes(question.method);
        const reply = await ask(server, url, { token: callers[caller], ...question });
        const wanted = route.expected(asked);
        const got = outcome(reply);
        expect(same(got, wanted, asked) ? wanted : got, `${path}: ${reply.text()}`).toBe(wanted);
        if (reply.status < 400 && changes) ready.delete(setting);
        if (reply.status < 400) await checkAllowed(reply, asked, route);
        else expect(await head(server), 'a refusal appends nothing').toBe(before);
        if (reply.status >= 400 && reply.bytes.length > 0) expectProblem(reply, got);
      }
    });
  });
});

/** What an allowed request shows: a list no more than what is readable, a read the right bytes. */
async function checkAllowed(reply: Reply, asked: Asked, route: Route): Promise<void> {
  if (route.name === 'GET /object/list') {
    const { objects } = reply.json() as { objects: { path: string }[] };
    expect(objects.map(({ path }) => path)).toEqual(readable(asked));
  }
  if (route.name === 'GET /object') expect(reply.text()).toBe(asked.path);
}

describe('what others put', () => {
  test('someone else’s path is refused before any other header counts', async () => {
    const bucket = await makeBucket(server, {
      owner: 'boss',
      settings: { write_policy: 'authenticated' },
    });
    await put(server, `${bucket}/there`, { token: callers.boss, body: 'secret' });
    const conditions = [{ 'x-upsert': 'false' }, { 'if-none-match': '*' }, { 'if-match': '"x"' }];
    for (const headers of conditions) {
      const reply = await ask(server, `/object/${bucket}/there`, {
        method: 'POST',
        token: callers.stranger,
        headers,
        body: 'x',
      });
      expectProblem(reply, '403 AccessDenied');
    }
  });

  test('the bucket’s owner deletes what others put into it without reading it', async () => {
    const bucket = await makeBucket(server, {
      owner: 'boss',
      settings: { write_policy: 'authenticated' },
    });
    await put(server, `${bucket}/of-writer`, { token: callers.writer, body: 'private' });
    const url = `/object/${bucket}/of-writer`;
    expectProblem(await ask(server, url, { token: callers.boss }), '404 NoSuchKey');
    const removed = await ask(server, url, { method: 'DELETE', token: callers.boss });
    expect(removed.status).toBe(200);
    expectProblem(await ask(server, url, { token: callers.writer }), '404 NoSuchKey');
  });
});

/**
 * API.md: a bucket that the caller can't see answers as a missing one, an object that the caller can't
 * read as a missing one, with the same status, body and headers, on every route.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CallerName, callers, furnish, masked, unlimited } from '../support/access.ts';
import { ask, type Question } from '../support/client.ts';
import { type Server, startServer } from '../support/server.ts';
import { sign } from '../support/signed.ts';
import { head, makeBucket, put } from '../support/store.ts';
import { service } from '../support/tokens.ts';

interface Probe {
  readonly name: string;
  readonly at: (bucket: string, path: string) => string;
  readonly question?: (bucket: string, path: string) => Question;
}

let server: Server;
/** Readable and writable to each user: the other side of a copy. */
let open = '';
const invisible = { private: '', authenticated: '' };
let shared = '';

beforeAll(async () => {
  server = await startServer({ env: unlimited });
  open = await furnish(server, { policy: 'public', writePolicy: 'authenticated' });
  for (const policy of ['private', 'authenticated'] as const) {
    invisible[policy] = await furnish(server, { policy, writePolicy: 'owner' });
  }
  shared = await furnish(server, { policy: 'private', writePolicy: 'authenticated' });
  for (const owner of ['stranger', 'writer', 'boss'] as const) {
    await put(server, `${open}/source-of-${owner}`, { token: callers[owner], body: 'mine' });
  }
});
afterAll(() => server?.kill());

const conditions: readonly (readonly [string, Question['headers']])[] = [
  ['', {}],
  [' by range', { range: 'bytes=0-1' }],
  [' beyond the end', { range: 'bytes=9999-' }],
  [' if-none-match', { 'if-none-match': '*' }],
  [' if-match', { 'if-match': '"x"' }],
  [' if-match any', { 'if-match': '*' }],
  [' if-unmodified-since', { 'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' }],
];
const stems = ['', '/authenticated', '/public', '/info', '/info/authenticated', '/info/public'];

const reads: readonly Probe[] = ['GET', 'HEAD'].flatMap((method) =>
  stems.flatMap((stem) =>
    conditions.map(([condition, headers = {}]) => ({
      name: `${method} /object${stem}${condition}`,
      at: (bucket: string, path: string) => `/object${stem}/${bucket}/${path}?download=x`,
      question: () => ({ method, headers }),
    })),
  ),
);

const posting = (name: string, url: string, json: (bucket: string, path: string) => unknown) => ({
  name,
  at: () => url,
  question: (bucket: string, path: string): Question => ({
    method: 'POST',
    json: json(bucket, path),
    headers: { 'x-upsert': 'true' },
  }),
});

/** What names an object and does not write to its path. */
const ofObjects: readonly Probe[] = [
  ...reads,
  ...conditions.map(([condition, headers = {}]) => ({
    name: `PATCH${condition}`,
    at: (bucket: string, path: string) => `/object/${bucket}/${path}`,
    question: () => ({ method: 'PATCH', json: { metadata: { a: 1 } }, headers }),
  })),
  {
    name: 'PATCH if-version',
    at: (bucket, path) => `/object/${bucket}/${path}`,
    question: () => ({
      method: 'PATCH',
      json: { cache_control: null },
      headers: { 'if-version': '1' },
    }),
  },
  ...[{}, { version: '1' }, { single_use: true, expiresIn: 5 }].map((json) => ({
    name: `sign ${JSON.stringify(json)}`,
    at: (bucket: string, path: string) => `/object/sign/${bucket}/${path}`,
    question: () => ({ method: 'POST', json }),
  })),
  {
    name: 'sign many',
    at: (bucket) => `/object/sign/${bucket}`,
    question: (_, path) => ({ method: 'POST', json: { expiresIn: 60, paths: [path, 'none'] } }),
  },
  ...['GET', 'HEAD'].map((method) => ({
    name: `${method} a bad signed URL`,
    at: (bucket: string, path: string) => `/object/sign/${bucket}/${path}?token=a.b.c`,
    question: () => ({ method }),
  })),
  {
    name: 'PUT to a bad signed URL',
    at: (bucket, path) => `/object/upload/sign/${bucket}/${path}?token=a.b.c`,
    question: () => ({ method: 'PUT', body: 'x' }),
  },
  ...['copy', 'move'].flatMap((kind) => [
    posting(`${kind} out`, `/object/${kind}`, (bucket, path) => ({
      bucketId: bucket,
      sourceKey: path,
      destinationBucket: open,
      destinationKey: 'new',
    })),
    posting(`${kind} onto someone else’s`, `/object/${kind}`, (bucket, path) => ({
      bucketId: bucket,
      sourceKey: path,
      destinationBucket: open,
      destinationKey: 'of-boss',
    })),
    posting(`${kind} within`, `/object/${kind}`, (bucket, path) => ({
      bucketId: bucket,
      sourceKey: path,
      destinationKey: 'new',
    })),
  ]),
  {
    name: 'GET list by prefix',
    at: (bucket, path) => `/object/list/${bucket}?prefix=${path}`,
  },
  {
    name: 'GET list by delimiter',
    at: (bucket, path) => `/object/list/${bucket}?prefix=${path.slice(0, 5)}&delimiter=${path[5]}`,
  },
  {
    name: 'list v1 by search',
    at: (bucket) => `/object/list/${bucket}`,
    question: (_, path) => ({ method: 'POST', json: { prefix: '', search: path } }),
  },
  {
    name: 'list-v2 by prefix',
    at: (bucket) => `/object/list-v2/${bucket}`,
    question: (_, path) => ({ method: 'POST', json: { prefix: path, with_delimiter: true } }),
  },
  {
    name: 'query by path',
    at: (bucket, path) => `/query/storage_objects?bucket_id=eq.${bucket}&path=eq.${path}`,
  },
  {
    name: 'query by pattern',
    at: (bucket, path) =>
      `/query/storage_objects?bucket_id=in.(${bucket})&path=like.${path}*&limit=1`,
  },
];

/** What the bucket's owner may do to what they can't read. */
const removals: readonly Probe[] = [
  ...conditions.map(([condition, headers = {}]) => ({
    name: `DELETE${condition}`,
    at: (bucket: string, path: string) => `/object/${bucket}/${path}`,
    question: () => ({ method: 'DELETE', headers }),
  })),
  {
    name: 'DELETE many',
    at: (bucket) => `/object/${bucket}`,
    question: (_, path) => ({ method: 'DELETE', json: { prefixes: [path, 'none'] } }),
  },
  posting('revoke a path', '/object/sign/revoke', (bucket, path) => ({ bucket, path })),
];

/** What names a bucket, or writes to a path in it. */
const ofBuckets: readonly Probe[] = [
  ...['POST', 'PUT'].flatMap((method) =>
    [{}, { 'x-upsert': 'false' }, { 'if-none-match': '*' }, { 'if-match': '"x"' }].map(
      (headers) => ({
        name: `${method} /object ${JSON.stringify(headers)}`,
        at: (bucket: string, path: string) => `/object/${bucket}/${path}`,
        question: () => ({ method, body: 'x', headers }),
      }),
    ),
  ),
  {
    name: 'upload/sign',
    at: (bucket, path) => `/object/upload/sign/${bucket}/${path}`,
    question: () => ({ method: 'POST', json: {} }),
  },
  ...['copy', 'move'].flatMap((kind) =>
    ['of-boss', 'none', 'source-of-stranger'].map((source) =>
      posting(`${kind} of ${source} into`, `/object/${kind}`, (bucket, path) => ({
        bucketId: open,
        sourceKey: source,
        destinationBucket: bucket,
        destinationKey: path,
      })),
    ),
  ),
  posting('revoke a bucket', '/object/sign/revoke', (bucket) => ({ bucket })),
  ...['GET', 'HEAD', 'DELETE', 'DELETE ?force=true', 'PUT', 'POST /empty'].map((name) => {
    const [method = '', rest = ''] = name.split(' ');
    return {
      name: `${name} of the bucket`,
      at: (bucket: string) => `/bucket/${bucket}${rest}`,
      question: () => ({ method, ...(method === 'PUT' ? { json: { public: true } } : {}) }),
    };
  }),
  { name: 'search of buckets', at: (bucket) => `/bucket?search=${bucket}` },
  { name: 'query of buckets', at: (bucket) => `/query/storage_buckets?id=eq.${bucket}` },
  { name: 'GET list', at: (bucket) => `/object/list/${bucket}` },
  { name: 'query of objects', at: (bucket) => `/query/storage_objects?bucket_id=eq.${bucket}` },
];

const refusals: readonly Probe[] = [...ofObjects, ...removals, ...ofBuckets];

/** A name of the same length that nothing has. */
const absent = (name: string) =>
  name.startsWith('bucket') ? name.replace('bucket', 'beckut') : name.replace('of-', 'ox-');

async function answer(
  { at, question }: Probe,
  caller: CallerName,
  [bucket, path]: readonly [string, string],
): Promise<string> {
  const asked = question?.(bucket, path) ?? {};
  const reply = await ask(server, at(bucket, path), { token: callers[caller], ...asked });
  return masked(reply, [bucket, path]);
}

/** Nothing that is asked changes anything, or the next question would be another one. */
async function unchanged(during: () => Promise<void>): Promise<void> {
  const before = await head(server);
  await during();
  expect(await head(server)).toBe(before);
}

const unseeing: [CallerName, keyof typeof invisible][] = [
  ['stranger', 'private'],
  ['nobody', 'private'],
  ['anon', 'private'],
  ['forged boss', 'private'],
  ['nobody', 'authenticated'],
  ['anon', 'authenticated'],
];

describe.each(unseeing)('to %s, of a bucket that is %s', (caller, policy) => {
  test.each(refusals)('$name tells nothing', async (probe) => {
    await unchanged(async () => {
      const bucket = invisible[policy];
      const told = await answer(probe, caller, [bucket, 'of-boss']);
      expect(told).toBe(await answer(probe, caller, [absent(bucket), 'of-boss']));
      expect(told).toBe(await answer(probe, caller, [bucket, absent('of-boss')]));
    });
  });
});

const unreading: [CallerName, string, () => string, string, readonly Probe[]][] = [
  ['stranger', 'of-boss', () => shared, 'shared', [...ofObjects, ...removals]],
  ['writer', 'of-boss', () => shared, 'shared', [...ofObjects, ...removals]],
  ['writer', 'of-boss', () => invisible.private, 'invisible', [...ofObjects, ...removals]],
  ['boss', 'of-writer', () => shared, 'their', ofObjects],
  ['boss', 'of-writer', () => invisible.private, 'their own', ofObjects],
];

describe.each(unreading)('to %s, of %s in a bucket', (caller, path, bucket, which, probes) => {
  test.each(probes)('$name tells nothing', async (probe) => {
    await unchanged(async () => {
      const told = await answer(probe, caller, [bucket(), path]);
      expect(told, which).toBe(await answer(probe, caller, [bucket(), absent(path)]));
    });
  });
});

test('what the probes compare does differ where the caller may see it', async () => {
  for (const probe of reads.filter(({ name }) => !/public/.test(name))) {
    const told = await answer(probe, 'boss', [shared, 'of-boss']);
    expect(told, probe.name).not.toBe(await answer(probe, 'boss', [shared, absent('of-boss')]));
  }
});

test('a page of readable rows is not cut short by unreadable ones', async () => {
  const bucket = await makeBucket(server, {
    owner: 'boss',
    settings: { write_policy: 'authenticated' },
  });
  for (const n of [1, 2, 3, 4, 5, 6]) {
    const token = n % 3 === 0 ? callers.stranger : callers.boss;
    await put(server, `${bucket}/${n}`, { token, body: 'x' });
  }
  const token = callers.stranger;
  const listed = await ask(server, `/object/list/${bucket}?limit=2`, { token });
  expect(listed.json()).toMatchObject({ objects: [{ path: '3' }, { path: '6' }] });
  expect(listed.json().next_cursor).toBeNull();
  const v1 = await ask(server, `/object/list/${bucket}`, {
    method: 'POST',
    token,
    json: { prefix: '', offset: 1 },
  });
  expect(v1.json()).toMatchObject([{ name: '6' }]);
  const v2 = await ask(server, `/object/list-v2/${bucket}`, {
    method: 'POST',
    token,
    json: { limit: 2 },
  });
  expect(v2.json()).toMatchObject({ hasNext: false, objects: [{ name: '3' }, { name: '6' }] });
});

test('folders that hold nothing readable are not shown', async () => {
  const bucket = await makeBucket(server, {
    owner: 'boss',
    settings: { write_policy: 'authenticated' },
  });
  await put(server, `${bucket}/hidden/a`, { token: callers.boss, body: 'x' });
  await put(server, `${bucket}/shown/a`, { token: callers.stranger, body: 'x' });
  const token = callers.stranger;
  const listed = await ask(server, `/object/list/${bucket}?delimiter=/`, { token });
  expect(listed.json().prefixes).toEqual(['shown/']);
  const v1 = await ask(server, `/object/list/${bucket}`, {
    method: 'POST',
    token,
    json: { prefix: '' },
  });
  expect(v1.json()).toMatchObject([{ name: 'shown', id: null }]);
  const v2 = await ask(server, `/object/list-v2/${bucket}`, {
    method: 'POST',
    token,
    json: { with_delimiter: true },
  });
  expect(v2.json().folders).toEqual([{ key: 'shown', name: 'shown/' }]);
});

test('a token of an invisible bucket is refused as one of a missing bucket', async () => {
  const gone = await furnish(server, { policy: 'private', writePolicy: 'owner' });
  const tokens: string[] = [];
  for (const bucket of [invisible.private, gone]) {
    tokens.push((await sign(server, `${bucket}/of-boss`, { token: service })).token);
  }
  await ask(server, `/bucket/${gone}?force=true`, { method: 'DELETE', token: service });
  const told: string[] = [];
  for (const [at, token] of tokens.entries()) {
    const reply = await ask(server, '/object/sign/revoke', {
      method: 'POST',
      token: callers.stranger,
      json: { token },
    });
    told.push(masked(reply, [at === 0 ? invisible.private : gone]));
    expect(reply.status).toBe(404);
  }
  expect(told[0]).toBe(told[1]);
});

/**
 * API.md "Who may do what" over HTTP: every route of objects and buckets × caller × policy ×
 * write_policy × whose object. `expected` is the table and its prose again, in code of its own; no
 * case is written by hand, so none is forgotten.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, type Question, type Reply } from '../support/client.ts';
import { expectProblem, outcome } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { head, makeBucket, put } from '../support/store.ts';
import { anonymousToken, hs256, service, user } from '../support/tokens.ts';

const callers = {
  nobody: undefined,
  anon: anonymousToken,
  stranger: user('stranger'),
  writer: user('writer'),
  boss: user('boss'),
  service,
  'service as stranger': hs256({ role: 'service_role', sub: 'stranger' }),
} as const;
type CallerName = keyof typeof callers;
const callerNames = Object.keys(callers) as CallerName[];

const policies = ['private', 'authenticated', 'public'] as const;
const writePolicies = ['owner', 'authenticated'] as const;
/** `of-boss` belongs to the bucket's owner, `of-writer` to another user; `none` does not exist. */
const paths = ['of-boss', 'of-writer', 'none'] as const;

interface Setting {
  readonly policy: (typeof policies)[number];
  readonly writePolicy: (typeof writePolicies)[number];
}

interface Asked extends Setting {
  readonly caller: CallerName;
  readonly path: (typeof paths)[number];
}

const isAnonymous = ({ caller }: Pick<Asked, 'caller'>) => caller === 'nobody' || caller === 'anon';
const isService = ({ caller }: Pick<Asked, 'caller'>) => caller.startsWith('service');
const ownsBucket = ({ caller }: Pick<Asked, 'caller'>) => caller === 'boss';
const ownsObject = ({ caller, path }: Asked) => path === `of-${caller}`;
const exists = ({ path }: Asked) => path !== 'none';

function seesBucket({ caller, policy, writePolicy }: Asked): boolean {
  if (isService({ caller }) || ownsBucket({ caller })) return true;
  if (isAnonymous({ caller })) return policy === 'public';
  return policy !== 'private' || writePolicy === 'authenticated';
}

function mayRead(asked: Asked): boolean {
  if (!exists(asked)) return false;
  if (isService(asked) || asked.policy === 'public') return true;
  if (isAnonymous(asked)) return false;
  return asked.policy === 'authenticated' || ownsObject(asked);
}

const missing = (asked: Asked) => (seesBucket(asked) ? '404 NoSuchKey' : '404 NoSuchBucket');

function expectedRead(asked: Asked): string {
  return mayRead(asked) ? '200' : missing(asked);
}

function expectedWrite(asked: Asked): string {
  if (isAnonymous(asked)) return '401 MissingAuthorization';
  if (isService(asked) || ownsObject(asked)) return '200';
  if (!seesBucket(asked)) return '404 NoSuchBucket';
  if (exists(asked)) return '403 AccessDenied';
  return ownsBucket(asked) || asked.writePolicy === 'authenticated' ? '200' : '403 AccessDenied';
}

function expectedDelete(asked: Asked): string {
  if (isAnonymous(asked)) return '401 MissingAuthorization';
  if (!exists(asked)) return missing(asked);
  if (isService(asked) || ownsObject(asked) || ownsBucket(asked)) return '200';
  return mayRead(asked) ? '403 AccessDenied' : missing(asked);
}

function expectedList(asked: Asked): string {
  if (isAnonymous(asked)) return '401 MissingAuthorization';
  // The writer owns a row of it, and a caller's own objects stay readable to them.
  return seesBucket(asked) || asked.caller === 'writer' ? '200' : '404 NoSuchBucket';
}

function expectedSee(asked: Asked): string {
  if (isAnonymous(asked)) return '401 MissingAuthorization';
  return seesBucket(asked) ? '200' : '404 NoSuchBucket';
}

function expectedManage(asked: Asked): string {
  const seen = expectedSee(asked);
  return seen === '200' && !isService(asked) && !ownsBucket(asked) ? '403 AccessDenied' : seen;
}

interface Route {
  readonly name: string;
  readonly expected: (asked: Asked) => string;
  readonly request: (bucket: string, path: string) => readonly [string, Question];
  /** False where the path plays no part. */
  readonly ofObject: boolean;
}

const read = (stem: string): Route => ({
  name: `GET ${stem}`,
  expected: expectedRead,
  request: (bucket, path) => [`${stem}/${bucket}/${path}`, {}],
  ofObject: true,
});

const publicRead = (stem: string): Route => ({
  ...read(stem),
  expected: (asked) => (asked.policy === 'public' ? expectedRead(asked) : '404 NoSuchBucket'),
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
    expected: expectedDelete,
    request: (bucket, path) => [`/object/${bucket}/${path}`, { method: 'DELETE' }],
    ofObject: true,
  },
  ofBucket('GET /object/list', expectedList, (bucket) => [`/object/list/${bucket}`, {}]),
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

const settings: readonly Setting[] = policies.flatMap((policy) =>
  writePolicies.map((writePolicy) => ({ policy, writePolicy })),
);

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

/** Buckets that no request has changed yet. */
const ready = new Map<Setting, string>();

async function furnished(setting: Setting): Promise<string> {
  const bucket = ready.get(setting) ?? (await furnish(setting));
  ready.set(setting, bucket);
  return bucket;
}

/** A bucket of the setting that holds one object of the boss and one of the writer. */
async function furnish({ policy, writePolicy }: Setting): Promise<string> {
  const bucket = await makeBucket(server, {
    owner: 'boss',
    settings: { policy, write_policy: 'authenticated' },
  });
  await put(server, `${bucket}/of-boss`, { token: callers.boss, body: 'of-boss' });
  await put(server, `${bucket}/of-writer`, { token: callers.writer, body: 'of-writer' });
  if (writePolicy === 'owner') {
    const json = { write_policy: 'owner' };
    const reply = await ask(server, `/bucket/${bucket}`, {
      method: 'PUT',
      token: callers.boss,
      json,
    });
    expect(reply.status, reply.text()).toBe(200);
  }
  return bucket;
}

/**
 * One cell is left open by the contract: a caller who owns an object in a bucket that they can't see
 * asks for what is not theirs in it. Whether the bucket or the key is missing is all the same.
 */
function isOpen({ caller, policy, writePolicy }: Asked): boolean {
  return caller === 'writer' && policy === 'private' && writePolicy === 'owner';
}

function same(got: string, wanted: string, asked: Asked): boolean {
  return got === wanted || (isOpen(asked) && got.slice(0, 3) === '404' && wanted.startsWith('404'));
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
    const readable = paths.filter((path) => mayRead({ ...asked, path }));
    expect(objects.map(({ path }) => path)).toEqual(readable);
  }
  if (route.name === 'GET /object') expect(reply.text()).toBe(asked.path);
}

describe('what a caller may not see', () => {
  const masked = (reply: Reply, names: readonly string[]) => {
    const { date: _, 'x-request-id': __, ...headers } = reply.headers;
    const shown = JSON.stringify({ status: reply.status, headers, body: reply.text() });
    return names.reduce((text, name) => text.replaceAll(name, '•'), shown);
  };

  const requests: [string, string, (bucket: string, path: string) => string][] = [
    ['GET', 'object', (bucket, path) => `/object/${bucket}/${path}`],
    ['HEAD', 'object', (bucket, path) => `/object/${bucket}/${path}`],
    ['GET', 'object by range', (bucket, path) => `/object/${bucket}/${path}`],
    ['GET', 'object by the public route', (bucket, path) => `/object/public/${bucket}/${path}`],
    ['GET', 'info', (bucket, path) => `/object/info/${bucket}/${path}`],
    ['DELETE', 'object', (bucket, path) => `/object/${bucket}/${path}`],
    ['GET', 'list', (bucket) => `/object/list/${bucket}`],
    ['GET', 'bucket', (bucket) => `/bucket/${bucket}`],
    ['DELETE', 'bucket', (bucket) => `/bucket/${bucket}`],
    ['POST', 'emptying', (bucket) => `/bucket/${bucket}/empty`],
    ['PUT', 'upload', (bucket, path) => `/object/${bucket}/${path}`],
  ];

  test.each(requests)(
    '%s %s: an invisible bucket answers as a missing one',
    async (method, _, at) => {
      const bucket = await makeBucket(server, { owner: 'boss' });
      await put(server, `${bucket}/there`, { token: callers.boss, body: 'secret' });
      const absent = bucket.replace('bucket', 'beckut');
      for (const token of [callers.stranger, callers.nobody, callers.anon]) {
        const question: Question = {
          method,
          token,
          headers: { range: 'bytes=0-1', 'if-match': '"x"' },
        };
        const invisible = await ask(server, at(bucket, 'there'), question);
        const gone = await ask(server, at(absent, 'there'), question);
        expect(masked(invisible, [bucket])).toBe(masked(gone, [absent]));
        expect(invisible.status).toBeGreaterThanOrEqual(401);
      }
    },
  );

  test.each(['GET', 'HEAD', 'DELETE'])(
    '%s: an unreadable object answers as a missing one',
    async (method) => {
      const bucket = await makeBucket(server, {
        owner: 'boss',
        settings: { write_policy: 'authenticated' },
      });
      await put(server, `${bucket}/there`, { token: callers.boss, body: 'secret' });
      for (const stem of method === 'DELETE' ? ['/object'] : ['/object', '/object/info']) {
        for (const headers of [{}, { range: 'bytes=0-1' }, { 'if-none-match': '*' }]) {
          const question: Question = { method, token: callers.stranger, headers };
          const unreadable = await ask(server, `${stem}/${bucket}/there`, question);
          const gone = await ask(server, `${stem}/${bucket}/nope`, question);
          expect(masked(unreadable, ['there'])).toBe(masked(gone, ['nope']));
          expect(unreadable.status).toBe(404);
        }
      }
    },
  );

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

  test('the store’s own state is the service role’s alone', async () => {
    for (const route of ['status', 'recovery', 'digest']) {
      const at = `/admin/${route}`;
      expectProblem(await ask(server, at), '401 MissingAuthorization');
      expectProblem(await ask(server, at, { token: callers.boss }), '403 AccessDenied');
      expect((await ask(server, at, { token: service })).status).toBe(200);
    }
  });
});

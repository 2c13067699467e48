/** API.md "Objects": copy, move, PATCH and delete many, over HTTP. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, encodePath, type Question, type Reply } from '../support/client.ts';
import { expectProblem } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { leavesNothing, makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';

let server: Server;
const alice = user('alice');
const bob = user('bob');
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

const openTo = (policy: string) => ({ settings: { policy, write_policy: 'authenticated' } });

const info = (key: string, token = alice) =>
  ask(server, `/object/info/${encodePath(key)}`, { token });
const read = (key: string, token = alice) => ask(server, `/object/${encodePath(key)}`, { token });

type Verb = 'copy' | 'move';
function transfer(
  verb: Verb,
  json: Record<string, unknown>,
  { token = alice, headers = {} }: Pick<Question, 'token' | 'headers'> = {},
): Promise<Reply> {
  return ask(server, `/object/${verb}`, { method: 'POST', token, headers, json });
}
const upsert = { headers: { 'x-upsert': 'true' } };

describe('a copy', () => {
  test('answers with the object, its Id and its Key', async () => {
    const bucket = await makeBucket(server);
    const metadata = Buffer.from('{"k":1}').toString('base64');
    const headers = {
      'x-metadata': metadata,
      'content-type': 'text/plain',
      'cache-control': 'max-age=9',
    };
    await put(server, `${bucket}/a`, { token: alice, body: 'text', headers });
    const asked = { bucketId: bucket, sourceKey: 'a', destinationKey: 'dir/b' };
    const reply = await transfer('copy', asked);
    expect(reply.status, reply.text()).toBe(200);
    const source = (await info(`${bucket}/a`)).json();
    const object = reply.json();
    expect(object).toMatchObject({
      bucket,
      path: 'dir/b',
      size: 4,
      etag: source.etag,
      content_type: 'text/plain',
      cache_control: 'max-age=9',
      metadata: { k: 1 },
      owner_id: 'alice',
      Id: object.id,
      Key: `${bucket}/dir/b`,
    });
    expect(object.id).not.toBe(source.id);
    expect(object.version).not.toBe(source.version);
    expect(reply.headers['x-aerostore-position']).toMatch(/^\d+$/);
    expect((await read(`${bucket}/dir/b`)).text()).toBe('text');
  });

  test.each([
    [{}, { k: 1 }],
    [{ copyMetadata: true }, { k: 1 }],
    [{ copyMetadata: false }, {}],
    [{ metadata: { l: 2 } }, { l: 2 }],
    [{ copyMetadata: false, metadata: { l: 2 } }, { l: 2 }],
    [{ metadata: null }, {}],
  ])('with %j has the metadata %j', async (more, metadata) => {
    const bucket = await makeBucket(server);
    const headers = { 'x-metadata': Buffer.from('{"k":1}').toString('base64') };
    await put(server, `${bucket}/a`, { token: alice, body: 'text', headers });
    const asked = { bucketId: bucket, sourceKey: 'a', destinationKey: 'b', ...more };
    expect((await transfer('copy', asked)).json().metadata).toEqual(metadata);
  });
});

describe.each<Verb>(['copy', 'move'])('a %s', (verb) => {
  test('overwrites only with x-upsert: true', async () => {
    const bucket = await makeBucket(server);
    await put(server, `${bucket}/a`, { token: alice, body: 'new' });
    await put(server, `${bucket}/b`, { token: alice, body: 'old' });
    const asked = { bucketId: bucket, sourceKey: 'a', destinationKey: 'b' };
    for (const headers of [{}, { 'x-upsert': 'false' }]) {
      const refused = await leavesNothing(server, () => transfer(verb, asked, { headers }));
      expectProblem(refused, '409 KeyAlreadyExists');
      expect(refused.json()).toMatchObject({
        error: 'Duplicate',
        message: 'The resource already exists',
      });
    }
    const wrong = await transfer(verb, asked, { headers: { 'x-upsert': 'maybe' } });
    expectProblem(wrong, '400 InvalidRequest');
    expect((await transfer(verb, asked, upsert)).status).toBe(200);
    expect((await read(`${bucket}/b`)).text()).toBe('new');
    expect((await read(`${bucket}/a`)).status).toBe(verb === 'copy' ? 200 : 404);
  });

  test('tells of a source that may not be read what it tells of none', async () => {
    const mine = await makeBucket(server);
    const hidden = await makeBucket(server, { owner: 'bob' });
    const shared = await makeBucket(server, { owner: 'bob', ...openTo('private') });
    await put(server, `${hidden}/a`, { token: bob, body: 'x' });
    await put(server, `${shared}/a`, { token: bob, body: 'x' });
    const from = async (bucketId: string, sourceKey: string) => {
      const asked = { bucketId, sourceKey, destinationBucket: mine, destinationKey: 'x' };
      const { status, headers, text } = await transfer(verb, asked);
      const { 'x-request-id': _id, date: _date, ...rest } = headers;
      return { status, headers: rest, body: text() };
    };
    expect(await from(hidden, 'a')).toEqual(await from('none', 'a'));
    expect(await from(hidden, 'a')).toMatchObject({ status: 404 });
    expect(await from(shared, 'a')).toEqual(await from(shared, 'none'));
    expect(JSON.parse((await from(shared, 'a')).body)).toMatchObject({ code: 'NoSuchKey' });
  });

  test('needs a target that may be written', async () => {
    const mine = await makeBucket(server);
    await put(server, `${mine}/a`, { token: alice, body: 'x' });
    const hidden = await makeBucket(server, { owner: 'bob' });
    const closed = await makeBucket(server, { owner: 'bob', settings: { policy: 'public' } });
    const open = await makeBucket(server, { owner: 'bob', ...openTo('private') });
    await put(server, `${open}/his`, { token: bob, body: 'x' });
    const to = (destinationBucket: string, destinationKey: string) =>
      transfer(verb, { bucketId: mine, sourceKey: 'a', destinationBucket, destinationKey }, upsert);
    expectProblem(await to(hidden, 'x'), '404 NoSuchBucket');
    expectProblem(await to(closed, 'x'), '403 AccessDenied');
    // "403 whatever the other headers say", although it can't be read.
    expectProblem(await to(open, 'his'), '403 AccessDenied');
    expect((await to(open, 'new')).status).toBe(200);
  });

  test('meets the rules of the target', async () => {
    const mine = await makeBucket(server);
    const headers = { 'content-type': 'text/plain' };
    await put(server, `${mine}/a`, { token: alice, body: 'four', headers });
    const small = await makeBucket(server, { settings: { max_file_size: 3 } });
    const images = await makeBucket(server, { settings: { allowed_mime_types: ['image/*'] } });
    const to = (destinationBucket: string) =>
      transfer(verb, { bucketId: mine, sourceKey: 'a', destinationBucket, destinationKey: 'a' });
    expectProblem(await to(small), '413 EntityTooLarge');
    expectProblem(await to(images), '415 InvalidMimeType');
  });

  test.each<[string, unknown, string]>([
    ['no body', undefined, 'InvalidRequest'],
    ['a list', [], 'InvalidRequest'],
    ['no bucket', { sourceKey: 'a', destinationKey: 'b' }, 'InvalidRequest'],
    ['no source', { bucketId: 'b', destinationKey: 'b' }, 'InvalidRequest'],
    ['a number', { bucketId: 1, sourceKey: 'a', destinationKey: 'b' }, 'InvalidRequest'],
    [
      'an unknown field',
      { bucketId: 'b', sourceKey: 'a', destinationKey: 'b', x: 1 },
      'InvalidRequest',
    ],
    [
      'a bad bucket',
      { bucketId: '../b', sourceKey: 'a', destinationKey: 'b' },
      'InvalidBucketName',
    ],
    [
      'a reserved bucket',
      { bucketId: 'list', sourceKey: 'a', destinationKey: 'b' },
      'InvalidBucketName',
    ],
    ['a bad source', { bucketId: 'b', sourceKey: '/a', destinationKey: 'b' }, 'InvalidKey'],
    ['a bad target', { bucketId: 'b', sourceKey: 'a', destinationKey: 'a/../b' }, 'InvalidKey'],
    ['an empty target', { bucketId: 'b', sourceKey: 'a', destinationKey: '' }, 'InvalidKey'],
    [
      'bad metadata',
      { bucketId: 'b', sourceKey: 'a', destinationKey: 'b', metadata: [] },
      'InvalidMetadata',
    ],
  ])('of %s is refused', async (_name, json, code) => {
    const question = { method: 'POST', token: alice, ...(json === undefined ? {} : { json }) };
    expectProblem(await ask(server, `/object/${verb}`, question), `400 ${code}`);
  });

  test('needs credentials before anything is looked at', async () => {
    const reply = await ask(server, `/object/${verb}`, { method: 'POST', body: 'nonsense' });
    expectProblem(reply, '401 MissingAuthorization');
    expectProblem(await ask(server, `/object/${verb}`, { token: alice }), '405 MethodNotAllowed');
  });
});

describe('a move', () => {
  test('keeps id, owner and age, across buckets too', async () => {
    const from = await makeBucket(server);
    const to = await makeBucket(server, { owner: 'bob', ...openTo('private') });
    await put(server, `${from}/a`, { token: alice, body: 'text' });
    const before = (await info(`${from}/a`)).json();
    const asked = { bucketId: from, sourceKey: 'a', destinationBucket: to, destinationKey: 'b' };
    const reply = await transfer('move', asked, { token: service });
    expect(reply.status, reply.text()).toBe(200);
    const { id, owner_id, created_at, etag, version } = before;
    expect(reply.json()).toMatchObject({
      message: 'Successfully moved',
      bucket: to,
      path: 'b',
      ...{ id, owner_id, created_at, etag, version },
    });
    expectProblem(await read(`${from}/a`), '404 NoSuchKey');
    expect((await read(`${to}/b`)).text()).toBe('text');
    // Its new bucket's owner may not read it.
    expectProblem(await read(`${to}/b`, bob), '404 NoSuchKey');
  });

  test('of someone else’s readable object is denied', async () => {
    const bucket = await makeBucket(server, { owner: 'bob', ...openTo('public') });
    await put(server, `${bucket}/his`, { token: bob, body: 'x' });
    const asked = { bucketId: bucket, sourceKey: 'his', destinationKey: 'hers' };
    expectProblem(await transfer('move', asked), '403 AccessDenied');
    expect((await transfer('copy', asked)).status).toBe(200);
  });
});

describe('PATCH', () => {
  const patch = (key: string, json: unknown, question: Question = {}) =>
    ask(server, `/object/${encodePath(key)}`, { method: 'PATCH', token: alice, json, ...question });

  test('replaces what is given, and null clears', async () => {
    const bucket = await makeBucket(server);
    const key = `${bucket}/ä/pic.png`;
    const stored = (await put(server, key, { token: alice, body: 'text' })).json();
    const given = {
      metadata: { a: { b: 1 } },
      cache_control: 'max-age=5',
      content_type: 'text/css',
    };
    const changed = await patch(key, given);
    expect(changed.status, changed.text()).toBe(200);
    const { id, version, etag, created_at } = stored;
    expect(changed.json()).toMatchObject({ ...given, ...{ id, version, etag, created_at } });
    const headers = (await read(key)).headers;
    expect([headers['content-type'], headers['cache-control']]).toEqual([
      'text/css',
      'max-age=5, private',
    ]);
    const one = await patch(key, { metadata: { c: 2 } });
    expect(one.json()).toMatchObject({ metadata: { c: 2 }, cache_control: 'max-age=5' });
    const cleared = await patch(key, { metadata: null, cache_control: null, content_type: null });
    expect(cleared.json()).toMatchObject({
      metadata: {},
      cache_control: null,
      content_type: 'image/png',
    });
  });

  test('that changes nothing writes nothing', async () => {
    const bucket = await makeBucket(server);
    await put(server, `${bucket}/a`, { token: alice, body: 'x' });
    const reply = await leavesNothing(server, () => patch(`${bucket}/a`, { metadata: {} }));
    expect(reply.status).toBe(200);
    expect((await leavesNothing(server, () => patch(`${bucket}/a`, {}))).status).toBe(200);
  });

  test('holds under if-match and if-version', async () => {
    const bucket = await makeBucket(server);
    const key = `${bucket}/a`;
    const { etag, version } = (await put(server, key, { token: alice, body: 'x' })).json();
    const under = (headers: Record<string, string>) =>
      patch(key, { metadata: { n: 1 } }, { headers });
    expectProblem(await under({ 'if-match': '"other"' }), '412 PreconditionFailed');
    expectProblem(await under({ 'if-version': 'other' }), '412 PreconditionFailed');
    expectProblem(await under({ 'if-match': 'malformed' }), '400 InvalidRequest');
    expect((await under({ 'if-match': `"${etag}"`, 'if-version': String(version) })).status).toBe(
      200,
    );
  });

  test('is for the owner of the object and the service', async () => {
    const bucket = await makeBucket(server, { owner: 'bob', ...openTo('public') });
    const closed = await makeBucket(server, { owner: 'bob', ...openTo('private') });
    for (const name of [bucket, closed])
      await put(server, `${name}/his`, { token: bob, body: 'x' });
    const change = { metadata: { n: 1 } };
    expectProblem(await patch(`${bucket}/his`, change), '403 AccessDenied');
    expectProblem(await patch(`${closed}/his`, change), '404 NoSuchKey');
    expectProblem(await patch(`${bucket}/none`, change), '404 NoSuchKey');
    expectProblem(await patch('none/none', change), '404 NoSuchBucket');
    expect((await patch(`${bucket}/his`, change, { token: service })).status).toBe(200);
    const anonymous = await ask(server, `/object/${bucket}/his`, { method: 'PATCH', json: change });
    expectProblem(anonymous, '401 MissingAuthorization');
  });

  test.each<[unknown, string]>([
    [{ metadata: 'text' }, 'InvalidMetadata'],
    [{ metadata: { long: 'x'.repeat(8192) } }, 'InvalidMetadata'],
    [{ content_type: 'a\nb' }, 'InvalidRequest'],
    [{ content_type: '' }, 'InvalidRequest'],
    [{ content_type: 1 }, 'InvalidRequest'],
    [{ cache_control: 'x'.repeat(256) }, 'InvalidRequest'],
    [{ contentType: 'text/plain' }, 'InvalidRequest'],
    [[], 'InvalidRequest'],
  ])('with %j is refused', async (json, code) => {
    const bucket = await makeBucket(server);
    await put(server, `${bucket}/a`, { token: alice, body: 'x' });
    const reply = await leavesNothing(server, () => patch(`${bucket}/a`, json));
    expectProblem(reply, `400 ${code}`);
  });

  test('meets the type rule', async () => {
    const bucket = await makeBucket(server, { settings: { allowed_mime_types: ['text/*'] } });
    const headers = { 'content-type': 'text/plain' };
    await put(server, `${bucket}/a`, { token: alice, body: 'x', headers });
    const refused = await patch(`${bucket}/a`, { content_type: 'image/png' });
    expectProblem(refused, '415 InvalidMimeType');
  });
});

describe('delete many', () => {
  const removeMany = (bucket: string, json: unknown, token = alice) =>
    ask(server, `/object/${bucket}`, { method: 'DELETE', token, json });
  const counts = ({ headers }: Reply) => [
    headers['x-aerostore-deleted'],
    headers['x-aerostore-skipped'],
  ];

  test('answers with the rows that went', async () => {
    const bucket = await makeBucket(server);
    for (const path of ['a', 'dir/b', 'c']) {
      await put(server, `${bucket}/${path}`, { token: alice, body: path });
    }
    const reply = await removeMany(bucket, { prefixes: ['dir/b', 'none', 'a', 'a'] });
    expect(reply.status, reply.text()).toBe(200);
    expect(counts(reply)).toEqual(['2', '1']);
    const rows: unknown = reply.json();
    expect(rows).toEqual([
      expect.objectContaining({ name: 'dir/b', bucket_id: bucket, owner: 'alice' }),
      expect.objectContaining({ name: 'a' }),
    ]);
    expectProblem(await read(`${bucket}/a`), '404 NoSuchKey');
    expect((await read(`${bucket}/c`)).status).toBe(200);
  });

  test('takes exact paths, not what begins with them', async () => {
    const bucket = await makeBucket(server);
    await put(server, `${bucket}/dir/b`, { token: alice, body: 'x' });
    expect(counts(await removeMany(bucket, { prefixes: ['dir', 'dir/'] }))).toEqual(['0', '2']);
  });

  test('skips what is denied', async () => {
    const bucket = await makeBucket(server, { owner: 'bob', ...openTo('public') });
    await put(server, `${bucket}/his`, { token: bob, body: 'x' });
    await put(server, `${bucket}/hers`, { token: alice, body: 'x' });
    const reply = await removeMany(bucket, { prefixes: ['his', 'hers'] });
    expect(counts(reply)).toEqual(['1', '1']);
    // The bucket's owner deletes all.
    expect(counts(await removeMany(bucket, { prefixes: ['his'] }, bob))).toEqual(['1', '0']);
  });

  test('takes 1,000 long paths, and not one more', async () => {
    const bucket = await makeBucket(server);
    const prefixes = Array.from(
      { length: 1000 },
      (_, index) => `${index}${'\u{1f600}'.repeat(255)}`,
    );
    await put(server, `${bucket}/${prefixes[7]}`, { token: alice, body: 'x' });
    expect(counts(await removeMany(bucket, { prefixes }))).toEqual(['1', '999']);
    const more = await removeMany(bucket, { prefixes: [...prefixes, 'x'] });
    expectProblem(more, '400 InvalidRequest');
  });

  test.each<[unknown, string]>([
    [undefined, 'InvalidRequest'],
    [{}, 'InvalidRequest'],
    [{ prefixes: [] }, 'InvalidRequest'],
    [{ prefixes: 'a' }, 'InvalidRequest'],
    [{ prefixes: [1] }, 'InvalidRequest'],
    [{ prefixes: ['a'], x: 1 }, 'InvalidRequest'],
    [{ prefixes: ['a', ''] }, 'InvalidKey'],
    [{ prefixes: ['a', '../a'] }, 'InvalidKey'],
  ])('with %j is refused and deletes nothing', async (json, code) => {
    const bucket = await makeBucket(server);
    await put(server, `${bucket}/a`, { token: alice, body: 'x' });
    expectProblem(await removeMany(bucket, json), `400 ${code}`);
    expect((await read(`${bucket}/a`)).status).toBe(200);
  });

  test('of more than 4 MiB is refused', async () => {
    const bucket = await makeBucket(server);
    const prefixes = ['x'.repeat(4 * 1024 * 1024)];
    expectProblem(await removeMany(bucket, { prefixes }), '413 EntityTooLarge');
  });

  test('of an invisible bucket is of a missing one', async () => {
    const hidden = await makeBucket(server, { owner: 'bob' });
    await put(server, `${hidden}/a`, { token: bob, body: 'x' });
    const invisible = await removeMany(hidden, { prefixes: ['a'] });
    const missing = await removeMany('none', { prefixes: ['a'] });
    expect(invisible.text()).toBe(missing.text());
    expectProblem(invisible, '404 NoSuchBucket');
    const anonymous = await ask(server, `/object/${hidden}`, { method: 'DELETE' });
    expectProblem(anonymous, '401 MissingAuthorization');
  });
});

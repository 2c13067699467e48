/** API.md "Signed URLs" for uploads: whose it is, what it may be, how often. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, type Question } from '../support/client.ts';
import { expectProblem, outcome } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { follow, revoke, signUpload } from '../support/signed.ts';
import { fresh, leavesNothing, makeBucket, put } from '../support/store.ts';
import { user } from '../support/tokens.ts';

const alice = user('alice');
const bob = user('bob');
const body = 'twenty bytes of text';
let server: Server;
let bucket: string;

beforeAll(async () => {
  server = await startServer();
  bucket = await makeBucket(server, {
    owner: 'alice',
    settings: { write_policy: 'authenticated' },
  });
});
afterAll(() => server.stop());

const upload = (url: string, question: Question = {}) =>
  follow(server, url, {
    method: 'PUT',
    body,
    headers: { 'content-type': 'text/plain' },
    ...question,
  });

function form(type: string, text: string): Question {
  const lines = [
    '--edge',
    'content-disposition: form-data; name="cacheControl"',
    '',
    '3600',
    '--edge',
    'content-disposition: form-data; name=""; filename="blob"',
    `content-type: ${type}`,
    '',
    text,
    '--edge--',
    '',
  ];
  return {
    body: lines.join('\r\n'),
    headers: { 'content-type': 'multipart/form-data; boundary=edge' },
  };
}

test('what is uploaded is the issuer’s, raw or as a form', async () => {
  for (const question of [{}, form('text/plain', body)]) {
    const place = `${bucket}/${fresh('of bob')}`;
    const { url, signed_url } = await signUpload(server, encodeURI(place), { token: bob });
    expect(url).toMatch(/^\/object\/upload\/sign\//);
    expect(signed_url).toBe(`${server.url}/storage/v1${url}`);
    const reply = await upload(signed_url, question);
    expect(reply.status, reply.text()).toBe(200);
    expect(reply.json()).toMatchObject({
      Key: place,
      owner_id: 'bob',
      size: 20,
      content_type: 'text/plain',
    });
    const read = await ask(server, `/object/${encodeURI(place)}`, { token: bob });
    expect(read.text()).toBe(body);
  }
});

test('nobody signs for what they may not write', async () => {
  await put(server, `${bucket}/taken`, { token: alice, body });
  const asked = (place: string, token: string | undefined) =>
    ask(server, `/object/upload/sign/${place}`, {
      method: 'POST',
      token,
      headers: { 'x-upsert': 'true' },
    });
  expectProblem(await asked(`${bucket}/taken`, bob), '403 AccessDenied');
  expectProblem(await asked(`${bucket}/new`, undefined), '401 MissingAuthorization');
  const closed = await makeBucket(server, { owner: 'alice' });
  expectProblem(await asked(`${closed}/new`, bob), '404 NoSuchBucket');
});

describe('a refused use leaves nothing', () => {
  const cases: readonly [string, object, Question, string][] = [
    ['another type', { content_type: 'image/png' }, {}, '415 InvalidMimeType'],
    [
      'another type in a form',
      { content_type: 'image/*' },
      form('text/plain', 'x'),
      '415 InvalidMimeType',
    ],
    [
      'another type than it calls itself',
      { content_type: 'image/png' },
      form('image/png', '<html>'),
      '415 InvalidMimeType',
    ],
    ['too many bytes', { max_size: 19 }, {}, '413 EntityTooLarge'],
    [
      'too many bytes, unannounced',
      { max_size: 19 },
      { headers: { 'transfer-encoding': 'chunked' } },
      '413 EntityTooLarge',
    ],
    [
      'too many bytes in a form',
      { max_size: '19b' },
      form('text/plain', body),
      '413 EntityTooLarge',
    ],
  ];
  test.each(cases)('%s', async (_name, json, question, expected) => {
    const { signed_url } = await signUpload(server, `${bucket}/${fresh('n')}`, {
      token: bob,
      json,
    });
    const reply = await leavesNothing(server, () => upload(signed_url, question));
    expect(outcome(reply), reply.text()).toBe(expected);
  });

  test('revoked, of another path, without a token', async () => {
    const at = fresh('n');
    const { signed_url, token } = await signUpload(server, `${bucket}/${at}`, { token: bob });
    const other = signed_url.replace(at, 'elsewhere');
    expectProblem(await leavesNothing(server, () => upload(other)), '403 InvalidSignature');
    const bare = signed_url.replace(/\?.*/, '');
    expectProblem(await leavesNothing(server, () => upload(bare)), '403 InvalidSignature');
    // Their own, as long as nothing is there.
    expect((await revoke(server, bob, { token })).status).toBe(200);
    expectProblem(await leavesNothing(server, () => upload(signed_url)), '403 InvalidSignature');
  });
});

test('overwrites only where signed so', async () => {
  const place = `${bucket}/${fresh('n')}`;
  const plain = await signUpload(server, place, { token: bob });
  expect((await upload(plain.signed_url)).status).toBe(200);
  const loud = { headers: { 'x-upsert': 'true' } };
  expectProblem(await upload(plain.signed_url, loud), '409 KeyAlreadyExists');
  const over = await signUpload(server, place, { token: bob, ...loud });
  expect((await upload(over.signed_url, { headers: { 'x-upsert': 'false' } })).status).toBe(200);
  expect((await upload(over.signed_url)).status).toBe(200);
});

test('of a hundred uses at once of a URL for one use, one succeeds', async () => {
  const place = `${bucket}/${fresh('n')}`;
  const question = { token: bob, json: { single_use: true }, headers: { 'x-upsert': 'true' } };
  const { signed_url } = await signUpload(server, place, question);
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, index) => upload(signed_url, { body: `${index}` })),
  );
  const outcomes = replies.map(outcome);
  expect(outcomes.filter((one) => one === '200')).toHaveLength(1);
  expect(outcomes.filter((one) => one === '403 InvalidSignature')).toHaveLength(99);
  const read = await ask(server, `/object/${place}`, { token: bob });
  expect(read.text()).toBe(`${outcomes.indexOf('200')}`);
});

test('a bucket that was closed to its issuer takes nothing', async () => {
  const open = await makeBucket(server, {
    owner: 'alice',
    settings: { write_policy: 'authenticated' },
  });
  const { signed_url } = await signUpload(server, `${open}/n`, { token: bob });
  const json = { write_policy: 'owner' };
  await ask(server, `/bucket/${open}`, { method: 'PUT', token: alice, json });
  expectProblem(await leavesNothing(server, () => upload(signed_url)), '403 InvalidSignature');
});

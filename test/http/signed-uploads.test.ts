/** Uploads by signed URLs: what goes in and out, to the letter. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asking, body, problem } from './support/signing.ts';
import { type StoreDoor, startStoreDoor } from './support/store-door.ts';

let door: StoreDoor;

beforeAll(async () => {
  door = await startStoreDoor();
  await door.call('/bucket', { method: 'POST', json: { name: 'b' } });
  await put('/object/b/a.txt');
});
afterAll(() => door.close());

const { put, post, asNobody, signed, signedUpload } = asking(() => door);

describe('uploads', () => {
  test('are signed with a relative and an absolute URL', async () => {
    const { url, signed_url, token, expires_at, ...rest } = await signedUpload('b/ü%201');
    expect(rest).toEqual({});
    expect(url).toBe(`/object/upload/sign/b/%C3%BC%201?token=${token}`);
    expect(signed_url).toBe(`${door.origin}/storage/v1${url}`);
    const reply = await put(url, { as: null });
    const answer = (await reply.json()) as Record<string, unknown>;
    expect(reply.headers.get('x-aerostore-position')).toMatch(/^\d+$/);
    expect(answer).toMatchObject({
      Key: 'b/ü 1',
      Id: answer.id,
      owner_id: 'ann',
      size: body.length,
    });
    expect(Date.parse(expires_at)).toBeGreaterThan(0);
  });

  test('overwrite only where signed with x-upsert, whatever the upload itself says', async () => {
    const plain = await signedUpload('b/over');
    expect((await put(plain.url, { as: null })).status).toBe(200);
    const again = put(plain.url, { as: null, headers: { 'x-upsert': 'true' } });
    expect(await problem(again)).toContain('409 KeyAlreadyExists');
    const upsert = await signedUpload('b/over', {}, { 'x-upsert': 'true' });
    const over = await put(upsert.url, { as: null, headers: { 'x-upsert': 'false' } });
    expect(over.status).toBe(200);
    expect(
      await problem(post('/object/upload/sign/b/over', {}, { headers: { 'x-upsert': 'maybe' } })),
    ).toContain('"x-upsert"');
  });

  test('keep to the type and size that were signed for, raw or as a form', async () => {
    const { url } = await signedUpload(
      'b/bound',
      { content_type: 'Text/*', max_size: 20 },
      { 'x-upsert': 'true' },
    );
    const form = (type: string, text: string) => {
      const data = new FormData();
      data.append('cacheControl', '60');
      data.append('', new Blob([text], { type }), '');
      return asNobody(url, { method: 'PUT', body: data });
    };
    expect((await put(url, { as: null })).status).toBe(200);
    expect((await form('text/css', 'a{}')).status).toBe(200);
    expect(await problem(form('image/png', 'x'))).toContain('415 InvalidMimeType');
    expect(await problem(form('text/plain', 'x'.repeat(21)))).toContain('413 EntityTooLarge');
    expect(await problem(put(url, { as: null, body: 'x'.repeat(21) }))).toContain(
      '413 EntityTooLarge',
    );
    const sneaky = new FormData();
    sneaky.append('', new Blob(['x'], { type: 'text/plain' }), '');
    sneaky.append('contentType', 'text/html, image/png');
    expect(await problem(asNobody(url, { method: 'PUT', body: sneaky }))).toContain('415');
  });

  test('a body without a type has the one that was signed for', async () => {
    const { url } = await signedUpload('b/typed', { content_type: 'application/x-ours' });
    const reply = await asNobody(url, { method: 'PUT', body: Buffer.from('x') });
    expect(((await reply.json()) as { content_type: string }).content_type).toBe(
      'application/x-ours',
    );
  });

  test.each([
    [{ content_type: 'png' }, 'The field "content_type"'],
    [{ content_type: 5 }, 'The field "content_type"'],
    [{ max_size: -1 }, 'The field "max_size"'],
    [{ max_size: 'big' }, 'The field "max_size"'],
    [{ expiresIn: 604_801 }, '604800'],
    [{ upsert: true }, 'Unknown field "upsert"'],
  ])('%j → %s', async (json, expected) => {
    expect(await problem(post('/object/upload/sign/b/x', json))).toContain(expected);
  });

  test('for one use are for one', async () => {
    const { url } = await signedUpload('b/once', { single_use: true }, { 'x-upsert': 'true' });
    const replies = await Promise.all(Array.from({ length: 20 }, () => put(url, { as: null })));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 403)).toHaveLength(19);
  });

  test('for one use, repeated with its idempotency key, are answered as they were', async () => {
    const { url } = await signedUpload('b/again', { single_use: true });
    const headers = { 'content-type': 'text/plain', 'idempotency-key': 'one' };
    const first = await put(url, { as: null, headers });
    const again = await put(url, { as: null, headers });
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(await again.json()).toEqual(await first.json());
    const other = put(url, { as: null, headers, body: 'other' });
    expect(await problem(other)).toContain('409 IdempotencyConflict');
    const fresh = put(url, { as: null, headers: { ...headers, 'idempotency-key': 'two' } });
    expect(await problem(fresh)).toContain('403 InvalidSignature');
  });

  test('a download token uploads nothing', async () => {
    const { token } = await signed();
    const reply = put(`/object/upload/sign/b/a.txt?token=${token}`, { as: null });
    expect(await problem(reply)).toContain('403 InvalidSignature');
  });
});

/** Limits on rates: counted by themselves with the clock in hand, and at the door. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Result } from '../../src/domain/result.ts';
import { createRateLimits, type RateLimits } from '../../src/http/limits/rate-limits.ts';
import { startStoreDoor } from './support/store-door.ts';

const few = { authFailuresPerMinute: 3, signingPerMinute: 5, signedUsesPerMinute: 2 };
const ann = { kind: 'user', id: 'ann' } as const;
const bob = { kind: 'user', id: 'bob' } as const;

const codeOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.rejection.code);

describe('a minute at a time', () => {
  let limits: RateLimits;

  beforeEach(() => {
    vi.useFakeTimers();
    limits = createRateLimits(few);
  });
  afterEach(() => vi.useRealTimers());

  async function outcomes(count: number, act: () => Promise<Result<unknown>>): Promise<string[]> {
    const found: string[] = [];
    for (let index = 0; index < count; index += 1) found.push(codeOf(await act()));
    return found;
  }

  test('the limit is allowed, one more is not, and a minute later it is', async () => {
    const use = () => limits.signedUse('jti');
    expect(await outcomes(4, use)).toEqual(['ok', 'ok', 'TooManyRequests', 'TooManyRequests']);
    vi.advanceTimersByTime(59_000);
    expect(await use()).toMatchObject({ rejection: { facts: { limit: 2, retry_after: 1 } } });
    vi.advanceTimersByTime(1_001);
    expect(codeOf(await use())).toBe('ok');
    expect(codeOf(await limits.signedUse('another'))).toBe('ok');
  });

  test('many count each, all or none; what was refused does not count', async () => {
    expect(codeOf(await limits.signing(ann, 4))).toBe('ok');
    expect(codeOf(await limits.signing(ann, 2))).toBe('TooManyRequests');
    expect(await limits.signing(ann, 1)).toMatchObject({ value: { limit: 5, remaining: 0 } });
    expect(codeOf(await limits.signing(ann, 1))).toBe('TooManyRequests');
    expect(codeOf(await limits.signing(bob, 5))).toBe('ok');
  });

  test('the service role has no limit', async () => {
    for (const id of [null, 'ann']) {
      expect(await limits.signing({ kind: 'service', id }, 1_000)).toEqual({
        ok: true,
        value: undefined,
      });
    }
  });

  test.each([
    ['10.0.0.1', '10.0.0.2', false],
    ['::ffff:10.0.0.1', '10.0.0.1', true],
    ['2001:db8::1', '2001:db8::ffff:1', true],
    ['2001:db8::1', '2001:db8:0:1::1', false],
    ['not an address', 'nor this', false],
  ])('failures of %s are those of %s: %s', async (one, other, same) => {
    await outcomes(3, () => limits.authFailure(one));
    expect(codeOf(await limits.authFailure(other))).toBe(same ? 'TooManyRequests' : 'ok');
  });

  test('the memory is bounded: who was not seen for longest is forgotten', async () => {
    await outcomes(3, () => limits.authFailure('10.0.0.1'));
    await outcomes(3, () => limits.authFailure('10.0.0.2'));
    for (let index = 0; index < 19_999; index += 1) await limits.authFailure(`host ${index}`);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(20_000);
    expect(codeOf(await limits.authFailure('10.0.0.1'))).toBe('ok');
  });
});

describe('at the door', () => {
  test('only further failing tokens are refused, and forged URLs count among them', async () => {
    const door = await startStoreDoor({ limits: few });
    await door.call('/bucket', { method: 'POST', json: { name: 'b' } });
    const forged = () => door.call('/object/sign/b/a?token=a.b.c', { as: null });
    const bad = () => door.call('/bucket', { as: null, headers: { authorization: 'Bearer x' } });
    expect([(await forged()).status, (await bad()).status, (await forged()).status]).toEqual([
      403, 401, 403,
    ]);
    const json = { token: 'a.b.c' };
    for (const late of [
      await forged(),
      await bad(),
      await door.call('/object/sign/revoke', { method: 'POST', json }),
    ]) {
      expect(late.status).toBe(429);
      const seconds = Number(late.headers.get('retry-after'));
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(60);
      expect(late.headers.get('ratelimit-limit')).toBe('3');
      expect(late.headers.get('ratelimit-remaining')).toBe('0');
      expect(late.headers.get('ratelimit-reset')).toBe(`${seconds}`);
      expect(await late.json()).toMatchObject({
        statusCode: '429',
        code: 'TooManyRequests',
        error: 'TooManyRequests',
      });
    }
    // Everything valid goes on from the same address.
    expect((await door.call('/bucket')).status).toBe(200);
    expect((await door.call('/object/public/b/a', { as: null })).status).toBe(404);
    await door.close();
  });

  test('signing and uses have limits of their own', async () => {
    const door = await startStoreDoor({ limits: few });
    await door.call('/bucket', { method: 'POST', json: { name: 'b' } });
    await door.call('/object/b/a', { method: 'PUT', body: 'x' });
    const sign = (as = 'ann') => door.call('/object/sign/b/a', { method: 'POST', json: {}, as });
    const first = await sign();
    expect(first.headers.get('ratelimit-remaining')).toBe('4');
    const { token } = (await first.json()) as { token: string };
    const many = { paths: ['a', 'a', 'missing', 'a'] };
    expect((await door.call('/object/sign/b', { method: 'POST', json: many })).status).toBe(200);
    expect((await sign()).status).toBe(429);
    expect((await door.call('/object/upload/sign/b/x', { method: 'POST', json: {} })).status).toBe(
      429,
    );
    for (let round = 0; round < 8; round += 1) expect((await sign('service')).status).toBe(200);
    const use = () => door.call(`/object/sign/b/a?token=${token}`, { as: null });
    expect([(await use()).status, (await use()).status, (await use()).status]).toEqual([
      200, 200, 429,
    ]);
    await door.close();
  });
});

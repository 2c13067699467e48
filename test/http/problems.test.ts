/** Refusals as the caller reads them, held against docs/api.md. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { rejectionCodes } from '../../src/domain/rejection.ts';
import { faultAnswer, problemAnswer, problems } from '../../src/http/problems.ts';

const bodyOf = (answer: { body?: unknown }) => JSON.parse(String(answer.body));

describe('every refusal', () => {
  test.each(rejectionCodes)('%s has a status that its body repeats', (code) => {
    const answer = problemAnswer({ code, message: 'm' });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(bodyOf(answer)).toMatchObject({ statusCode: String(answer.status), code });
  });

  test('keeps its fixed words whatever the rejection says', () => {
    const missing = bodyOf(problemAnswer({ code: 'NoSuchKey', message: 'secret detail' }));
    expect(missing).toEqual({
      statusCode: '404',
      error: 'not_found',
      message: 'Object not found',
      code: 'NoSuchKey',
    });
  });

  test('shows hint and facts beside its words', () => {
    const facts = { max_bytes: 5 };
    expect(bodyOf(problemAnswer({ code: 'EntityTooLarge', hint: 'h', facts }))).toEqual({
      statusCode: '413',
      error: 'Payload too large',
      message: 'The object exceeded the maximum allowed size',
      code: 'EntityTooLarge',
      hint: 'h',
      max_bytes: 5,
    });
  });

  test.each(['OutcomeUnknown', 'Overloaded', 'NotReady', 'ReadOnly', 'TooManyRequests'] as const)(
    '%s says when to come again',
    (code) => {
      expect(problemAnswer({ code }).headers['retry-after']).toMatch(/^\d+$/);
    },
  );

  test('of a token asks for another one as RFC 6750 says', () => {
    const challenge = (code: 'MissingAuthorization' | 'InvalidJWT') =>
      problemAnswer({ code }).headers['www-authenticate'];
    expect(challenge('MissingAuthorization')).toBe('Bearer');
    expect(challenge('InvalidJWT')).toBe('Bearer error="invalid_token"');
  });
});

test('a fault tells nothing', () => {
  expect(Object.keys(bodyOf(faultAnswer()))).toEqual(['statusCode', 'error', 'message', 'code']);
});

test('the table of docs/api.md is this one', async () => {
  const page = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const rows = page.matchAll(/^\| (\d{3}) \| `(\w+)` \| (.+?) \| (.+?) \|$/gm);
  const documented = new Map(
    [...rows].map(([, status, code = '', error, message]) => [code, { status, error, message }]),
  );
  const fixed = (words: string | undefined, otherwise: string) =>
    words === undefined ? otherwise : `\`${words}\``;
  for (const [code, { status, error, message }] of Object.entries(problems)) {
    expect([code, documented.get(code)]).toMatchObject([
      code,
      { status: String(status), error: fixed(error, '*code*') },
    ]);
    if (message !== undefined) expect(documented.get(code)?.message).toBe(`\`${message}\``);
  }
});

import { createSecretKey } from 'node:crypto';
import { fc, test } from '@fast-check/vitest';
import { CompactSign } from 'jose';
import { expect } from 'vitest';
import { signPayload, verifyPayload } from '../../src/service/signed-urls/tokens.ts';

test.prop([
  fc.dictionary(fc.string(), fc.jsonValue()),
  fc.uint8Array({ minLength: 32, maxLength: 64 }),
  fc.stringMatching(/^[0-9a-zA-Z_-]{1,64}$/),
])('a token is the text that jose signs, and jose takes it', async (payload, secret, kid) => {
  const key = { kid, key: createSecretKey(secret) };
  const text = JSON.stringify(payload);
  const expected = await new CompactSign(Buffer.from(text))
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid })
    .sign(key.key);
  const token = signPayload(key, payload);
  expect(token).toBe(expected);
  const keys = { verifier: async () => key };
  expect(JSON.stringify(await verifyPayload(keys, token))).toBe(JSON.stringify(JSON.parse(text)));
});

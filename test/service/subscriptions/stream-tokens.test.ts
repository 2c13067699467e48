import { expect, it } from 'vitest';
import type { Caller } from '../../../src/domain/caller.ts';
import { createStreamTokens } from '../../../src/service/subscriptions/stream-tokens.ts';

const key = { kid: 'k', key: Buffer.alloc(32, 7) };

function tokens() {
  let count = 0;
  return createStreamTokens({
    signingKeys: {
      signer: async () => key as never,
      verifier: async () => key as never,
    },
    clock: { now: () => 1_000 },
    ids: { uuid: () => String(count++) } as never,
    epoch: () => 1,
  });
}

const anything = { bucket: null, prefix: null, types: null };

it.each<Caller>([
  { kind: 'user', id: 'ann' },
  { kind: 'service', id: 'ann' },
  { kind: 'service', id: null },
])('a token opens as who asked for it: %o', async (caller) => {
  const one = tokens();
  const { token } = await one.issue(caller, anything, undefined);
  expect(await one.redeem(token)).toMatchObject({ ok: true, value: { caller } });
});

it('a token of nobody opens nothing', async () => {
  const one = tokens();
  const { token } = await one.issue({ kind: 'anonymous' }, anything, undefined);
  expect(await one.redeem(token)).toMatchObject({ ok: false, rejection: { code: 'InvalidJWT' } });
});

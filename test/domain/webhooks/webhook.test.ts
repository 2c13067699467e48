import { describe, expect, test } from 'vitest';
import { callerOf, isOwnedBy, ownerOf } from '../../../src/domain/consumers/owner.ts';
import type { WebhookDefined } from '../../../src/domain/events.ts';
import type { Position } from '../../../src/domain/names.ts';
import type { Result } from '../../../src/domain/result.ts';
import {
  decideCreateWebhook,
  decideRemoveWebhook,
  decideRotate,
  decideWebhookState,
  maxWebhooks,
  maxWebhooksPerOwner,
  rotationMs,
  signingSecrets,
  type WebhookRow,
  webhookAfter,
} from '../../../src/domain/webhooks/webhook.ts';

const owner = { owner_role: 'user', owner_id: 'alice' } as const;
const filter = { bucket: null, prefix: null, types: null };
const create = { owner, id: 'w', url: 'https://x.example/', filter, secretId: 's1' };
const at = (position: number, timeMs: number) => ({ position: position as Position, timeMs });

function allowed<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.rejection.code);
}

const codeOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.rejection.code);

const created = allowed(decideCreateWebhook({ ofOwner: 0, all: 0 }, create));
const row: WebhookRow = webhookAfter(created, at(7, 1000));

const apply = (event: WebhookDefined, timeMs: number) => webhookAfter(event, at(9, timeMs));

describe('a webhook', () => {
  test('hears of what follows the record that made it, whatever changes it later', () => {
    expect(row).toMatchObject({ from: 7, created_at: 1000, updated_at: 1000, state: 'active' });
    const paused = allowed(decideWebhookState(row, { state: 'paused' }));
    expect(paused && apply(paused, 2000)).toMatchObject({
      from: 7,
      created_at: 1000,
      updated_at: 2000,
      state: 'paused',
    });
  });

  test('is refused where its owner, or the store, has as many as there may be', () => {
    const counts = { ofOwner: maxWebhooksPerOwner, all: maxWebhooksPerOwner };
    expect(codeOf(decideCreateWebhook(counts, create))).toBe('InvalidRequest');
    expect(codeOf(decideCreateWebhook({ ofOwner: 0, all: maxWebhooks }, create))).toBe(
      'Overloaded',
    );
  });

  test('changes nothing by the state that it has, and is missing where it is not there', () => {
    expect(allowed(decideWebhookState(row, { state: 'active' }))).toBeUndefined();
    expect(codeOf(decideWebhookState(undefined, { state: 'paused' }))).toBe('NoSuchRoute');
    expect(codeOf(decideRotate(undefined, { secretId: 's', nowMs: 0 }))).toBe('NoSuchRoute');
    expect(codeOf(decideRemoveWebhook(undefined))).toBe('NoSuchRoute');
  });

  test('signs with both secrets for a day after a rotation, then with the new one', () => {
    const rotated = apply(allowed(decideRotate(row, { secretId: 's2', nowMs: 5000 })), 5000);
    const ids = (nowMs: number) => signingSecrets(rotated, nowMs).map(({ id }) => id);
    expect(ids(5001)).toEqual(['s2', 's1']);
    expect(ids(5000 + rotationMs - 1)).toEqual(['s2', 's1']);
    expect(ids(5000 + rotationMs)).toEqual(['s2']);
  });

  test('signs with three secrets at most, however often they are rotated', () => {
    let now = row;
    for (const secretId of ['s2', 's3', 's4', 's5']) {
      now = apply(allowed(decideRotate(now, { secretId, nowMs: 1 })), 1);
    }
    expect(now.secrets.map(({ id }) => id)).toEqual(['s5', 's4', 's3']);
    const later = apply(allowed(decideRotate(now, { secretId: 's6', nowMs: rotationMs * 2 })), 1);
    expect(later.secrets.map(({ id }) => id)).toEqual(['s6', 's5']);
  });
});

describe('an owner', () => {
  const user = { kind: 'user', id: 'alice' } as const;
  const service = { kind: 'service', id: 'alice' } as const;

  test('is a user or a service, which are two where they have one id', () => {
    expect(isOwnedBy(owner, user)).toBe(true);
    expect(isOwnedBy(owner, service)).toBe(false);
    expect(isOwnedBy({ owner_role: 'service', owner_id: 'alice' }, user)).toBe(false);
    expect(isOwnedBy({ owner_role: 'service', owner_id: null }, { kind: 'anonymous' })).toBe(false);
  });

  test.each([user, service, { kind: 'service', id: null } as const])(
    '%o is decided as',
    (caller) => {
      expect(callerOf(allowed(ownerOf(caller)))).toEqual(caller);
    },
  );
});

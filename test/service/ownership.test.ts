import { expect, test } from 'vitest';
import { createOwnership } from '../../src/service/ownership.ts';
import { service, user } from '../support/rig.ts';
import { silent } from '../support/views.ts';

const owned = { owner_role: 'user', owner_id: 'alice' } as const;
const other = { owner_role: 'service', owner_id: 'alice' } as const;

function setting() {
  const counted: string[] = [];
  const ownership = createOwnership({ ...silent, count: (counter) => void counted.push(counter) });
  return { ownership, counted };
}

test('an owner holds what is theirs, and a stranger nothing, which is counted', () => {
  const { ownership, counted } = setting();
  expect(ownership.holds(user('alice'), owned, 'x')).toBe(true);
  expect(counted).toEqual([]);
  expect(ownership.holds(user('bob'), owned, 'x')).toBe(false);
  expect(ownership.holds(user('alice'), other, 'x')).toBe(false);
  expect(counted).toEqual(['policy_denial', 'policy_denial']);
});

test('the service role holds all, by a bypass that is counted once a request', () => {
  const { ownership, counted } = setting();
  expect(ownership.holds(service, owned, 'x')).toBe(true);
  expect(ownership.listed(service, [owned, other, owned], 'all')).toHaveLength(3);
  expect(counted).toEqual(['service_bypass', 'service_bypass']);
});

test('a list shows a user what is theirs, and a service its own without a bypass', () => {
  const { ownership, counted } = setting();
  expect(ownership.listed(user('alice'), [owned, other], 'all')).toEqual([owned]);
  const own = { owner_role: 'service', owner_id: null } as const;
  expect(ownership.listed(service, [own], 'all')).toEqual([own]);
  expect(counted).toEqual([]);
});

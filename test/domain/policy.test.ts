import { describe, expect, test } from 'vitest';
import { actions, authorize, decide, readableRows } from '../../src/domain/policy.ts';
import { policyCases } from './policy.cases.ts';
import { bucketOf } from './samples.ts';

describe('who may do what, cell by cell', () => {
  test.each(policyCases.map((cell) => [cell.name, cell] as const))('%s', (_name, cell) => {
    const { request, expected, rows } = cell;
    const { decision, refusal } = authorize(request);
    expect(refusal?.code ?? 'allowed').toBe(expected);
    if (expected === 'allowed') expect(decision.allowed).toBe(true);
    if (rows && request.bucket) {
      expect(readableRows(request.caller, request.bucket)?.rows).toBe(rows);
    }
  });

  test('the table has a case for every action, and as many cells as API.md says', () => {
    expect(new Set(policyCases.map(({ request }) => request.action))).toEqual(new Set(actions));
    expect(policyCases.length).toBe(25 * 5 * 6 + 18 * 5 + 2 * 5);
  });

  test('nobody creates buckets but the service role where nothing is configured', () => {
    const caller = { kind: 'user', id: 'uma' } as const;
    expect(authorize({ caller, action: 'bucket.create' }).refusal?.code).toBe('AccessDenied');
  });
});

describe('the rule that decided', () => {
  test.each([
    ['object.read', 'public', 'public bucket'],
    ['object.read', 'authenticated', 'authenticated bucket'],
    ['object.overwrite', 'private', 'object owner'],
    ['object.add', 'private', 'bucket owner'],
    ['object.list', 'private', 'readable rows only'],
  ] as const)('%s in a %s bucket is allowed by: %s', (action, policy, rule) => {
    const found = policyCases.find(
      ({ request, expected }) =>
        request.caller.kind === 'user' &&
        request.action === action &&
        request.bucket?.policy === policy &&
        request.bucket.write_policy === 'owner' &&
        expected === 'allowed' &&
        decide(request).rule === rule,
    );
    expect(found).toBeDefined();
  });
});

describe('what a service token is shown is a bypass', () => {
  const caller = { kind: 'service', id: null } as const;
  test.each([
    ['object.list', 'private', true],
    ['object.list', 'authenticated', false],
    ['object.read', 'private', true],
    ['object.read', 'public', false],
    ['object.overwrite', 'public', true],
    ['bucket.see', 'authenticated', false],
    ['bucket.widen', 'public', true],
    ['bucket.list', 'public', true],
  ] as const)('%s, %s bucket: %s', (action, policy, bypass) => {
    // A bucket that any signed-in user sees; of a private one they see their own rows, this one all.
    const bucket = bucketOf({ policy, write_policy: 'authenticated' });
    const request = { caller, action, bucket, object: { owner_id: 'olga' } };
    expect(authorize(request)).toMatchObject({ decision: { allowed: true, bypass } });
  });
});

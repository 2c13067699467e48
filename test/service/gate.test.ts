/** Which faults count as the closing of the views while they are built anew, and which stay faults. */
import { describe, expect, test } from 'vitest';
import { rejection } from '../../src/domain/rejection.ts';
import { guardService } from '../../src/service/guard/gate.ts';
import type { Service } from '../../src/service/service.ts';
import { ApplierClosed, ApplyFailed } from '../../src/views/applier.ts';
import { ViewsDamaged } from '../../src/views/views.ts';
import { key, user } from '../support/rig.ts';

const observe = { debug() {}, info() {}, warn() {}, error() {}, count() {} };

/** A service whose delete throws once the views were closed under it. */
function closedUnder(fault: Error): Service {
  let isClosed = false;
  const remove = async () => {
    isClosed = true;
    throw fault;
  };
  const none = {};
  const parts = {
    buckets: none,
    objects: { remove },
    signedUrls: none,
    queries: none,
    subscriptions: none,
    consumers: none,
    webhooks: none,
    admin: none,
  };
  return guardService(parts as unknown as Service, {
    health: { closedTo: () => (isClosed ? rejection('NotReady') : undefined) },
    observe,
  });
}

const remove = (fault: Error) => closedUnder(fault).objects.remove(user('alice'), key('b', 'a'));

describe('while the views are closed', () => {
  test.each([
    ['damage', new ViewsDamaged('a row')],
    ['a closed applier', new ApplierClosed('closed')],
    ['what damage caused', new ApplyFailed('x', { cause: new ViewsDamaged('a row') })],
    ['a closed database', Object.assign(new Error('x'), { code: 'LEVEL_DATABASE_NOT_OPEN' })],
    ['a closed iterator', Object.assign(new Error('x'), { code: 'LEVEL_ITERATOR_NOT_OPEN' })],
  ])('%s is "not ready"', async (_name, fault) => {
    expect(await remove(fault)).toMatchObject({ ok: false, rejection: { code: 'NotReady' } });
  });

  test.each([
    ['a broken invariant', new Error('the totals are below zero')],
    ['a failing disk', Object.assign(new Error('x'), { code: 'EIO' })],
  ])('%s is a fault as ever', async (_name, fault) => {
    await expect(remove(fault)).rejects.toBe(fault);
  });
});

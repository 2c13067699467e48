import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDoor, type TestDoor } from './support/door.ts';

let door: TestDoor;
beforeAll(async () => {
  door = await startDoor();
});
afterAll(() => door.close());

const job = { id: 'job-1', kind: 'sweep', state: 'running', progress: { done: 1, total: 2 } };

describe('admin jobs', () => {
  test('are begun, listed, watched and cancelled by the service', async () => {
    const begun = await door.call('/admin/jobs', {
      as: 'service',
      method: 'POST',
      json: { kind: 'sweep' },
    });
    expect(begun.status).toBe(200);
    expect(await begun.json()).toEqual({ id: 'job-1' });
    const listed = await door.call('/admin/jobs', { as: 'service' });
    expect(await listed.json()).toMatchObject([job]);
    const found = await door.call('/admin/jobs/job-1', { as: 'service' });
    expect(await found.json()).toMatchObject(job);
    const cancelled = await door.call('/admin/jobs/job-1', { as: 'service', method: 'DELETE' });
    expect(await cancelled.json()).toMatchObject({ id: 'job-1', state: 'cancelled' });
  });

  test.each([
    [{ kind: 'no-such' }, 'no-such'],
    [{}, 'kind'],
    [{ kind: 5 }, 'kind'],
    [[], 'JSON object'],
  ])('%j is refused by name', async (json, named) => {
    const reply = await door.call('/admin/jobs', { as: 'service', method: 'POST', json });
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining(named),
    });
  });

  test.each([
    ['GET', '/admin/jobs'],
    ['POST', '/admin/jobs'],
    ['GET', '/admin/jobs/job-1'],
    ['DELETE', '/admin/jobs/job-1'],
  ])('%s %s is not for others', async (method, path) => {
    const json = method === 'POST' ? { json: { kind: 'sweep' } } : {};
    expect((await door.call(path, { as: null, method, ...json })).status).toBe(401);
    expect((await door.call(path, { as: 'ann', method, ...json })).status).toBe(403);
  });

  test('one that is not there is 404, another method 405', async () => {
    for (const method of ['GET', 'DELETE']) {
      const reply = await door.call('/admin/jobs/job-2', { as: 'service', method });
      expect(reply.status).toBe(404);
    }
    expect((await door.call('/admin/jobs', { as: 'service', method: 'PUT' })).status).toBe(405);
  });
});

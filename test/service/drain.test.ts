import { describe, expect, it } from 'vitest';
import { rejection } from '../../src/domain/rejection.ts';
import { refuse } from '../../src/domain/result.ts';
import { createDrainer, type DrainParts } from '../../src/service/drain.ts';
import { createHealth } from '../../src/service/health.ts';
import type { Drain } from '../../src/views/views.ts';
import { silent } from '../support/views.ts';

function draining(parts: Partial<DrainParts> = {}) {
  const health = createHealth();
  health.recovered();
  const looks: number[] = [];
  const drainer = createDrainer({
    views: {
      async drains() {
        looks.push(looks.length);
        return [];
      },
      rowsOf: async () => [],
    },
    commit: async () => refuse({ ...rejection('ReadOnly'), outcome: 'nothing' }),
    health,
    observe: silent,
    pause: async () => {},
    ...parts,
  });
  return { drainer, health, looks };
}

describe('the drainer', () => {
  it.each(Array.from({ length: 8 }, (_, ticks) => ticks))(
    'looks again when it is woken at its very end (after %i microtasks)',
    async (ticks) => {
      const { drainer, looks } = draining();
      drainer.wake();
      for (let tick = 0; tick < ticks; tick += 1) await undefined;
      const before = looks.length;
      drainer.wake();
      await drainer.idle();
      expect(looks.length).toBeGreaterThan(before);
    },
  );

  it('shows in the health that it gave up, until it went through', async () => {
    let broken = true;
    const { drainer, health } = draining({
      views: {
        async drains() {
          if (broken) throw new Error('EIO');
          return [];
        },
        rowsOf: async () => [],
      },
    });
    drainer.wake();
    await drainer.idle();
    expect(health.now().status).toBe('degraded');
    broken = false;
    drainer.wake();
    await drainer.idle();
    expect(health.now().status).toBe('ready');
  });

  it('pauses between tries while the log takes no more', async () => {
    let refusals = 0;
    const pauses: number[] = [];
    const { drainer } = draining({
      views: {
        drains: async () => [{ bucket: { name: 'b' } } as unknown as Drain],
        rowsOf: async () => (refusals < 3 ? [{} as never] : []),
      },
      commit: async () => {
        refusals += 1;
        return refuse({ ...rejection('Overloaded'), outcome: 'nothing' });
      },
      pause: async (ms) => void pauses.push(ms),
    });
    drainer.wake();
    await drainer.idle();
    expect(pauses).toEqual([100, 100, 100]);
  });
});

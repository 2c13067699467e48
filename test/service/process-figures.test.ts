/** How long the event loop keeps others waiting, as the status tells it. */
import { expect, test } from 'vitest';
import { watchProcess } from '../../src/service/guard/process-figures.ts';
import { until } from '../acceptance/support/until.ts';

test('a loop that is blocked shows, from the first look on, and is told once', async () => {
  const figures = watchProcess();
  const first = figures();
  expect(first.event_loop_delay_ms).toBeNull();
  expect(first.rss_bytes).toBeGreaterThan(10_000_000);
  const delay = () => figures().event_loop_delay_ms ?? undefined;
  const blocked = await until('the delay', () => {
    const end = performance.now() + 100;
    while (performance.now() < end);
    const told = delay();
    return told && told.max > 80 ? told : undefined;
  });
  expect(blocked.p50).toBeLessThanOrEqual(blocked.max);
  // Now only the machine is in the way, not this loop.
  await until('a calm sample', () => (delay()?.max ?? 100) < 80);
});

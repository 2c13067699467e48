/** A day's work in small, at an even rate, for as long as it is told to. */
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Trend } from 'k6/metrics';
import * as store from './store.js';

export { handleSummary } from './store.js';

/** What a request waits that has nothing to do: the event loop's delay, and the way there. */
const live = new Trend('live', true);
const duration = __ENV.DURATION;

const { scenarios, ...rest } = store.optionsFor({
  executor: 'constant-arrival-rate',
  rate: Number(__ENV.RATE),
  timeUnit: '1s',
  duration,
  preAllocatedVUs: store.clients,
  maxVUs: store.clients * 4,
});
for (const name of ['vus', 'iterations', 'maxDuration']) delete scenarios.load[name];
const probe = { executor: 'constant-arrival-rate', exec: 'feel', rate: 2, timeUnit: '1s' };
export const options = {
  ...rest,
  scenarios: { ...scenarios, probe: { ...probe, duration, preAllocatedVUs: 4 } },
};
export const setup = store.fill;

const large = new Uint8Array(512 * 1024).fill(7).buffer;

export function work() {
  const index = exec.scenario.iterationInTest;
  const own = `soak/${index % 500}`;
  switch (index % 10) {
    case 0:
      return store.upload(own);
    case 1:
      return store.upload(`large/${exec.vu.idInTest}`, large);
    case 2:
      return store.list('prefix=stock/&limit=100', Math.min(100, store.stock));
    case 3:
      return store.follow(store.sign(store.anyOfStock()), store.sizeBytes);
    case 4: {
      const passing = `passing/${exec.vu.idInTest}`;
      return store.upload(passing) && store.remove(passing) && store.gone(passing);
    }
    case 5:
      return store.info(store.anyOfStock());
    default:
      return store.download(store.anyOfStock());
  }
}

export function feel() {
  const reply = http.get(`${__ENV.URL}/health/live`);
  check(reply, { 'answered as it must be': ({ status }) => status === 200 });
  live.add(reply.timings.waiting);
}

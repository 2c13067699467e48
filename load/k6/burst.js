/** All uploads at once: a client and a connection for each. */
import exec from 'k6/execution';
import { clients, optionsFor, upload } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor({
  executor: 'per-vu-iterations',
  vus: clients,
  iterations: 1,
});

export function work() {
  upload(`burst/${exec.vu.idInTest}`);
}

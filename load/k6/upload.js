/** New objects, each under a name of its own. */
import exec from 'k6/execution';
import { optionsFor, upload } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();

export function work() {
  upload(`up/${exec.scenario.iterationInTest}`);
}

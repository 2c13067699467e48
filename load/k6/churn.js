/** A file that comes and goes: stored, read, deleted, and not there any more. */
import exec from 'k6/execution';
import { download, gone, optionsFor, remove, upload } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();

export function work() {
  // Names come back, so that a path lives many lives.
  const name = `churn/${exec.vu.idInTest}/${exec.vu.iterationInScenario % 3}`;
  upload(name);
  download(name);
  remove(name);
  gone(name);
}

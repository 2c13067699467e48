/** Four downloads to an upload. */
import exec from 'k6/execution';
import { anyOfStock, download, fill, optionsFor, upload } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();
export const setup = fill;

export function work() {
  const index = exec.scenario.iterationInTest;
  if (index % 5 === 0) upload(`up/${index}`);
  else download(anyOfStock());
}

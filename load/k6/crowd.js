/** A bucket with very many objects: pages, one object's metadata, its bytes. */
import exec from 'k6/execution';
import { anyOfStock, download, fill, info, list, optionsFor, stock } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();
export const setup = fill;

export function work() {
  const turn = exec.scenario.iterationInTest % 3;
  if (turn === 0) list('prefix=stock/&limit=1000', Math.min(1000, stock));
  else if (turn === 1) info(anyOfStock());
  else download(anyOfStock());
}

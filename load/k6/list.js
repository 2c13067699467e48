/** Pages of a thousand, or of all there is. */
import { fill, list, optionsFor, stock } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();
export const setup = fill;

export function work() {
  list('prefix=stock/&limit=1000', Math.min(1000, stock));
}

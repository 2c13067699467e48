/** Objects that lie there, in no order. */
import { anyOfStock, download, fill, optionsFor } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();
export const setup = fill;

export function work() {
  download(anyOfStock());
}

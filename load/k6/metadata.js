/** What an object is, without its bytes. */
import { anyOfStock, fill, info, optionsFor } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();
export const setup = fill;

export function work() {
  info(anyOfStock());
}

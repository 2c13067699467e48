/** A signed URL, and its use. */
import { anyOfStock, fill, follow, optionsFor, sign, sizeBytes } from './store.js';

export { handleSummary } from './store.js';
export const options = optionsFor();
export const setup = fill;

export function work() {
  follow(sign(anyOfStock()), sizeBytes);
}

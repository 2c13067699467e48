/** A fault at every disk call of what the store does by itself and for its clients. */
import { injectInto } from './injection.ts';
import { scenarios } from './scenarios.ts';

injectInto(scenarios);

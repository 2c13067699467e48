/** A fault at every disk call of packs, consumers and webhooks; a file of its own, to run beside the others. */
import { followerScenarios } from './follower-scenarios.ts';
import { injectInto } from './injection.ts';
import { packScenarios } from './pack-scenarios.ts';

injectInto([...packScenarios, ...followerScenarios]);

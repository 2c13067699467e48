/** Consumers and webhooks, interrupted at every disk call: definitions, secrets, cursors. */
import type { Scenario } from './scenarios.ts';

const small = Buffer.from('small');

export const followerScenarios: readonly Scenario[] = [
  {
    name: 'a consumer is made, changed, and removed',
    async run(steps) {
      await steps.defineConsumer(null);
      await steps.defineConsumer('a/');
      await steps.removeConsumer();
      await steps.defineConsumer('b/');
    },
  },
  {
    name: 'a consumer acknowledges, stops in good order, and goes on',
    async before(steps) {
      await steps.bucket('b');
      await steps.put('a', small);
      await steps.defineConsumer(null);
    },
    async run(steps) {
      await steps.acknowledge();
      await steps.close();
      await steps.reopen();
    },
  },
  {
    name: 'a webhook is made, and its secret rotated',
    async run(steps) {
      await steps.makeWebhook();
      await steps.rotateWebhook();
      await steps.rotateWebhook();
    },
  },
  {
    name: 'a webhook is paused, replayed, and removed',
    before: (steps) => steps.makeWebhook(),
    async run(steps) {
      await steps.pauseWebhook();
      await steps.replayWebhook();
      await steps.removeWebhook();
      await steps.makeWebhook();
    },
  },
];

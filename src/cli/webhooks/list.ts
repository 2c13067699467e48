/** `webhooks list`: where events are sent to, how far each has come, and what is parked. */
import type { Command } from 'commander';
import { ok } from '../../domain/result.ts';
import { webhookJson } from '../../http/webhooks/representation.ts';
import { askStore } from '../ask-store.ts';
import { type CommonOptions, define, type Run } from '../command.ts';
import { writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';

export function addWebhooksList(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'list',
    summary: 'List the webhooks of all owners: their state, and what is parked.',
    examples: [
      'webhooks list --url http://127.0.0.1:8787 --token "$TOKEN"',
      'webhooks list --data-dir ./data',
    ],
    works: 'either',
    act: (options) => list(run.surroundings, options),
  });
}

type Webhook = ReturnType<typeof webhookJson>;

async function list(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const webhooks = (await askStore(surroundings, options, {
    remote: { path: '/webhooks' },
    async offline(service, call) {
      const all = await service.webhooks.list(call);
      return all.ok ? ok(all.value.map(webhookJson)) : all;
    },
  })) as readonly Webhook[];
  if (options.json) writeJson(surroundings, { webhooks });
  else if (webhooks.length === 0) surroundings.write('There are no webhooks.\n');
  else {
    writeTable(surroundings, {
      head: ['id', 'owner', 'state', 'position', 'tries', 'parked', 'last', 'url'],
      rows: webhooks.map((webhook) => [
        webhook.id,
        webhook.owner_id,
        webhook.state,
        webhook.position,
        webhook.tries,
        webhook.parked_count,
        webhook.last && (webhook.last.error ?? webhook.last.status),
        webhook.url,
      ]),
    });
  }
  return 0;
}

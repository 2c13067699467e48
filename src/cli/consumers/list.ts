/** `consumers list`: who reads under a name, and how far each is behind. */
import type { Command } from 'commander';
import { ok } from '../../domain/result.ts';
import { consumerJson } from '../../http/consumers/representation.ts';
import { askStore } from '../ask-store.ts';
import { type CommonOptions, define, type Run } from '../command.ts';
import { writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';

export function addConsumersList(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'list',
    summary: 'List the consumers of all owners: where each is, and how far it is behind.',
    examples: [
      'consumers list --url http://127.0.0.1:8787 --token "$TOKEN"',
      'consumers list --data-dir ./data',
    ],
    works: 'either',
    act: (options) => list(run.surroundings, options),
  });
}

type Consumer = ReturnType<typeof consumerJson>;

async function list(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const consumers = (await askStore(surroundings, options, {
    remote: { path: '/consumers' },
    async offline(service, call) {
      const all = await service.consumers.list(call);
      return all.ok ? ok(all.value.map(consumerJson)) : all;
    },
  })) as readonly Consumer[];
  if (options.json) writeJson(surroundings, { consumers });
  else if (consumers.length === 0) surroundings.write('There are no consumers.\n');
  else {
    writeTable(surroundings, {
      head: ['name', 'owner', 'position', 'behind', 'seconds', 'connected', 'bucket', 'prefix'],
      rows: consumers.map(({ name, owner_id, position, lag, connected, bucket, prefix }) => [
        name,
        owner_id,
        position,
        lag.events,
        lag.seconds,
        connected,
        bucket,
        prefix,
      ]),
    });
  }
  return 0;
}

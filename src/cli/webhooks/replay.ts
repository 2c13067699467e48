/** `webhooks replay`: what is parked is tried once more, or everything from a position on. */
import { type Command, Option } from 'commander';
import { ok } from '../../domain/result.ts';
import { replayOf } from '../../http/webhooks/replay.ts';
import { askStore } from '../ask-store.ts';
import { type CommonOptions, define, type Run } from '../command.ts';
import { misuse } from '../failures.ts';
import { writeFacts, writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';

interface ReplayOptions extends CommonOptions {
  readonly from?: string;
}

export function addWebhooksReplay(parent: Command, run: Run): void {
  define<ReplayOptions>(parent, run, {
    name: 'replay',
    summary:
      'Send once more: the parked events that are named, all that are parked, or all from a position on.',
    examples: [
      'webhooks replay 01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e --url http://127.0.0.1:8787 --token "$TOKEN"',
      'webhooks replay 01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e --from beginning --data-dir ./data',
    ],
    works: 'either',
    argument: '<id> [events...]',
    options: [
      new Option('--from <position>', 'a position, an id of an event, "beginning" or "now"'),
    ],
    act: (options, [id = '', ...events]) => replay(run.surroundings, options, { id, events }),
  });
}

async function replay(
  surroundings: Surroundings,
  options: ReplayOptions,
  { id, events }: { readonly id: string; readonly events: readonly string[] },
): Promise<ExitCode> {
  const { from } = options;
  if (!/^[0-9a-f-]{36}$/.test(id)) {
    throw misuse(`${id} is no webhook's id: "webhooks list" shows them.`);
  }
  if (from !== undefined && events.length > 0) throw misuse('--from does not go with events.');
  const body = from !== undefined ? { from } : events.length > 0 ? { events } : {};
  const asked = replayOf(body);
  if (!asked.ok) throw misuse(`${asked.rejection.message}.`);
  const answer = (await askStore(surroundings, options, {
    remote: { method: 'POST', path: `/webhooks/${id}/replay`, body },
    async offline(service, call) {
      const done = await service.webhooks.replay(call, id, asked.value);
      return done.ok ? ok({ replayed: done.value.replayed }) : done;
    },
  })) as { readonly replayed: number };
  if (options.json) writeJson(surroundings, answer);
  else writeFacts(surroundings, [['parked events to be tried again', answer.replayed]]);
  return 0;
}

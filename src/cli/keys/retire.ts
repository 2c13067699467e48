/** `keys retire`: everything that these keys signed is void at once. */
import type { Command } from 'commander';
import { type CommonOptions, define, type Run } from '../command.ts';
import { CommandRefused } from '../failures.ts';
import { writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { signingKeysOf } from './signing-keys.ts';

export function addKeysRetire(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'retire',
    summary: 'Make all URLs void that these keys signed. It can not be undone.',
    examples: ['keys retire 1f2e3d4c5b6a7988', 'keys list'],
    works: 'offline',
    argument: '<kids...>',
    act: (options, kids) => retireKeys(run.surroundings, options, kids),
  });
}

async function retireKeys(
  surroundings: Surroundings,
  options: CommonOptions,
  kids: readonly string[],
): Promise<ExitCode> {
  const keys = await signingKeysOf(surroundings, options);
  const known = new Set((await keys.list()).map(({ kid }) => kid));
  const unknown = kids.find((kid) => !known.has(kid));
  if (unknown !== undefined) {
    throw new CommandRefused(
      1,
      `There is no key ${JSON.stringify(unknown)}, and none was retired: "aerostore keys list" shows them.`,
    );
  }
  // One that is gone by now was retired and then forgotten: what it signed is void all the same.
  for (const kid of kids) await keys.retire(kid);
  if (options.json) writeJson(surroundings, { retired: kids });
  else surroundings.write(`Retired: ${kids.join(', ')}. What they signed is void.\n`);
  return 0;
}

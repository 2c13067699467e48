/** `keys list`: the signing keys by name; never what they are. */
import type { Command } from 'commander';
import { type CommonOptions, define, type Run } from '../command.ts';
import { writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { signingKeysOf } from './signing-keys.ts';

export function addKeysList(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'list',
    summary: 'Show the keys that sign URLs: which one signs, which only verify.',
    examples: ['keys list --data-dir ./data'],
    works: 'offline',
    act: (options) => listKeys(run.surroundings, options),
  });
}

async function listKeys(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const keys = await (await signingKeysOf(surroundings, options)).list();
  if (options.json) {
    const rows = keys.map(({ kid, state, created: created_at }) => ({ kid, state, created_at }));
    writeJson(surroundings, { keys: rows });
  } else if (keys.length === 0) {
    surroundings.write('There are no signing keys yet: the first URL that is signed makes one.\n');
  } else {
    const rows = keys.map(({ kid, state, created }) => [kid, state, created]);
    writeTable(surroundings, { head: ['key', 'state', 'created'], rows });
  }
  return 0;
}

/** `keys rotate`: a new key signs from now on; what was signed before stays valid. */
import type { Command } from 'commander';
import { type CommonOptions, define, type Run } from '../command.ts';
import { writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { signingKeysOf } from './signing-keys.ts';

export function addKeysRotate(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'rotate',
    summary: 'Sign with a new key; URLs signed before stay valid until their key is retired.',
    examples: ['keys rotate', 'keys rotate --json'],
    works: 'offline',
    act: (options) => rotateKeys(run.surroundings, options),
  });
}

async function rotateKeys(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const { kid, state, created } = await (await signingKeysOf(surroundings, options)).rotate();
  if (options.json) writeJson(surroundings, { kid, state, created_at: created });
  else
    surroundings.write(`${kid} signs from now on. Earlier keys verify until they are retired.\n`);
  return 0;
}

/** `views digest`: one hash over all rows: the same log gives the same digest, wherever it is read. */
import type { Command } from 'commander';
import { type CommonOptions, configOf, define, type Run, serverOf } from '../command.ts';
import { requireLog } from '../log-directory.ts';
import { writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { remoteDigest } from './remote-digest.ts';

export function addViewsDigest(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'digest',
    summary: 'Print the digest of the views, 64 hex digits.',
    examples: [
      'views digest --data-dir ./data',
      'views digest --url http://127.0.0.1:8787 --token "$(aerostore token --role service)"',
    ],
    works: 'either',
    act: (options) => viewsDigest(run.surroundings, options),
  });
}

async function viewsDigest(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const server = serverOf(options);
  const { digest, position } = server
    ? await remoteDigest(server)
    : await offlineDigest(surroundings, options);
  if (options.json) writeJson(surroundings, { digest, position });
  else surroundings.write(`${digest}\n`);
  return 0;
}

async function offlineDigest(surroundings: Surroundings, options: CommonOptions) {
  const config = configOf(surroundings, options);
  await requireLog(config.dataDir);
  const compose = await surroundings.compose();
  return compose.offlineDigest(config);
}

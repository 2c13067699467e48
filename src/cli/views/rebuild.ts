/** `views rebuild`: makes the views anew from the log. The server must not run meanwhile. */
import type { Command } from 'commander';
import { type CommonOptions, configOf, define, type Run, refuseServer } from '../command.ts';
import { requireLog } from '../log-directory.ts';
import { writeFacts, writeJson } from '../output.ts';
import type { ExitCode, RebuildProgress, Surroundings } from '../surroundings.ts';

export function addViewsRebuild(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'rebuild',
    summary: 'Build the views anew from the log.',
    examples: ['views rebuild --data-dir ./data'],
    works: 'either',
    act: (options) => viewsRebuild(run.surroundings, options),
  });
}

async function viewsRebuild(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  refuseServer(options, 'views rebuild');
  const config = configOf(surroundings, options);
  await requireLog(config.dataDir);
  const compose = await surroundings.compose();
  const rebuilt = await compose.rebuildViews(config, progressTo(surroundings));
  const { digest, position, records, tookMs } = rebuilt;
  if (options.json) {
    writeJson(surroundings, { digest, position, records, took_ms: tookMs });
  } else {
    writeFacts(surroundings, [
      ['digest', digest],
      ['position', position],
      ['records', records],
      ['took ms', Math.round(tookMs)],
    ]);
  }
  return 0;
}

/** A line on standard error for each tenth that is done, on a terminal only. */
function progressTo(surroundings: Surroundings): (progress: RebuildProgress) => void {
  let shown = 0;
  return ({ records, total }) => {
    const tenths = total === 0 ? 10 : Math.floor((records / total) * 10);
    if (!surroundings.isTty || tenths <= shown) return;
    shown = tenths;
    surroundings.warn(`${tenths * 10}%  ${records} of ${total} records\n`);
  };
}

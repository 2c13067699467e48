/**
 * `views verify`: every row's check, and each keyspace's totals against its rows. On a directory it
 * changes nothing; a running server builds damaged views anew.
 */
import type { Command } from 'commander';
import { type CommonOptions, configOf, define, type Run, serverOf } from '../command.ts';
import { type JobResult, runJob } from '../job.ts';
import { requireLog } from '../log-directory.ts';
import { writeFacts, writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';

export function addViewsVerify(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'verify',
    summary: 'Look at every row of the views, and list what is damaged or missing.',
    examples: [
      'views verify --data-dir ./data',
      'views verify --url http://127.0.0.1:8787 --token "$(aerostore token --role service)"',
    ],
    works: 'either',
    act: (options) => viewsVerify(run.surroundings, options),
  });
}

async function viewsVerify(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const server = serverOf(options);
  const found = server ? undefined : await offline(surroundings, options);
  // Without a clean stop the views are brought level with the log first, as a start does.
  const result =
    found ?? (await runJob(surroundings, options, { kind: 'views-verify', options: {} }));
  const isWhole = result.ok === true;
  if (options.json) {
    writeJson(surroundings, result);
    return isWhole ? 0 : 1;
  }
  const problems = Array.isArray(result.problems) ? result.problems.map(String) : [];
  for (const problem of problems) surroundings.write(`${problem}\n`);
  if (problems.length > 0) surroundings.write('\n');
  writeFacts(surroundings, [
    ['result', isWhole ? 'whole' : `${Number(result.problem_count)} found`],
    ['rows', Number(result.rows)],
    ...(isWhole ? [] : [['way out', wayOut(server !== undefined)] as const]),
  ]);
  return isWhole ? 0 : 1;
}

async function offline(
  surroundings: Surroundings,
  options: CommonOptions,
): Promise<JobResult | undefined> {
  const config = configOf(surroundings, options);
  await requireLog(config.dataDir);
  const compose = await surroundings.compose();
  const stop = new AbortController();
  const forget = surroundings.onStopSignal(() => stop.abort());
  try {
    const found = await compose.verifyViewsOffline(config, {
      signal: stop.signal,
      onProgress: () => undefined,
    });
    if (!found) return undefined;
    const { rows, problems, problemCount } = found;
    return { ok: problemCount === 0, rows, problems, problem_count: problemCount };
  } finally {
    forget();
  }
}

function wayOut(isServer: boolean): string {
  return isServer
    ? 'the server has built the views anew; run this again'
    : 'aerostore views rebuild: nothing is lost, the views are made from the log';
}

/** `blobs quarantine list|restore|purge`: what the sweep set aside, looked at and decided by a person. */
import type { Command } from 'commander';
import { type CommonOptions, define, type Run } from '../command.ts';
import { misuse } from '../failures.ts';
import { runJob } from '../job.ts';
import { writeFacts, writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';

export function addQuarantine(parent: Command, run: Run): void {
  const group = parent
    .command('quarantine')
    .description('What the sweep set aside, until its bytes are freed.');
  define<CommonOptions>(group, run, {
    name: 'list',
    summary: 'List what is in quarantine, since when, and until when.',
    examples: ['blobs quarantine list --data-dir ./data'],
    works: 'either',
    act: (options) => list(run.surroundings, options),
  });
  define<CommonOptions>(group, run, {
    name: 'restore',
    summary: 'Put things back where they were: those named, or everything.',
    examples: ['blobs quarantine restore 0f9be2f1c0a84d1fa3a8f0a6c4b6d7e8 --data-dir ./data'],
    works: 'either',
    argument: '[ids...]',
    act: (options, ids) => decide(run.surroundings, options, { verdict: 'restore', ids }),
  });
  define<CommonOptions>(group, run, {
    name: 'purge',
    summary: 'Free the bytes now: of those named, or of everything.',
    examples: ['blobs quarantine purge --data-dir ./data'],
    works: 'either',
    argument: '[ids...]',
    act: (options, ids) => decide(run.surroundings, options, { verdict: 'purge', ids }),
  });
}

interface Entry {
  readonly id: string;
  readonly kind: string;
  readonly path: string | null;
  readonly size: number;
  readonly arrived_at: string;
  readonly frees_at: string;
}

async function list(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const result = await runJob(surroundings, options, { kind: 'quarantine-list', options: {} });
  if (options.json) {
    writeJson(surroundings, result);
    return 0;
  }
  const entries = (Array.isArray(result.entries) ? result.entries : []) as readonly Entry[];
  if (entries.length > 0) {
    writeTable(surroundings, {
      head: ['id', 'kind', 'bytes', 'since', 'freed after', 'name'],
      rows: entries.map((entry) => [
        entry.id,
        entry.kind,
        entry.size,
        entry.arrived_at,
        entry.frees_at,
        entry.path,
      ]),
    });
    surroundings.write('\n');
  }
  writeFacts(surroundings, [
    ['in quarantine', Number(result.count)],
    ['bytes', Number(result.bytes)],
  ]);
  return 0;
}

async function decide(
  surroundings: Surroundings,
  options: CommonOptions,
  { verdict, ids }: { readonly verdict: 'restore' | 'purge'; readonly ids: readonly string[] },
): Promise<ExitCode> {
  const wrong = ids.find((id) => !/^[0-9a-f]{32}$/.test(id));
  if (wrong !== undefined) {
    throw misuse(`${wrong} is no id: "blobs quarantine list" shows them, 32 hex digits each.`);
  }
  const chosen = ids.length === 0 ? { all: true } : { ids };
  const kind = `quarantine-${verdict}`;
  const result = await runJob(surroundings, options, { kind, options: chosen });
  if (options.json) writeJson(surroundings, result);
  else {
    const unknown = Array.isArray(result.unknown) ? result.unknown : [];
    for (const id of unknown) surroundings.warn(`${String(id)} is not in quarantine\n`);
    writeFacts(surroundings, [
      ['given back', Number(result.restored)],
      ['freed', Number(result.purged)],
      ['bytes freed', Number(result.purged_bytes)],
      ['left', Number(result.quarantined)],
    ]);
  }
  return result.ok === true ? 0 : 1;
}

/** `blobs sweep`: compares blobs and rows in both directions, and frees what is due. */
import type { Command } from 'commander';
import { type CommonOptions, define, type Run } from '../command.ts';
import { runJob } from '../job.ts';
import { writeFacts, writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { writeFindings } from './findings.ts';

export function addBlobsSweep(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'sweep',
    summary: 'Set orphans aside, report missing blobs, free what is past its time.',
    examples: [
      'blobs sweep --data-dir ./data',
      'blobs sweep --url http://127.0.0.1:8787 --token "$(aerostore token --role service)"',
    ],
    works: 'either',
    act: (options) => blobsSweep(run.surroundings, options),
  });
}

async function blobsSweep(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const result = await runJob(surroundings, options, { kind: 'sweep', options: {} });
  if (options.json) writeJson(surroundings, result);
  else {
    writeFindings(surroundings, result.findings);
    writeFacts(surroundings, [
      ['rows', Number(result.rows)],
      ['missing blobs', Number(result.missing)],
      ['found in blobs/', Number(result.looked_at)],
      ['orphans set aside', Number(result.orphans)],
      ['released and freed', Number(result.collected)],
      ['quarantine: given back', Number(result.restored)],
      ['quarantine: freed', Number(result.purged)],
      ['quarantine: left', Number(result.quarantined)],
      ['quarantine: bytes left', Number(result.quarantined_bytes)],
    ]);
  }
  return result.ok === true ? 0 : 1;
}

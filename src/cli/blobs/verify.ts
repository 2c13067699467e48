/** `blobs verify`: reads every blob of a current object and hashes it again. */
import { type Command, Option } from 'commander';
import { type CommonOptions, define, type Run } from '../command.ts';
import { runJob } from '../job.ts';
import { writeFacts, writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { writeFindings } from './findings.ts';

interface VerifyOptions extends CommonOptions {
  readonly rate?: string;
}

export function addBlobsVerify(parent: Command, run: Run): void {
  define<VerifyOptions>(parent, run, {
    name: 'verify',
    summary: 'Read and rehash every blob; list what is missing or damaged.',
    examples: [
      'blobs verify --data-dir ./data',
      'blobs verify --rate 20MiB --url http://127.0.0.1:8787 --token "$(aerostore token --role service)"',
    ],
    works: 'either',
    options: [
      new Option(
        '--rate <size>',
        'read at most this much a second, such as 20MiB (default: 64MiB)',
      ),
    ],
    act: (options) => blobsVerify(run.surroundings, options),
  });
}

async function blobsVerify(surroundings: Surroundings, options: VerifyOptions): Promise<ExitCode> {
  const rate = options.rate === undefined ? {} : { rate: options.rate };
  const result = await runJob(surroundings, options, { kind: 'blobs-verify', options: rate });
  const isWhole = result.ok === true;
  if (options.json) writeJson(surroundings, result);
  else {
    writeFindings(surroundings, result.findings);
    writeFacts(surroundings, [
      ['result', isWhole ? 'whole' : 'not whole'],
      ['objects', Number(result.objects)],
      ['bytes', Number(result.bytes)],
      ['missing', Number(result.missing)],
      ['damaged', Number(result.damaged)],
    ]);
  }
  return isWhole ? 0 : 1;
}

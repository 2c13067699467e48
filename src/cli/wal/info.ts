/** `wal info`: the segments of the log, and where it begins and ends. Reads only wal/. */
import type { Command } from 'commander';
import { nodeFiles } from '#files';
import { inspectLog, type LogFacts, type LogTail } from '#wal';
import { type CommonOptions, define, type Run, refuseServer } from '../command.ts';
import { logLayout } from '../log-directory.ts';
import { timeText, writeFacts, writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';

export function addWalInfo(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'info',
    summary: 'Show the segments of the log, and its head.',
    examples: ['wal info --data-dir ./data'],
    works: 'either',
    act: (options) => walInfo(run.surroundings, options),
  });
}

async function walInfo(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  refuseServer(options, 'wal info');
  const layout = await logLayout(surroundings, options);
  const facts = await inspectLog(nodeFiles, layout.wal);
  if (options.json) writeJson(surroundings, document(facts));
  else writeInfo(surroundings, facts);
  return 0;
}

function writeInfo(surroundings: Surroundings, facts: LogFacts): void {
  writeTable(surroundings, {
    head: ['segment', 'epoch', 'first', 'last', 'bytes', 'state', 'created'],
    rows: facts.segments.map(({ file, epoch, first, last, sizeBytes, sealed, createdMs }) => {
      const state = sealed ? 'sealed' : 'open';
      return [
        file,
        epoch,
        first,
        last < first ? null : last,
        sizeBytes,
        state,
        timeText(createdMs),
      ];
    }),
  });
  surroundings.write('\n');
  writeFacts(surroundings, [
    ['log id', facts.id],
    ['segments', facts.segments.length],
    ['records', facts.records],
    ['bytes', facts.sizeBytes],
    ['oldest', facts.oldest],
    ['head', facts.head],
    ['chain', facts.chain],
    ...(facts.tail ? [['tail', tailText(facts.tail)] as const] : []),
  ]);
}

/** In words; a tail is no problem. */
export function tailText({ file, offset, sizeBytes, reason }: LogTail): string {
  return `${sizeBytes} bytes at byte ${offset} of ${file} (${reason}): being written, or cut off by the next start`;
}

export function tailDocument(tail: LogTail | undefined) {
  if (tail === undefined) return null;
  const { file, offset, sizeBytes, reason } = tail;
  return { file, offset, size: sizeBytes, reason };
}

function document(facts: LogFacts) {
  return {
    log_id: facts.id ?? null,
    records: facts.records,
    size: facts.sizeBytes,
    oldest: facts.oldest,
    head: facts.head,
    chain: facts.chain ?? null,
    tail: tailDocument(facts.tail),
    segments: facts.segments.map(({ file, epoch, first, last, sizeBytes, sealed, createdMs }) => ({
      file,
      epoch,
      first,
      last,
      size: sizeBytes,
      sealed,
      created_at: timeText(createdMs),
    })),
  };
}

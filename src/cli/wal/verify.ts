/**
 * `wal verify`: reads every byte of the log and holds it against what the control files remember.
 * Reads only; works beside a running server, whose last write may show as an unfinished tail.
 */
import type { Command } from 'commander';
import { nodeFiles } from '#files';
import { type Damage, type Verification, verifyLog } from '#wal';
import { type CommonOptions, define, type Run, refuseServer } from '../command.ts';
import { logLayout } from '../log-directory.ts';
import { writeFacts, writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { tailDocument, tailText } from './info.ts';
import { type ControlFile, readControlFiles, witnessesIn } from './witnesses.ts';

export function addWalVerify(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'verify',
    summary: 'Read the whole log and list what is damaged or missing.',
    examples: ['wal verify --data-dir ./data'],
    works: 'either',
    act: (options) => walVerify(run.surroundings, options),
  });
}

async function walVerify(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  refuseServer(options, 'wal verify');
  const layout = await logLayout(surroundings, options);
  // Before the log: a server that runs only ever takes the log further than its fence.
  const controls = await readControlFiles(layout);
  const witnesses = witnessesIn(controls);
  const verified = await verifyLog(nodeFiles, layout.wal, { witnesses });
  const problems = [...verified.problems, ...controls.flatMap(damaged)];
  if (options.json) writeJson(surroundings, document(verified, problems));
  else writeReport(surroundings, verified, problems);
  return problems.length === 0 ? 0 : 1;
}

/** Damage in the log, or in a control file, which has no position. */
type Problem = Pick<Damage, 'file' | 'offset' | 'reason'> & { readonly position: number | null };

function damaged({ path, content }: ControlFile): Problem[] {
  if (content.kind === 'witness') return [];
  return [{ file: path, offset: 0, position: null, reason: content.reason }];
}

function writeReport(
  surroundings: Surroundings,
  verified: Verification,
  problems: readonly Problem[],
): void {
  if (problems.length > 0) {
    writeTable(surroundings, {
      head: ['file', 'offset', 'position', 'problem'],
      rows: problems.map(({ file, offset, position, reason }) => [file, offset, position, reason]),
    });
    surroundings.write('\n');
  }
  const { segments, records, head, chain, tail } = verified;
  writeFacts(surroundings, [
    ['result', problems.length === 0 ? 'whole' : `${problems.length} found`],
    ['segments', segments],
    ['records', records],
    ['head', head],
    ['chain', chain],
    ...(tail ? [['tail', tailText(tail)] as const] : []),
  ]);
}

function document(verified: Verification, problems: readonly Problem[]) {
  const { segments, records, head, chain, tail } = verified;
  return {
    ok: problems.length === 0,
    segments,
    records,
    head,
    chain: chain ?? null,
    tail: tailDocument(tail),
    problems,
  };
}

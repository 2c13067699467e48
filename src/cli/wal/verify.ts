/**
 * `wal verify`: reads every byte of the log and holds it against what the control files remember.
 * Reads only; works beside a running server, whose last write may show as an unfinished tail.
 */
import type { Command } from 'commander';
import { nodeFiles } from '#files';
import { type Damage, type Verification, verifyLog, type Witness } from '#wal';
import { readCleanMarker, readFence } from '../../home/control.ts';
import { ControlDamaged } from '../../home/errors.ts';
import type { Layout } from '../../home/layout.ts';
import { type CommonOptions, define, type Run, refuseServer } from '../command.ts';
import { logLayout } from '../log-directory.ts';
import { writeFacts, writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { tailDocument, tailText } from './info.ts';

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
  const remembered = await readWitnesses(layout);
  const verified = await verifyLog(nodeFiles, layout.wal, { witnesses: remembered.witnesses });
  const problems = [...verified.problems, ...remembered.problems];
  if (options.json) writeJson(surroundings, document(verified, problems));
  else writeReport(surroundings, verified, problems);
  return problems.length === 0 ? 0 : 1;
}

async function readWitnesses(
  layout: Layout,
): Promise<{ witnesses: readonly Witness[]; problems: readonly Problem[] }> {
  const sources = [
    ['clean marker', layout.cleanMarkerFile, () => readCleanMarker(nodeFiles, layout)],
    ['fence', layout.fenceFile, () => readFence(nodeFiles, layout)],
  ] as const;
  const witnesses: Witness[] = [];
  const problems: Problem[] = [];
  for (const [name, file, read] of sources) {
    try {
      const found = await read();
      if (!found) continue;
      const { position, chain } = found;
      const bytes = chain === undefined ? {} : { chain: Buffer.from(chain, 'hex') };
      witnesses.push({ name, position, ...bytes });
    } catch (cause) {
      if (!(cause instanceof ControlDamaged)) throw cause;
      problems.push({ file, offset: 0, position: null, reason: cause.message });
    }
  }
  return { witnesses, problems };
}

/** Damage in the log, or in a control file, which has no position. */
type Problem = Pick<Damage, 'file' | 'offset' | 'reason'> & { readonly position: number | null };

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

/**
 * `wal repair`: explains what is damaged and what each way out would lose; with --accept-loss keeps
 * what is valid, sets everything else aside, and leaves a store that starts. Nothing is deleted.
 *
 * The control files go first, those that agree with what is kept before those that contradict it:
 * wherever it stops, either the store still refuses to start or nothing vouches for views that hold
 * what is lost, and they are built anew.
 */
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { nodeFiles } from '#files';
import { type Damage, planRepair, type RepairPlan, repairLog } from '#wal';
import { setControlAside } from '../../home/control.ts';
import { openHome } from '../../home/home.ts';
import type { Layout } from '../../home/layout.ts';
import { type CommonOptions, define, type Run } from '../command.ts';
import { logLayout } from '../log-directory.ts';
import { writeFacts, writeJson, writeTable } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { type ControlFile, readControlFiles, readViewsWitness, witnessesIn } from './witnesses.ts';

interface RepairOptions extends CommonOptions {
  readonly acceptLoss?: true;
}

export function addWalRepair(parent: Command, run: Run): void {
  define<RepairOptions>(parent, run, {
    name: 'repair',
    summary: 'Explain damage of the log; with --accept-loss keep what is valid of it.',
    examples: ['wal repair --data-dir ./data', 'wal repair --data-dir ./data --accept-loss'],
    works: 'offline',
    options: [
      new Option('--accept-loss', 'cut the log before the damage; originals stay as .broken'),
    ],
    act: (options) => walRepair(run.surroundings, options),
  });
}

interface Findings {
  readonly layout: Layout;
  readonly plan: RepairPlan;
  /** The control files that must go, in this order. */
  readonly aside: readonly ControlFile[];
}

async function walRepair(surroundings: Surroundings, options: RepairOptions): Promise<ExitCode> {
  const { directory } = await logLayout(surroundings, options);
  const home = await openHome({ files: nodeFiles, directory });
  try {
    const findings = await find(home.layout);
    const isWhole = findings.plan.damage.length === 0 && findings.aside.length === 0;
    if (isWhole || options.acceptLoss !== true) {
      if (options.json) writeJson(surroundings, { repaired: false, ...document(findings) });
      else writeExplanation(surroundings, findings);
      return isWhole ? 0 : 1;
    }
    const kept = await repair(findings);
    if (options.json) writeJson(surroundings, { repaired: true, ...document(findings), kept });
    else writeReport(surroundings, findings, kept);
    return 0;
  } finally {
    await home.close();
  }
}

async function find(layout: Layout): Promise<Findings> {
  const controls = [...(await readControlFiles(layout)), ...(await readViewsWitness(layout))];
  const plan = await planRepair(nodeFiles, layout.wal, witnessesIn(controls));
  const contradicts = ({ content }: ControlFile) =>
    content.kind === 'damaged' ||
    plan.contradicted.some(({ witness }) => witness === content.witness);
  const contradicting = controls.filter(contradicts);
  if (plan.lost === undefined && contradicting.length === 0) return { layout, plan, aside: [] };
  // Views that nothing vouches for any more are built anew: they may stay where they are.
  const agreeing = controls.filter((control) => control.name !== 'views' && !contradicts(control));
  return { layout, plan, aside: [...agreeing, ...contradicting] };
}

interface Kept {
  readonly file: string;
  readonly kept_as: string;
}

async function repair({ layout, plan, aside }: Findings): Promise<readonly Kept[]> {
  const kept: Kept[] = [];
  for (const { path } of aside) {
    const keptAs = await setControlAside(nodeFiles, path);
    kept.push({ file: basename(path), kept_as: basename(keptAs) });
  }
  const report = await repairLog(nodeFiles, layout.wal, plan);
  for (const { file, keptAs } of report.kept) {
    kept.push({ file: `wal/${file}`, kept_as: `wal/${keptAs}` });
  }
  return kept;
}

function writeExplanation(surroundings: Surroundings, { layout, plan, aside }: Findings): void {
  const damaged = aside.filter(({ content }) => content.kind === 'damaged');
  const found = plan.damage.length + plan.contradicted.length + damaged.length;
  if (found === 0) {
    surroundings.write(
      `The log is whole up to position ${plan.head}: there is nothing to repair.\n`,
    );
    return;
  }
  writeTable(surroundings, {
    head: ['file', 'offset', 'position', 'problem'],
    rows: [
      ...plan.damage.map(({ file, offset, position, reason }) => [
        `wal/${file}`,
        offset,
        position,
        reason,
      ]),
      ...plan.contradicted.map(({ witness, reason }) => [
        pathOf(aside, witness.name),
        0,
        witness.position,
        reason,
      ]),
      ...damaged.map(({ path }) => [basename(path), 0, null, 'its seal does not fit']),
    ],
  });
  const text = [
    '',
    'Ways out:',
    `1. Put the files back that were there: a copy of ${layout.directory}, or of the files named above.`,
    '   What the copy holds is not lost. Check the disk first, and keep a copy of what is there now.',
    '2. aerostore wal repair --accept-loss, with the same directory:',
    ...lossLines(plan).map((line) => `   ${line}`),
    '   Every file that it changes stays beside, as .broken; the views are built anew at the next start.',
    '',
    'Nothing was changed.',
    '',
  ];
  surroundings.write(text.join('\n'));
}

function lossLines({ head, lost, resealed, contradicted }: RepairPlan): string[] {
  if (lost === undefined) {
    const how = resealed.length > 0 ? 'The end of a segment is written anew.' : '';
    const doubt =
      contradicted.length > 0
        ? 'No record goes; but the log is not the one that was there when the file was written.'
        : `No record of the log goes; it is whole up to position ${head}.`;
    return [[doubt, how].filter((part) => part !== '').join(' ')];
  }
  const { from, to, sizeBytes } = lost;
  const positions =
    to < from
      ? 'no record that is known of'
      : `the records from position ${from} to ${to}${sizeBytes > 0 ? ', and any behind' : ''}`;
  return [
    `keeps the records up to position ${head}; lost: ${positions} (${sizeBytes} bytes set aside).`,
    'What they stored or deleted is undone. Objects that only they name become orphans: the sweep',
    'moves their bytes to quarantine/, and frees them after AEROSTORE_ORPHAN_GRACE.',
  ];
}

function pathOf(controls: readonly ControlFile[], name: string): string {
  const found = controls.find((control) => control.name === name);
  return found ? basename(found.path) : name;
}

function writeReport(
  surroundings: Surroundings,
  { plan, aside }: Findings,
  kept: readonly Kept[],
): void {
  const { lost, head } = plan;
  writeTable(surroundings, {
    head: ['file', 'kept as'],
    rows: kept.map(({ file, kept_as }) => [file, kept_as]),
  });
  surroundings.write('\n');
  writeFacts(surroundings, [
    ['result', 'repaired'],
    ['head', head],
    ['lost from', lost && lost.to >= lost.from ? lost.from : null],
    ['lost to', lost && lost.to >= lost.from ? lost.to : null],
    ['bytes set aside', lost?.sizeBytes ?? 0],
    ['views', aside.length > 0 ? 'built anew at the next start' : 'as they are'],
  ]);
}

function document({ plan, aside }: Findings) {
  const { damage, head, lost, contradicted } = plan;
  return {
    head,
    damage: damage.map(({ file, offset, position, reason }: Damage) => ({
      file,
      offset,
      position,
      reason,
    })),
    witnesses: contradicted.map(({ witness, reason }) => ({
      file: pathOf(aside, witness.name),
      position: witness.position,
      reason,
    })),
    damaged_control_files: aside
      .filter(({ content }) => content.kind === 'damaged')
      .map(({ path }) => basename(path)),
    lost: lost ? { from: lost.from, to: lost.to, size: lost.sizeBytes } : null,
  };
}

/**
 * `npm run torture`: random programs against the store on a disk that forgets, held against the
 * reference model, as many or as long as asked for. Each sequence has a seed of its own; one that
 * fails is made smaller for `--shrink` seconds.
 */
import { noFigures, renderKinds } from '../crash/model/figures.ts';
import { runSeed } from '../crash/model/run.ts';
import { anySeed, numbers } from './arguments.ts';

const given = numbers(['runs', 'seconds', 'seed', 'shrink']);
const { runs, seconds, seed: first = anySeed(), shrink = 60 } = given;
const until = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000;
const count = runs ?? (seconds === undefined ? 100 : Number.POSITIVE_INFINITY);
const figures = noFigures();
const began = Date.now();
const failed: number[] = [];
console.log(`model: from seed ${first} on`);

for (let seed = first; seed < first + count && Date.now() < until; seed += 1) {
  const failure = await runSeed(seed, figures, shrink * 1000);
  if (failure === undefined) continue;
  failed.push(seed);
  console.error(`\nseed ${seed} failed: ${failure}\n`);
  console.error(`replay: npm run torture -- --runs 1 --seed ${seed}\n`);
  if (failed.length === 3) break;
}

const { operations, acknowledged, unknown } = figures;
console.log(
  [
    `${figures.sequences} sequences, ${operations} operations: ${acknowledged} acknowledged, ` +
      `${operations - acknowledged - unknown} refused, ${unknown} cut off`,
    `${figures.kills} kills, ${figures.powerCuts} power cuts, ${figures.cleanStops} clean stops, ` +
      `${figures.stoppedStarts} starts stopped, ${figures.faults} faults injected, ` +
      `${figures.rebuilds} rebuilds compared`,
    `${figures.tornTails} torn frames cut off, ${figures.fromFences} starts from a fence, ` +
      `${figures.repeats} requests repeated under their keys after starts`,
    `acknowledged: ${renderKinds(figures)}`,
    `${((Date.now() - began) / 1000).toFixed(1)} s, ${failed.length} seeds failed`,
  ].join('\n'),
);
process.exitCode = failed.length > 0 ? 1 : 0;

/**
 * Exhaustive injection: each scenario is run once to count its disk calls, then once more for each
 * call and each kind of fault at it. Afterwards the store is opened again and the oracle asked.
 */
import { describe, expect, it } from 'vitest';
import type { Fault } from '../support/faulty-disk.ts';
import { dataDirectory, hourMs, makeRig, type Rig, runJob } from '../support/rig.ts';
import { publishedIn, quarantinedIn } from '../support/stray.ts';
import { createOracle, type Oracle } from './oracle.ts';
import { type Scenario, stepsOn } from './scenarios.ts';

type Ending = 'kill' | 'power';

interface Case {
  readonly name: string;
  readonly fault: Fault;
  /** What follows: the process is killed, or the power is cut as well. */
  readonly ending: Ending;
}

const cases: readonly Case[] = [
  { name: 'stops before', fault: { kind: 'stop', before: true }, ending: 'kill' },
  { name: 'is cut off from power before', fault: { kind: 'stop', before: true }, ending: 'power' },
  { name: 'is cut off from power after', fault: { kind: 'stop', before: false }, ending: 'power' },
  { name: 'fails with EIO at', fault: { kind: 'error', code: 'EIO' }, ending: 'kill' },
  { name: 'finds no space at', fault: { kind: 'short', code: 'ENOSPC' }, ending: 'kill' },
  { name: 'has too many files at', fault: { kind: 'error', code: 'EMFILE' }, ending: 'kill' },
  { name: 'loses what it syncs at', fault: { kind: 'lost sync' }, ending: 'power' },
];

/** A test for each scenario and kind of fault. */
export function injectInto(scenarios: readonly Scenario[]): void {
  describe.each(scenarios)('$name', (scenario) => {
    it.each(cases)(
      'keeps every acknowledged write when the machine $name any call',
      async ({ fault, ending }) => {
        const calls = await countCalls(scenario);
        expect(calls).toBeGreaterThan(1);
        for (let index = 1; index <= calls; index += 1) {
          try {
            await runWithFault(scenario, { index, fault, ending });
          } catch (cause) {
            throw new Error(`call ${index} of ${calls}: ${String(cause)}`, { cause });
          }
        }
      },
      120_000,
    );
  });
}

async function countCalls(scenario: Scenario): Promise<number> {
  const { rig, oracle } = await prepare(scenario);
  let calls = 0;
  rig.disk.inject = () => {
    calls += 1;
    return undefined;
  };
  await scenario.run(stepsOn(rig, oracle));
  await oracle.check(rig);
  return calls;
}

async function runWithFault(
  scenario: Scenario,
  {
    index,
    fault,
    ending,
  }: { readonly index: number; readonly fault: Fault; readonly ending: Ending },
): Promise<void> {
  const { rig, oracle } = await prepare(scenario);
  let calls = 0;
  rig.disk.inject = () => {
    calls += 1;
    return calls === index ? fault : undefined;
  };
  // What the fault breaks may end the scenario: what was acknowledged until then is what counts.
  await scenario.run(stepsOn(rig, oracle)).catch(() => {});
  if (ending === 'power') await rig.cutPower(index);
  else await rig.kill();
  await rig.open();
  await rig.store.settled();
  await oracle.check(rig);
  expect(stagedIn(rig)).toEqual([]);
  expect(rig.store.report.missing_blobs).toBe(0);
  if (scenario.leavesNothing) await expectNothingLeft(rig, oracle);
  // What recovery left is a store like any other.
  const digest = await rig.store.views.digest();
  rig.views.destroy();
  await rig.kill();
  await rig.open();
  await rig.store.settled();
  expect(await rig.store.views.digest()).toBe(digest);
}

async function expectNothingLeft(rig: Rig, oracle: Oracle): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    rig.advance(25 * hourMs);
    await runJob(rig, 'sweep');
  }
  const known = [...rig.views.rows.keys()].filter((name) => name.startsWith('k'));
  expect(publishedIn(rig).sort()).toEqual(known.map((name) => name.slice(1)).sort());
  expect(quarantinedIn(rig)).toEqual([]);
  await oracle.check(rig);
}

async function prepare(scenario: Scenario): Promise<{ rig: Rig; oracle: Oracle }> {
  const rig = makeRig(scenario.options);
  await rig.open();
  const oracle = createOracle();
  await scenario.before?.(stepsOn(rig, oracle));
  await rig.store.settled();
  return { rig, oracle };
}

function stagedIn(rig: Rig): string[] {
  return rig.disk.paths().filter((path) => path.startsWith(`${dataDirectory}/staging/`));
}

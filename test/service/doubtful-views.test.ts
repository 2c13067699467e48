/** Views under which the process ends at every start: they must not do so for ever. */
import { expect, it } from 'vitest';
import { layoutOf } from '../../src/home/layout.ts';
import {
  createBucket,
  dataDirectory,
  openRig,
  pathsIn,
  put,
  type Rig,
  user,
} from '../support/rig.ts';

const alice = user('alice');
const { startsFile } = layoutOf(dataDirectory);

async function stopped(ending: 'close' | 'kill'): Promise<Rig> {
  const rig = await openRig();
  await createBucket(rig, alice, 'b');
  await put(rig, alice, { bucket: 'b', path: 'a', bytes: Buffer.from('a') });
  await rig.close();
  if (ending === 'close') return rig;
  await rig.open();
  await rig.kill();
  return rig;
}

/** Views that end the process when they are opened, as LevelDB does by an assertion. */
async function dieAtOpening(rig: Rig): Promise<void> {
  const { openStore } = rig.views;
  rig.views.openStore = async ({ fresh }) => {
    if (fresh) return openStore({ fresh });
    rig.disk.stop();
    throw new Error('the process has ended');
  };
  await expect(rig.open()).rejects.toThrow();
  rig.views.openStore = openStore;
  await rig.kill();
}

it.each(['close', 'kill'] as const)(
  'after a %s they are built anew at the fourth start',
  async (ending) => {
    const rig = await stopped(ending);
    const died = ending === 'close' ? 3 : 2;
    for (let start = 0; start < died; start += 1) await dieAtOpening(rig);
    const { openStore } = rig.views;
    const opened: boolean[] = [];
    rig.views.openStore = (how) => {
      opened.push(how.fresh);
      return openStore(how);
    };
    await rig.open();
    expect(opened).toEqual([true]);
    expect(rig.store.report.views).toBe('rebuilt');
    expect(await pathsIn(rig, alice, 'b')).toEqual(['a']);
    expect(rig.alarms.join()).toContain('starts keep ending');
    await rig.close();
  },
);

it('a clean stop, or a new fence, begins the count anew', async () => {
  const rig = await stopped('close');
  for (let round = 0; round < 6; round += 1) {
    await rig.open();
    expect(rig.store.report.views).toBe('clean');
    await rig.close();
  }
});

it('a count that is damaged, or finds no space, costs nothing', async () => {
  const rig = await stopped('kill');
  rig.disk.poke(startsFile, Buffer.from('nonsense'));
  await rig.open();
  expect(rig.store.report.views).toBe('fence');
  await rig.kill();
  rig.disk.inject = ({ path, operation }) =>
    path.startsWith(startsFile) && operation === 'write'
      ? { kind: 'short', code: 'ENOSPC' }
      : undefined;
  await rig.open();
  expect(rig.store.report.views).toBe('fence');
});

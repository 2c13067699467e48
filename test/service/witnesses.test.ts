/** A log that lost its end at the edge of a frame: whole by every checksum, and refused by who knows more. */
import { describe, expect, it } from 'vitest';
import { planRepair, repairLog } from '#wal';
import { setControlAside } from '../../src/home/control.ts';
import { layoutOf } from '../../src/home/layout.ts';
import { LogBehindWitness } from '../../src/journal/index.ts';
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
const layout = layoutOf(dataDirectory);
const magic = Buffer.from('ae57a1f7', 'hex');

async function filledRig(fenceRecords: number): Promise<Rig> {
  const rig = await openRig({ store: { fenceEvery: { records: fenceRecords, bytes: 1e9 } } });
  await createBucket(rig, alice, 'b');
  for (const path of ['1', '2', '3', '4']) {
    await put(rig, alice, { bucket: 'b', path, bytes: Buffer.from(path) });
  }
  return rig;
}

/** Takes the last `frames` frames, trailer included, off the log. */
function cut(rig: Rig, frames: number): void {
  const segment = rig.disk.paths().findLast((path) => path.endsWith('.wal')) ?? '';
  const bytes = rig.disk.peek(segment) ?? Buffer.alloc(0);
  let end = bytes.length;
  for (let index = 0; index < frames; index += 1) end = bytes.lastIndexOf(magic, end - 1);
  rig.disk.poke(segment, bytes.subarray(0, end));
}

async function repair(rig: Rig): Promise<void> {
  const { files } = rig.disk;
  for (const path of [layout.fenceFile, layout.cleanMarkerFile]) {
    if (await files.stat(path)) await setControlAside(files, path);
  }
  await repairLog(files, layout.wal, await planRepair(files, layout.wal));
  // The command sets the views aside, which hold what is lost.
  rig.views.destroy();
}

describe('a log cut at the edge of a frame', () => {
  it('is refused by the clean marker', async () => {
    const rig = await filledRig(1000);
    await rig.close();
    await rig.kill();
    rig.disk.poke(layout.fenceFile, undefined);
    cut(rig, 2);
    const opening = rig.open();
    await expect(opening).rejects.toThrow(LogBehindWitness);
    await expect(opening).rejects.toThrow(
      /\.wal, byte \d+\), but the clean marker knows of position/,
    );
    await repair(rig);
    await rig.open();
    expect(rig.store.report.views).toBe('rebuilt');
    expect(await pathsIn(rig, alice, 'b')).toEqual(['1', '2', '3']);
  });

  it('is refused by the fence after a kill', async () => {
    const rig = await filledRig(2);
    await expect.poll(() => rig.disk.peek(layout.fenceFile)).toBeDefined();
    await rig.kill();
    cut(rig, 4);
    await expect(rig.open()).rejects.toThrow(/but the fence knows of position/);
    await repair(rig);
    await rig.open();
    expect(rig.store.report.views).toBe('rebuilt');
    expect(await pathsIn(rig, alice, 'b')).toEqual([]);
    await put(rig, alice, { bucket: 'b', path: 'n', bytes: Buffer.from('n') });
    await rig.kill();
    await rig.open();
    expect(await pathsIn(rig, alice, 'b')).toEqual(['n']);
  });

  it('is refused by the views after a kill, before anything is written', async () => {
    const rig = await filledRig(1000);
    await rig.kill();
    cut(rig, 1);
    // Also the fifth time: nothing was appended that would fill the gap, and the views are asked again.
    for (const _ of [1, 2, 3, 4, 5]) {
      await expect(rig.open()).rejects.toThrow(/but the views folder knows of position/);
    }
    await repair(rig);
    await rig.open();
    expect(await pathsIn(rig, alice, 'b')).toEqual(['1', '2', '3']);
  });

  it('is not seen where nobody remembers more: that is what the witnesses are for', async () => {
    const rig = await filledRig(1000);
    await rig.kill();
    cut(rig, 1);
    rig.views.destroy();
    await rig.open();
    expect(await pathsIn(rig, alice, 'b')).toEqual(['1', '2', '3']);
  });
});

/** The data directory on a disk that forgets: the power goes at every call, and it opens again. */
import { describe, expect, test } from 'vitest';
import type { Position } from '../../src/domain/names.ts';
import { type CleanMarker, readCleanMarker, writeCleanMarker } from '../../src/home/control.ts';
import { type Home, openHome } from '../../src/home/home.ts';
import { readOrCreateLoginSecret } from '../../src/home/keyring.ts';
import { patterned } from '../support/bodies.ts';
import { createFaultyDisk, type FaultyDisk, Stopped } from '../support/faulty-disk.ts';

const lock = async () => ({ release: async () => {} });
/** More than is synced on the way. */
const reserveBytes = 2 * 1024 * 1024 + 5000;
const openOn = (disk: FaultyDisk): Promise<Home> =>
  openHome({ files: disk.files, directory: '/var/data', lock, reserveBytes });

const marker = (position: number): CleanMarker => ({
  position: position as Position,
  chain: 'ab'.repeat(32),
  viewsId: 'v',
  projection: 1,
  timeMs: 5,
});

interface Promised {
  nodeId?: string;
  secret?: Uint8Array;
  marker?: number;
  reserve?: boolean;
}

async function session(disk: FaultyDisk, promised: Promised): Promise<void> {
  const home = await openOn(disk);
  promised.nodeId = home.nodeId;
  const { secret } = await readOrCreateLoginSecret(disk.files, home.layout, patterned);
  promised.secret = secret;
  for (const position of [1, 2]) {
    await writeCleanMarker(disk.files, home.layout, marker(position));
    promised.marker = position;
  }
  promised.reserve = await home.reserve.restore();
}

describe('whatever call the power goes at', () => {
  test('the home opens again, with all that was promised', async () => {
    let finished = false;
    for (let stopAt = 1; !finished; stopAt += 1) {
      const disk = createFaultyDisk();
      const promised: Promised = {};
      let calls = 0;
      disk.inject = ({ index }) => {
        calls = index;
        return index === stopAt ? { kind: 'stop', before: stopAt % 2 === 0 } : undefined;
      };
      await session(disk, promised).catch((cause: unknown) => {
        expect(cause).toBeInstanceOf(Stopped);
      });
      finished = calls < stopAt;
      const after = disk.powerLoss(stopAt);
      const home = await openOn(after);
      if (promised.nodeId) expect(home.nodeId).toBe(promised.nodeId);
      const login = await readOrCreateLoginSecret(after.files, home.layout, () => patterned(32, 7));
      if (promised.secret) expect(login.created).toBe(false);
      const found = await readCleanMarker(after.files, home.layout);
      expect(found?.position ?? 0).toBeGreaterThanOrEqual(promised.marker ?? 0);
      const reserve = await after.files.stat(home.layout.reserveFile);
      if (promised.reserve) expect(reserve?.sizeBytes).toBe(reserveBytes);
      if (reserve) expect(reserve.sizeBytes, 'never a half-written one').toBe(reserveBytes);
    }
  });
});

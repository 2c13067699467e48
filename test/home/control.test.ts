import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeFiles } from '#files';
import type { Position } from '../../src/domain/names.ts';
import {
  type CleanMarker,
  type Fence,
  readCleanMarker,
  readControl,
  readFence,
  removeCleanMarker,
  writeCleanMarker,
  writeControl,
  writeFence,
} from '../../src/home/control.ts';
import { ControlDamaged } from '../../src/home/errors.ts';
import { layoutOf } from '../../src/home/layout.ts';
import { systemError, tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const marker: CleanMarker = {
  position: 12345 as Position,
  chain: '0f'.repeat(32),
  viewsId: 'views-1',
  projection: 3,
  timeMs: 1_700_000_000_000,
};
const fence: Fence = {
  ...marker,
  totals: [
    [7 as Position, 2, 300, 0],
    [9 as Position, 0, 0, 0],
  ],
};

describe('control files', () => {
  test('a fence and a clean marker come back as they were written', async () => {
    const layout = layoutOf(await temporaryDirectory());
    expect(await readFence(nodeFiles, layout)).toBeUndefined();
    expect(await readCleanMarker(nodeFiles, layout)).toBeUndefined();
    await writeFence(nodeFiles, layout, fence);
    await writeCleanMarker(nodeFiles, layout, marker);
    expect(await readFence(nodeFiles, layout)).toEqual(fence);
    expect(await readCleanMarker(nodeFiles, layout)).toEqual(marker);
  });

  test('any JSON survives, line breaks and other scripts among it', async () => {
    const path = join(await temporaryDirectory(), 'c');
    for (const document of [null, 0, 'a\nb\u2028', { ключ: ['🙂', { a: 1.5 }] }, []]) {
      await writeControl(nodeFiles, path, document);
      expect(await readControl(nodeFiles, path)).toEqual(document);
    }
  });

  test('every flipped bit is noticed', async () => {
    const layout = layoutOf(await temporaryDirectory());
    await writeFence(nodeFiles, layout, fence);
    const bytes = await readFile(layout.fenceFile);
    for (let bit = 0; bit < bytes.byteLength * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expectDamaged(layout.fenceFile, flipped);
    }
  });

  test('every truncation and every appended byte is noticed', async () => {
    const path = join(await temporaryDirectory(), 'fence');
    await writeControl(nodeFiles, path, fence);
    const bytes = await readFile(path);
    for (let length = 0; length < bytes.byteLength; length += 1) {
      await expectDamaged(path, bytes.subarray(0, length));
    }
    for (const byte of [0, 0x0a, 0x20]) {
      await expectDamaged(path, Buffer.concat([bytes, Buffer.of(byte)]));
    }
  });

  test('one control file does not pass for another', async () => {
    const layout = layoutOf(await temporaryDirectory());
    await writeFence(nodeFiles, layout, fence);
    await writeFile(layout.cleanMarkerFile, await readFile(layout.fenceFile));
    await expect(readCleanMarker(nodeFiles, layout)).rejects.toThrow(ControlDamaged);
  });

  test.each([
    ['position', -1],
    ['chain', 'abc'],
    ['viewsId', undefined],
    ['projection', '3'],
    ['timeMs', 1.5],
    ['totals', [[1, 2, 3]]],
    ['totals', undefined],
  ])('a sealed fence whose %s is %j is refused', async (field, value) => {
    const layout = layoutOf(await temporaryDirectory());
    await writeControl(nodeFiles, layout.fenceFile, { ...fence, [field]: value });
    await expect(readFence(nodeFiles, layout)).rejects.toThrow(ControlDamaged);
  });

  test('the message names the file and what to do', async () => {
    const layout = layoutOf(await temporaryDirectory());
    await writeFile(layout.fenceFile, 'nonsense');
    await expect(readFence(nodeFiles, layout)).rejects.toThrow(layout.fenceFile);
    await expect(readFence(nodeFiles, layout)).rejects.toThrow('wal repair');
  });

  test('a failed replacement leaves the old document, at whatever step it fails', async () => {
    const layout = layoutOf(await temporaryDirectory());
    const files = tappedFiles();
    await writeCleanMarker(files, layout, marker);
    for (const failing of ['open', 'write', 'sync', 'rename'] as const) {
      files.tap = ({ operation }) => {
        if (operation === failing) throw systemError('ENOSPC');
      };
      await expect(writeCleanMarker(files, layout, { ...marker, projection: 4 })).rejects.toThrow();
      files.tap = () => {};
      expect(await readCleanMarker(files, layout)).toEqual(marker);
    }
  });

  test('a removed clean marker is durably gone, also where there was none', async () => {
    const layout = layoutOf(await temporaryDirectory());
    const files = tappedFiles();
    await writeCleanMarker(files, layout, marker);
    for (const _ of [1, 2]) {
      files.calls.length = 0;
      await removeCleanMarker(files, layout);
      expect(files.calls.at(-1)).toEqual({ operation: 'syncDirectory', path: layout.directory });
      expect(await readCleanMarker(files, layout)).toBeUndefined();
    }
  });
});

async function expectDamaged(path: string, bytes: Uint8Array): Promise<void> {
  const files = { ...nodeFiles, readFile: async () => bytes };
  const outcome = await readControl(files, path).catch((cause: unknown) => cause);
  expect(outcome).toBeInstanceOf(ControlDamaged);
}

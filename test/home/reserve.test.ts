import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeFiles } from '#files';
import { reserveAt } from '../../src/home/reserve.ts';
import { deferred } from '../support/deferred.ts';
import { systemError, tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MiB = 1024 * 1024;

async function bench(sizeBytes = 3 * MiB + 5) {
  const directory = await temporaryDirectory();
  const files = tappedFiles();
  const path = join(directory, 'reserve');
  return { directory, files, path, reserve: reserveAt({ files, path, sizeBytes }) };
}

describe('the reserve', () => {
  test('is real bytes on disk, no hole among them', async () => {
    const { reserve, path } = await bench();
    expect(await reserve.restore()).toBe(true);
    const found = await stat(path);
    expect(found.size).toBe(3 * MiB + 5);
    expect(found.blocks * 512).toBeGreaterThanOrEqual(3 * MiB + 5);
  });

  test('is written once: a second restore writes nothing', async () => {
    const { reserve, files } = await bench();
    await reserve.restore();
    files.calls.length = 0;
    expect(await reserve.restore()).toBe(true);
    expect(files.calls.map(({ operation }) => operation)).toEqual(['stat']);
  });

  test('is freed by spending, and can be restored', async () => {
    const { reserve, path } = await bench();
    expect(await reserve.spend()).toBe(false);
    await reserve.restore();
    expect(await reserve.spend()).toBe(true);
    expect(await nodeFiles.stat(path)).toBeUndefined();
    expect(await reserve.restore()).toBe(true);
  });

  test('is left out where less than twice its size is free', async () => {
    const { files, path, directory } = await bench();
    files.space = async () => ({ freeBytes: 2 * MiB - 1, totalBytes: 100 * MiB });
    const reserve = reserveAt({ files, path, sizeBytes: MiB });
    expect(await reserve.restore()).toBe(false);
    expect(await nodeFiles.list(directory)).toEqual([]);
  });

  test('a disk that fills up while it is written gets everything back', async () => {
    const { reserve, files, directory } = await bench();
    let writes = 0;
    files.tap = ({ operation }) => {
      if (operation !== 'write') return;
      writes += 1;
      if (writes === 3) throw systemError('ENOSPC');
    };
    expect(await reserve.restore()).toBe(false);
    expect(await nodeFiles.list(directory)).toEqual([]);
    expect(await reserve.restore()).toBe(true);
  });

  test.each(['spend', 'close'] as const)('%s stops a restore that runs', async (stop) => {
    const { reserve, files, directory } = await bench();
    const writing = deferred();
    const go = deferred();
    files.tap = ({ operation }) => {
      if (operation !== 'write') return;
      writing.resolve();
      return go.promise;
    };
    const restoring = reserve.restore();
    await writing.promise;
    const stopped = reserve[stop]();
    go.resolve();
    await stopped;
    expect(await restoring).toBe(false);
    expect(await nodeFiles.list(directory)).toEqual([]);
  });

  test('a half-written one of a crash is not taken for it', async () => {
    const { reserve, files, directory } = await bench();
    await nodeFiles.open(join(directory, 'reserve.new'), 'create').then((file) => file.close());
    expect(await reserve.restore()).toBe(true);
    expect((await files.list(directory)).map(({ name }) => name)).toEqual(['reserve']);
  });
});

/** A log that lost its end after a kill: nothing in it shows that, but the views hold what is gone. */
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeFiles } from '#files';
import { MAIN, openLog } from '#wal';
import { openHome } from '../../src/home/home.ts';
import { openLeftViews } from '../../src/service/recovery.ts';
import { openStoredViews } from '../../src/views/stored-views.ts';
import { runCommand } from '../cli/run-command.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { silent } from '../support/views.ts';

it('wal repair tells of views that hold more than the log, and with --accept-loss sets them aside', async () => {
  const directory = join(await temporaryDirectory(), 'data');
  const home = await openHome({ files: nodeFiles, directory, reserveBytes: 4096 });
  const { layout } = home;
  const { log } = await openLog({
    files: nodeFiles,
    directory: layout.wal,
    witnesses: [],
    now: Date.now,
    random: (count) => new Uint8Array(count).fill(7),
  });
  await log.append(MAIN, [Buffer.from('one')]);
  const kept = (await nodeFiles.stat(join(layout.wal, first)))?.sizeBytes ?? 0;
  const { last } = await appended(log);
  const openStore = () =>
    openStoredViews({ files: nodeFiles, path: layout.views, newId: () => 'views-1' });
  const store = await openStore();
  await store.write({ operations: [], applied: last });
  await store.close();
  await log.close();
  await home.close();
  await truncate(join(layout.wal, first), kept);

  const explained = await runCommand(['wal', 'repair', '--data-dir', directory]);
  expect(explained).toMatchObject({ code: 1 });
  expect(explained.out).toMatch(/views\t.*it knows of position 2/);
  expect(explained.out).toContain('lost: the records from position 2 to 2');
  const repaired = await runCommand(['wal', 'repair', '--accept-loss', '--data-dir', directory]);
  expect(repaired).toMatchObject({ code: 0 });
  expect(repaired.out).toContain('views.broken');
  const left = await openLeftViews({ openStore, observe: silent });
  expect(left.witnesses).toEqual([{ name: 'the views folder', position: 0 }]);
  await left.store?.close();
  expect(await runCommand(['wal', 'repair', '--data-dir', directory])).toMatchObject({ code: 0 });
});

const first = '00000000000000000001.wal';

async function appended(log: Awaited<ReturnType<typeof openLog>>['log']) {
  const result = await log.append(MAIN, [Buffer.from('two')]);
  if (result.kind !== 'appended') throw new Error(result.kind);
  return result;
}

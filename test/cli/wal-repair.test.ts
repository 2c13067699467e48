/** `wal repair`: explains, changes nothing unless it is told to, and leaves a log that opens. */
import { appendFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeFiles } from '#files';
import { readLog, verifyLog } from '#wal';
import { readCleanMarker, readFence, writeFence } from '../../src/home/control.ts';
import { openHome } from '../../src/home/home.ts';
import type { Layout } from '../../src/home/layout.ts';
import { runCommand } from './run-command.ts';
import {
  damage,
  openOver,
  remember,
  type SmallLog,
  segmentsOf,
  smallLog,
  startMs,
} from './small-log.ts';

const repair = (layout: Layout, ...more: string[]) =>
  runCommand(['wal', 'repair', '--data-dir', layout.directory, ...more]);

/** What lies in wal/ and the control files, by name. */
async function contents(layout: Layout): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const directory of [layout.directory, layout.wal]) {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const isHomes = directory === layout.directory && !/^(clean|fence)/.test(entry.name);
      if (!entry.isFile() || isHomes) continue;
      found.set(entry.name, await readFile(join(directory, entry.name), 'hex'));
    }
  }
  return found;
}

/** A store of two segments whose first one is damaged, and whose control files know all of it. */
async function damaged(): Promise<SmallLog & { readonly first: string; readonly last: string }> {
  const log = await smallLog();
  const [first = '', last = ''] = await segmentsOf(log.layout);
  await remember(log.layout, log.head);
  await damage(log.layout, first, (await readFile(join(log.layout.wal, first))).length - 200);
  return { ...log, first, last };
}

describe('wal repair', () => {
  test('finds nothing to do in a whole store', async () => {
    const { layout, head } = await smallLog();
    await remember(layout, head);
    const before = await contents(layout);
    const { code, out } = await repair(layout, '--accept-loss');
    expect({ code, out }).toEqual({
      code: 0,
      out: `The log is whole up to position ${head.position}: there is nothing to repair.\n`,
    });
    expect(await contents(layout)).toEqual(before);
  });

  test('explains file, offset, position and what each way out loses, and changes nothing', async () => {
    const { layout, first, head } = await damaged();
    const before = await contents(layout);
    const { code, out } = await repair(layout);
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`wal/${first}\\t\\d+\\t\\d+\\tthe body does not match its CRC`));
    expect(out).toContain(`clean\t0\t${head.position}\tit knows of position ${head.position}`);
    expect(out).toContain('1. Put the files back');
    expect(out).toMatch(/lost: the records from position \d+ to \d+, and any behind/);
    expect(out).toContain('Nothing was changed.');
    expect(await contents(layout)).toEqual(before);
  });

  test('with --accept-loss keeps the valid prefix and every original, and forgets who knows more', async () => {
    const { layout, first, last, head } = await damaged();
    const before = await contents(layout);
    const { code, out } = await repair(layout, '--accept-loss', '--json');
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ repaired: true, lost: { to: head.position } });
    expect(report.lost.from).toBe(report.head + 1);
    for (const { file, kept_as } of report.kept) {
      const name = (path: string) => path.replace('wal/', '');
      const kept = (await contents(layout)).get(name(kept_as));
      expect(kept).toBe(before.get(name(file)));
    }
    const names = report.kept.map(({ file }: { file: string }) => file);
    expect(names).toEqual(['clean', 'fence', `wal/${last}`, `wal/${first}`]);
    expect(await readCleanMarker(nodeFiles, layout)).toBeUndefined();
    expect(await readFence(nodeFiles, layout)).toBeUndefined();
    await (await openOver(layout, startMs + 9000)).close();
    expect(await verifyLog(nodeFiles, layout.wal)).toMatchObject({ ok: true, problems: [] });
    const again = await repair(layout);
    expect(again.code).toBe(0);
  });

  test('forgets a fence that agrees before the marker that does not: views may hold what is lost', async () => {
    const { layout, head } = await smallLog();
    await remember(layout, head);
    const [first = '', last = ''] = await segmentsOf(layout);
    const fence = await readFence(nodeFiles, layout);
    if (!fence) throw new Error('no fence');
    let firstFrame: { position: number; chain: string } | undefined;
    for await (const frame of readLog(nodeFiles, layout.wal)) {
      firstFrame ??= { position: frame.last, chain: Buffer.from(frame.chain).toString('hex') };
    }
    await writeFence(nodeFiles, layout, { ...fence, ...firstFrame } as typeof fence);
    await rm(join(layout.wal, last));
    const { out } = await repair(layout, '--accept-loss', '--json');
    const report = JSON.parse(out);
    expect(report.kept.map(({ file }: { file: string }) => file)).toEqual(['fence', 'clean']);
    expect(report.witnesses).toMatchObject([{ file: 'clean', position: head.position }]);
    expect(await segmentsOf(layout)).toEqual([first]);
  });

  test('sets a damaged control file aside, and loses nothing', async () => {
    const { layout, head } = await smallLog();
    await remember(layout, head);
    await appendFile(layout.fenceFile, ' ');
    const explained = await repair(layout);
    expect(explained.code).toBe(1);
    expect(explained.out).toContain('fence\t0\t-\tits seal does not fit');
    expect(explained.out).toContain(`it is whole up to position ${head.position}`);
    const { out } = await repair(layout, '--accept-loss', '--json');
    expect(JSON.parse(out)).toMatchObject({ repaired: true, lost: null, head: head.position });
    expect(await readFence(nodeFiles, layout)).toBeUndefined();
  });

  test('gets a log that was cut at the edge of a frame past its markers', async () => {
    const { layout, head } = await smallLog();
    await remember(layout, head);
    const last = (await segmentsOf(layout)).at(-1) ?? '';
    const offsets: number[] = [];
    for await (const frame of readLog(nodeFiles, layout.wal)) {
      if (frame.segment === last) offsets.push(frame.offset);
    }
    await truncate(join(layout.wal, last), offsets.at(-1));
    expect((await repair(layout)).code).toBe(1);
    expect((await repair(layout, '--accept-loss')).code).toBe(0);
    expect((await repair(layout)).code).toBe(0);
  });

  test('is refused on a directory that another process holds', async () => {
    const { layout } = await damaged();
    const home = await openHome({ files: nodeFiles, directory: layout.directory });
    const { code, err } = await repair(layout, '--accept-loss');
    await home.close();
    expect(code).toBe(1);
    expect(err).toContain('is in use by process');
  });

  test('makes no store where there is none', async () => {
    const { layout } = await smallLog();
    await rm(layout.wal, { recursive: true });
    await writeFile(join(layout.directory, 'x'), '');
    expect((await repair(layout)).code).toBe(2);
  });
});

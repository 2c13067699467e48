/** `views verify`: on the real LevelDB of a directory, and by a job where nothing vouches for it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as compose from '../../src/compose.ts';
import type { Layout } from '../../src/home/layout.ts';
import { makeRealStore } from '../support/real-store.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { runCommand } from './run-command.ts';
import { smallLog } from './small-log.ts';

/** A directory that was opened and closed in good order. */
async function cleanStore(): Promise<{ readonly layout: Layout; readonly digest: string }> {
  const layout = await makeRealStore(await temporaryDirectory());
  return { layout, digest: await digestOf(layout) };
}

async function digestOf(layout: Layout): Promise<string> {
  const argv = ['views', 'digest', '--data-dir', layout.directory];
  return (await runCommand(argv, { compose })).out.trim();
}

const verify = (layout: Layout, ...more: string[]) =>
  runCommand(['views', 'verify', '--data-dir', layout.directory, ...more], { compose });

const tableOf = ({ views }: Layout) =>
  readdirSync(views).filter((name) => name.endsWith('.ldb'))[0] ?? '';

const flips = 8;

/** In a process of its own, which a table that makes no sense may end: `code` is null then. */
function verifyApart({ directory }: Layout): {
  readonly code: number | null;
  readonly ok?: boolean;
} {
  const command = ['--import', 'tsx', '-C', 'source', 'src/main.ts', 'views', 'verify'];
  const { status, stdout } = spawnSync(
    process.execPath,
    [...command, '--data-dir', directory, '--json'],
    { encoding: 'utf8' },
  );
  return status === null ? { code: null } : { code: status, ok: JSON.parse(stdout).ok };
}

describe('views verify', () => {
  test('finds whole views whole', async () => {
    const { layout } = await cleanStore();
    const { code, out, err } = await verify(layout, '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ ok: true, problems: [], problem_count: 0 });
    expect((await verify(layout)).out).toMatch(/^result\twhole\nrows\t\d+\n$/);
  });

  test('finds flipped bytes of a table, changes nothing, and rebuild mends it', async () => {
    const { layout, digest } = await cleanStore();
    const path = join(layout.views, tableOf(layout));
    const whole = readFileSync(path);
    let damaged: Buffer | undefined;
    // Spread over the table; the index and the footer at its end are read by other means.
    for (let part = 1; part <= flips; part += 1) {
      const at = Math.floor(((whole.length - 400) * part) / (flips + 1));
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x20;
      writeFileSync(path, bytes);
      const { code, ok } = verifyApart(layout);
      // LevelDB may fall over a table that makes no sense; it never calls it whole.
      if (code === null) continue;
      expect(ok).toBe(code === 0);
      if (code === 1) damaged = bytes;
      // A bit of a compressed copy may be another way to say the same: then no row is another.
      if (code === 0) expect(await digestOf(layout)).toBe(digest);
    }
    if (!damaged) throw new Error(`none of ${flips} flips was found`);
    writeFileSync(path, damaged);
    const explained = await verify(layout);
    expect(explained.out).toContain('way out\taerostore views rebuild');
    const argv = ['views', 'rebuild', '--data-dir', layout.directory, '--json'];
    const rebuilt = await runCommand(argv, { compose });
    expect(JSON.parse(rebuilt.out)).toMatchObject({ digest });
    expect((await verify(layout)).code).toBe(0);
  });

  test('finds a table that is gone', async () => {
    const { layout } = await cleanStore();
    rmSync(join(layout.views, tableOf(layout)));
    expect((await verify(layout)).code).toBe(1);
  });

  test('brings views level first for which no clean stop vouches', async () => {
    const { layout } = await cleanStore();
    rmSync(layout.cleanMarkerFile);
    const { code, out } = await verify(layout, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true });
  });

  test('asks a running server, and says that it mends itself', async () => {
    const run = async () => {
      const job = { ok: false, rows: 3, problems: ['x'], problem_count: 1 };
      const state = 'done' as const;
      const progress = { done: 3, total: 3 };
      return { ok: true as const, value: { state, progress, result: job, error: null } };
    };
    const verifyViewsOffline = async () => undefined;
    const { layout } = await smallLog();
    const argv = ['views', 'verify', '--data-dir', layout.directory];
    const { code, out } = await runCommand(argv, { compose: { runJob: run, verifyViewsOffline } });
    expect(code).toBe(1);
    expect(out).toContain('x\n\nresult\t1 found\nrows\t3\n');
  });
});

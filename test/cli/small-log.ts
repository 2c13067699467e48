/** Data directories with a small log: one record of every type, written by the journal itself. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeFiles } from '#files';
import { openLog } from '#wal';
import { writeCleanMarker, writeFence } from '../../src/home/control.ts';
import { type Layout, layoutOf } from '../../src/home/layout.ts';
import { openJournal } from '../../src/journal/index.ts';
import { samples } from '../journal/samples.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** The commit time of the first frame; each start is a second later than the one before. */
export const startMs = Date.UTC(2026, 0, 31, 12);

export interface SmallLog {
  readonly layout: Layout;
  /** The types of its records, in order. */
  readonly types: readonly string[];
  readonly head: { readonly position: number; readonly chain: string };
}

/** Two starts: the second one's records are a second later and in a segment of their own. */
export async function smallLog(): Promise<SmallLog> {
  const layout = layoutOf(await temporaryDirectory());
  await mkdir(layout.wal);
  const records = [...samples.values()];
  await append(layout, records.slice(0, 6), startMs);
  const head = await append(layout, records.slice(6), startMs + 1000);
  const written = records.map(({ event }) => event.type);
  const types = ['store.opened', ...written.slice(0, 6), 'store.opened', ...written.slice(6)];
  return { layout, types, head };
}

async function append(layout: Layout, records: Parameters<Journal['append']>[0], timeMs: number) {
  const journal = await openOver(layout, timeMs);
  await journal.append(records);
  return journal.close();
}

type Journal = Awaited<ReturnType<typeof openJournal>>;

/** Opened, so that it can be looked at beside its writer. */
export function openOver(layout: Layout, timeMs: number): Promise<Journal> {
  return openJournal({
    files: nodeFiles,
    directory: layout.wal,
    witnesses: [],
    random: (count) => new Uint8Array(count).fill(1),
    clock: { now: () => timeMs },
    version: '0.1.0',
    nodeId: 'node-1',
  });
}

/** Appends bytes that are no record of this program. */
export async function appendForeign(layout: Layout, bytes: Uint8Array): Promise<void> {
  const { log } = await openLog({
    files: nodeFiles,
    directory: layout.wal,
    witnesses: [],
    now: () => startMs + 2000,
    random: (count) => new Uint8Array(count).fill(1),
  });
  await log.append('main', [bytes]);
  await log.close();
}

export async function segmentsOf(layout: Layout): Promise<string[]> {
  return (await readdir(layout.wal)).filter((name) => name.endsWith('.wal')).sort();
}

/** Flips one bit of a segment. */
export async function damage(layout: Layout, file: string, offset: number): Promise<void> {
  const path = join(layout.wal, file);
  const bytes = await readFile(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

/** Makes the control files remember `position` with `chain`. */
export async function remember(
  layout: Layout,
  head: { position: number; chain: string },
): Promise<void> {
  const witness = {
    position: head.position as Parameters<typeof writeCleanMarker>[2]['position'],
    chain: head.chain,
    viewsId: 'v',
    projection: 1,
    timeMs: startMs,
  };
  await writeCleanMarker(nodeFiles, layout, witness);
  await writeFence(nodeFiles, layout, { ...witness, totals: [] });
}

/**
 * Views under which starts keep ending. LevelDB meets some damage of its files with an assertion that
 * ends the process, at the same place in each start; nothing in the process can catch that. So a start
 * counts itself before it opens the views. Those that are no further than they were three starts ago
 * are not opened any more but built anew.
 *
 * Whoever kills a store that often within one fence pays with one rebuild, and with nothing else.
 */
import { type Files, removeIfPresent } from '#files';
import { readControl, writeControl } from '../../home/control.ts';
import { ControlDamaged } from '../../home/errors.ts';
import type { Layout } from '../../home/layout.ts';
import { isOutOfSpace } from './scarce-disk.ts';

/** What tells that views have moved on: every fence and every clean stop has a position of its own. */
interface ViewsMark {
  readonly viewsId: string;
  readonly position: number;
}

interface Counted extends ViewsMark {
  readonly starts: number;
}

const mostStarts = 3;

/** Counts this start; true where there were too many. */
export async function countStart(
  files: Files,
  layout: Layout,
  { viewsId, position }: ViewsMark,
): Promise<boolean> {
  const before = await readCounted(files, layout);
  const isSame = before?.viewsId === viewsId && before.position === position;
  const starts = isSame ? before.starts + 1 : 1;
  if (starts > mostStarts) return true;
  const counted: Counted = { viewsId, position, starts };
  await writeControl(files, layout.startsFile, counted).catch((fault: unknown) => {
    if (!isOutOfSpace(fault)) throw fault;
  });
  return false;
}

/**
 * The start ends in good order, though it was refused: the views are not why. Else one that is tried
 * again and again would at last not ask them whether the log is whole.
 */
export async function uncountStart(files: Files, layout: Layout): Promise<void> {
  await removeIfPresent(files, layout.startsFile);
}

/** A count that can't be read is none: nothing but time hangs on it. */
async function readCounted(files: Files, layout: Layout): Promise<Counted | undefined> {
  try {
    return ((await readControl(files, layout.startsFile)) ?? undefined) as Counted | undefined;
  } catch (fault) {
    if (fault instanceof ControlDamaged) return undefined;
    throw fault;
  }
}

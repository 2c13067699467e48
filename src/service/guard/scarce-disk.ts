/**
 * Start-up on a disk that is full: the reserve is given up first; where that is not enough the log
 * stays as it is, and the store begins read-only in the old epoch until there is space.
 */
import { hasCode } from '#files';
import type { Observe } from '../../domain/effects.ts';
import type { Reserve } from '../../home/reserve.ts';
import type { Journal, WaitingJournal } from '../../journal/index.ts';
import type { HealthMonitor } from '../health.ts';

/** LevelDB tells a system error only by its text, which is strerror's in the C locale. */
const noSpace = /No space left on device|Disk quota exceeded/;

export function isOutOfSpace(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (hasCode(cause, 'ENOSPC', 'EDQUOT') || noSpace.test(cause.message)) return true;
  }
  return false;
}

export type Spendable = Pick<Reserve, 'spend' | 'restore'>;

/** Runs a step of start-up; where the disk has no room for it, once more without the reserve. */
export async function withReserve<T>(
  { reserve, observe }: { readonly reserve: Spendable; readonly observe: Observe },
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step();
  } catch (fault) {
    if (!isOutOfSpace(fault) || !(await reserve.spend())) throw fault;
    observe.warn('the disk is full: the reserve is given up', { fault: String(fault) });
    return await step();
  }
}

/** The journal, or one that waits for space. */
export async function openOrWait(
  open: () => Promise<Journal>,
  wait: () => Promise<WaitingJournal>,
): Promise<Journal | WaitingJournal> {
  try {
    return await open();
  } catch (fault) {
    if (!isOutOfSpace(fault)) throw fault;
    return await wait().catch(() => {
      throw fault;
    });
  }
}

const trouble = 'log';

/** Keeps writes closed while the journal waits; resolves to whether it still does. */
export async function beginWriting(
  journal: Journal | WaitingJournal,
  { health, observe }: { readonly health: HealthMonitor; readonly observe: Observe },
): Promise<boolean> {
  if (!('begin' in journal)) return false;
  try {
    await journal.begin();
    health.mend(trouble);
    return false;
  } catch (fault) {
    const reason = 'the log can not be written: the disk is full';
    health.restrict(trouble, { reason, closes: 'writes' });
    observe.debug(reason, { fault: String(fault) });
    return true;
  }
}

/** What only shortens the next start is left out where the disk has no room for it. */
export async function hadRoom(
  { observe }: { readonly observe: Observe },
  write: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (fault) {
    if (!isOutOfSpace(fault)) throw fault;
    observe.warn('the disk is full: the next start replays the log', { fault: String(fault) });
    return false;
  }
}

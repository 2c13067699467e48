/**
 * Watches the space on the disk, so that the store stops taking in before the disk does: below the
 * low mark uploads are refused and deletes still work, below the hard mark every write is refused.
 * Both come back by themselves, a tenth above their mark, so that the store does not waver at it.
 */
import type { DiskSpace, Files } from '#files';
import type { Observe } from '../../domain/effects.ts';
import { type DiskMark, markBytes } from '../../domain/values/sizes.ts';
import type { Closed, HealthMonitor } from '../health.ts';

export interface DiskMarks {
  /** Uploads are refused while less is free. */
  readonly low: DiskMark;
  /** All writes are refused while less is free. */
  readonly hard: DiskMark;
}

export interface DiskGuardParts {
  readonly files: Pick<Files, 'space'>;
  readonly directory: string;
  readonly marks: DiskMarks;
  readonly health: HealthMonitor;
  readonly observe: Observe;
  /** Called after each look that found enough space. */
  readonly onRoom: () => void;
  /** Called when writes are possible again. */
  readonly onRelief: () => void;
}

export interface DiskGuard {
  /** Whether there is less than the hard mark. */
  readonly isFull: boolean;
  /** Looks at the disk now. */
  look(): Promise<void>;
  /** The disk said that it is full, whatever its figures say: uploads rest until the next look. */
  suspect(): void;
  stop(): void;
}

const lookIntervalMs = 5_000;
const trouble = 'disk space';
/** What is free must exceed a mark by this share of it before what it closed is opened again. */
const margin = 0.1;

export function createDiskGuard(parts: DiskGuardParts): DiskGuard {
  const { files, directory, marks, health, observe, onRoom, onRelief } = parts;
  let closed: Closed | undefined;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  function change(next: 'uploads' | 'writes' | undefined, space?: DiskSpace): void {
    const before = closed;
    closed = next;
    if (next) health.restrict(trouble, { reason: reasons[next], closes: next });
    else health.mend(trouble);
    if (next === before) return;
    const facts = space && { free_bytes: space.freeBytes, total_bytes: space.totalBytes };
    if (next) observe.warn(reasons[next], facts);
    else observe.info('there is enough space on the disk again', facts);
    if (before === 'writes') onRelief();
  }

  async function look(): Promise<void> {
    const space = await files.space(directory).catch((fault: unknown) => {
      observe.warn('the space on the disk is not known', { fault: String(fault) });
    });
    if (!space || isStopped) return;
    change(closedBy(marks, space, closed), space);
    if (!closed) onRoom();
  }

  const guard: DiskGuard = {
    get isFull() {
      return closed === 'writes';
    },
    look,
    suspect() {
      if (!closed) change('uploads');
    },
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
  timer = setInterval(() => void look(), lookIntervalMs).unref();
  return guard;
}

const reasons = {
  uploads: 'the disk is almost full: uploads are refused',
  writes: 'the disk is full: the store is read-only',
};

/** `before`: what is closed now, which is opened again only with some space to spare. */
function closedBy(
  { low, hard }: DiskMarks,
  { freeBytes, totalBytes }: DiskSpace,
  before: Closed | undefined,
): 'uploads' | 'writes' | undefined {
  const isBelow = (mark: DiskMark, isClosed: boolean) =>
    freeBytes < markBytes(mark, totalBytes) * (isClosed ? 1 + margin : 1);
  if (isBelow(hard, before === 'writes')) return 'writes';
  return isBelow(low, before !== undefined) ? 'uploads' : undefined;
}

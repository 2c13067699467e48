/**
 * A journal whose log can't be written yet, such as on a full disk: it reads what is there, in the old
 * epoch, refuses appends, and becomes the real one when that opens. It changes nothing on the disk.
 *
 * To be opened after `openJournal` failed for want of space: that has held the log against its
 * witnesses already.
 */
import { inspectLog, type LogFacts, readLog } from '#wal';
import type { Position } from '../domain/names.ts';
import { rejection } from '../domain/rejection.ts';
import { refuse } from '../domain/result.ts';
import type { CommittedFrame, Journal } from './journal.ts';
import { beforeOldest, framesOf, type JournalOptions, openJournal } from './open-journal.ts';

export interface WaitingJournal extends Journal {
  /** Opens the log for writing. Throws what keeps it from that; it goes on waiting then. */
  begin(): Promise<void>;
}

/** Throws LogCorrupt, or an error of the disk. */
export async function openWaitingJournal(options: JournalOptions): Promise<WaitingJournal> {
  const { files, directory } = options;
  const facts = await inspectLog(files, directory);
  const head = { position: facts.head, chain: facts.chain ?? '' };
  const begun = pending<Journal>();
  const closed = pending<undefined>();
  const poisoned = begun.promise.then((journal) => journal.poisoned);
  let journal: Journal | undefined;
  let beginning: Promise<void> | undefined;
  let isClosed = false;

  async function begin(): Promise<void> {
    if (journal || isClosed) return;
    journal = await openJournal(options);
    begun.resolve(journal);
  }

  async function* follow(after: CommittedFrame['last'], signal: AbortSignal) {
    const aborted = pending<undefined>();
    const stop = () => aborted.resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) return;
    const real = await Promise.race([begun.promise, closed.promise, aborted.promise]);
    signal.removeEventListener('abort', stop);
    if (real) yield* real.follow(after, signal);
  }

  return {
    recovery: { segments: facts.segments.length, tornBytes: 0, setAside: [] },
    get epoch() {
      return journal?.epoch ?? facts.segments.at(-1)?.epoch ?? 0;
    },
    get head() {
      return journal?.head ?? head.position;
    },
    get oldest() {
      return journal?.oldest ?? facts.oldest;
    },
    get beginning() {
      return journal?.beginning ?? beforeOldest(facts.oldest);
    },
    get chainHead() {
      return journal?.chainHead ?? head;
    },
    append: async (records) => journal?.append(records) ?? refuse(rejection('ReadOnly')),
    read: (after, signal) =>
      journal?.read(after, signal) ?? framesOf(readLog(files, directory, { after }), after),
    follow,
    epochAt: (position) => journal?.epochAt(position) ?? epochIn(facts, position),
    distance: (from, to) => Math.max(0, to - from),
    poisoned,
    async begin() {
      beginning ??= begin().finally(() => {
        beginning = undefined;
      });
      await beginning;
    },
    async close() {
      isClosed = true;
      await beginning?.catch(() => {});
      closed.resolve(undefined);
      return journal?.close() ?? head;
    },
  };
}

function epochIn({ segments, head, oldest }: LogFacts, position: Position): number | undefined {
  if (position < oldest || position > head) return undefined;
  return segments.findLast(({ first }) => first <= position)?.epoch;
}

function pending<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/**
 * A journal over a log: on disk, or in memory for tests. It turns events into records and frames
 * into committed records, and the log's refusals into values. Its first act in each start is to
 * append `store.opened`, so that every epoch says who wrote it.
 */
import type { Files } from '#files';
import {
  type Frame,
  type Limits,
  type Log,
  LogClosed,
  LogOverloaded,
  LogPoisoned,
  MAIN,
  openLog,
  openMemoryLog,
  type RecoveryReport,
  type Witness,
} from '#wal';
import type { Clock } from '../domain/effects.ts';
import type { NewRecord } from '../domain/events.ts';
import type { Position } from '../domain/names.ts';
import { type Rejection, rejection } from '../domain/rejection.ts';
import { ok, refuse } from '../domain/result.ts';
import { decode, encode } from './codec.ts';
import type { CommittedFrame, Journal, JournalRecovery } from './journal.ts';

/** What the log must hold at least; `chain` in hex, as control files keep it. */
export interface JournalWitness {
  /** Who remembers, for the operator: 'clean marker', 'fence'. */
  readonly name: string;
  readonly position: Position;
  readonly chain?: string;
}

/** Who opens the store; written into `store.opened`. */
export interface Opener {
  readonly clock: Clock;
  /** The program's version. */
  readonly version: string;
  readonly nodeId: string;
}

export interface JournalOptions extends Opener {
  readonly files: Files;
  readonly directory: string;
  readonly witnesses: readonly JournalWitness[];
  /** `count` bytes from a cryptographic source. */
  readonly random: (count: number) => Uint8Array;
  readonly limits?: Partial<Limits>;
}

/**
 * Recovers and opens the log at `directory`. Throws LogCorrupt, LogBehindWitness, LogTruncated or
 * the system error that kept `store.opened` from being written.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { files, directory, clock, random, limits } = options;
  const { log, report } = await openLog({
    files,
    directory,
    witnesses: options.witnesses.map(toWitness),
    now: () => clock.now(),
    random,
    ...(limits ? { limits } : {}),
  });
  return openOver(log, { opener: options, recovery: recoveryOf(report) });
}

interface MemoryJournalOptions extends Opener {
  readonly random: (count: number) => Uint8Array;
  readonly limits?: Partial<Limits>;
}

/** As openJournal, over a log that forgets. */
export async function openMemoryJournal(options: MemoryJournalOptions): Promise<Journal> {
  const { clock, random, limits } = options;
  const log = openMemoryLog({ now: () => clock.now(), random, ...(limits ? { limits } : {}) });
  const recovery = { segments: 0, tornBytes: 0, setAside: [] };
  return openOver(log, { opener: options, recovery });
}

function toWitness({ name, position, chain }: JournalWitness): Witness {
  return { name, position, ...(chain === undefined ? {} : { chain: Buffer.from(chain, 'hex') }) };
}

function recoveryOf(report: RecoveryReport): JournalRecovery {
  const { torn, setAside } = report;
  return {
    segments: report.segments,
    tornBytes: torn?.sizeBytes ?? 0,
    setAside: [torn?.keptAs, setAside?.keptAs].filter((name) => name !== undefined),
  };
}

async function openOver(
  log: Log,
  { opener, recovery }: { readonly opener: Opener; readonly recovery: JournalRecovery },
): Promise<Journal> {
  const journal = journalOver(log, recovery);
  const { segments, tornBytes, setAside } = recovery;
  const opened = await journal.append([
    {
      event: {
        type: 'store.opened',
        version: opener.version,
        node_id: opener.nodeId,
        recovery: { segments, torn_bytes: tornBytes, set_aside: setAside.length },
      },
      actor: { sub: null, role: 'system', request_id: null },
    },
  ]);
  if (opened.ok) return journal;
  const cause = opened.rejection.code === 'OutcomeUnknown' ? await log.poisoned : undefined;
  await log.close();
  throw new Error('store.opened could not be appended', { cause });
}

function journalOver(log: Log, recovery: JournalRecovery): Journal {
  return {
    recovery,
    get epoch() {
      return log.epoch;
    },
    get head() {
      return log.head;
    },
    get oldest() {
      return log.oldest;
    },
    get beginning() {
      return beforeOldest(log.oldest);
    },
    get chainHead() {
      return hexHead(log.chainHead);
    },
    append: (records) => append(log, records),
    read: (after, signal) => framesOf(log.read(MAIN, after, signal), after),
    follow: (after, signal) => framesOf(log.follow(MAIN, after, signal), after),
    epochAt: (position) => log.epochAt(position),
    distance: (from, to) => log.distance(from, to),
    poisoned: log.poisoned,
    close: async () => hexHead(await log.close()),
  };
}

/** As `committedFrame`, this counts on positions that are dense. */
export function beforeOldest(oldest: Position): Position {
  return (oldest - 1) as Position;
}

function hexHead({ position, chain }: Log['chainHead']) {
  return { position, chain: Buffer.from(chain).toString('hex') };
}

async function append(log: Log, records: readonly NewRecord[]) {
  const bytes = records.map(encode);
  try {
    const appended = await log.append(MAIN, bytes, { epoch: log.epoch });
    if (appended.kind === 'appended') {
      const { first, last, timeMs, epoch } = appended;
      return ok({ first, last, timeMs, epoch });
    }
    // This process holds the directory's lock: nobody else can have begun an epoch.
    throw new Error(`the log is in epoch ${appended.epoch}, not in that of its only writer`);
  } catch (cause) {
    return refuse(refusalOf(cause));
  }
}

function refusalOf(cause: unknown): Rejection {
  if (cause instanceof LogOverloaded) return rejection('Overloaded');
  if (cause instanceof LogPoisoned) {
    return cause.outcomeUnknown ? rejection('OutcomeUnknown') : rejection('NotReady');
  }
  if (cause instanceof LogClosed) return rejection('NotReady');
  throw cause;
}

export async function* framesOf(frames: AsyncIterable<Frame>, after: Position) {
  for await (const frame of frames) {
    const trimmed = committedFrame(frame, after);
    if (trimmed) yield trimmed;
  }
}

/**
 * The records of a frame after `after`. Positions inside one frame are dense by the log's contract;
 * this is the only place above wal/ that counts on it.
 */
function committedFrame(frame: Frame, after: Position): CommittedFrame | undefined {
  const { last, timeMs, epoch } = frame;
  const chain = Buffer.from(frame.chain).toString('hex');
  const records = frame.records.flatMap((bytes, index) => {
    const position = (frame.first + index) as Position;
    return position > after ? [decode(bytes, { position, timeMs, epoch })] : [];
  });
  const first = records[0]?.position;
  return first === undefined ? undefined : { first, last, timeMs, epoch, chain, records };
}

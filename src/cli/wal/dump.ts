/**
 * `wal dump`: the records of the log in order, a line each, as they are read: nothing is collected.
 * A record that this program can't decode is shown in hex, passes every filter but the range, and
 * makes the exit code 1; so does damage, which ends the dump. Reads only wal/.
 */
import { setImmediate } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { nodeFiles } from '#files';
import { inspectLog, LogCorrupt, readLog, type StoredFrame } from '#wal';
import type { CommittedRecord } from '../../domain/events.ts';
import type { Position } from '../../domain/names.ts';
import { decode, type RecordPlace, RecordUnreadable } from '../../journal/codec.ts';
import { type CommonOptions, define, type Run, refuseServer } from '../command.ts';
import { misuse } from '../failures.ts';
import { logLayout } from '../log-directory.ts';
import { type Cell, cellText, timeText, writeJson } from '../output.ts';
import type { ExitCode, Surroundings } from '../surroundings.ts';
import { recordFacts } from './record-facts.ts';
import {
  type Bound,
  type FilterOptions,
  filterOptions,
  isBefore,
  isBehind,
  isWanted,
} from './record-filter.ts';

interface DumpOptions extends CommonOptions, FilterOptions {
  readonly limit?: number;
}

type Found =
  | { readonly kind: 'record'; readonly record: CommittedRecord }
  | ({ readonly kind: 'unreadable'; readonly place: RecordPlace; readonly bytes: Uint8Array } & {
      readonly reason: string;
    });

export function addWalDump(parent: Command, run: Run): void {
  define<DumpOptions>(parent, run, {
    name: 'dump',
    summary: 'Print the records of the log, a line each.',
    examples: [
      'wal dump --bucket photos --type object.stored,object.deleted',
      'wal dump --from 1000 --to 2026-01-31T12:00:00Z --json',
    ],
    works: 'either',
    options: [
      ...filterOptions,
      new Option('--limit <count>', 'at most so many lines').argParser(parseLimit),
    ],
    act: (options) => walDump(run.surroundings, options),
  });
}

async function walDump(surroundings: Surroundings, options: DumpOptions): Promise<ExitCode> {
  refuseServer(options, 'wal dump');
  const layout = await logLayout(surroundings, options);
  const print = options.json ? printJson : printLine;
  let exitCode: ExitCode = 0;
  let lines = 0;
  for await (const found of wanted(layout.wal, options)) {
    if (lines === (options.limit ?? Number.POSITIVE_INFINITY)) break;
    if (found.kind === 'unreadable') exitCode = 1;
    print(surroundings, found);
    lines += 1;
  }
  return exitCode;
}

async function* wanted(directory: string, options: DumpOptions): AsyncGenerator<Found> {
  const after = await startFor(directory, options.from);
  for await (const frame of readLog(nodeFiles, directory, after === undefined ? {} : { after })) {
    for (const found of recordsOf(frame)) {
      const place = found.kind === 'record' ? found.record : found.place;
      if (isBehind(place, options.to)) return;
      if (isBefore(place, options.from)) continue;
      if (found.kind === 'unreadable' || isAbout(found.record, options)) yield found;
    }
    // Frames come out of memory a segment at a time: let the process hear that its reader left.
    await setImmediate();
  }
}

/** The end of the last segment that lies wholly before `from`: what is before it is not read. */
async function startFor(directory: string, from: Bound | undefined): Promise<Position | undefined> {
  if (from?.kind !== 'position') return undefined;
  try {
    const { segments } = await inspectLog(nodeFiles, directory);
    return segments.findLast(({ last }) => last < from.position)?.last as Position | undefined;
  } catch (cause) {
    // Damage is met again while reading, after what can still be read.
    if (cause instanceof LogCorrupt) return undefined;
    throw cause;
  }
}

function* recordsOf(frame: StoredFrame): Generator<Found> {
  const { timeMs, epoch } = frame;
  for (const [index, bytes] of frame.records.entries()) {
    // Positions inside one frame are dense, by the contract of the log.
    const place = { position: (frame.first + index) as Position, timeMs, epoch };
    try {
      yield { kind: 'record', record: decode(bytes, place) };
    } catch (cause) {
      if (!(cause instanceof RecordUnreadable)) throw cause;
      yield { kind: 'unreadable', place, bytes, reason: cause.message };
    }
  }
}

function isAbout({ event }: CommittedRecord, options: DumpOptions): boolean {
  return isWanted(event.type, recordFacts(event), options);
}

function printJson(surroundings: Surroundings, found: Found): void {
  if (found.kind === 'unreadable') {
    const { place, bytes, reason } = found;
    writeJson(surroundings, { ...placeDocument(place), unreadable: reason, bytes });
    return;
  }
  // An event has a position or a time of its own, so its fields stay apart from the record's.
  const { event, actor, idempotency } = found.record;
  const who = idempotency ? { actor, idempotency } : { actor };
  writeJson(surroundings, { ...placeDocument(found.record), type: event.type, ...who, event });
}

function placeDocument({ position, epoch, timeMs }: RecordPlace) {
  return { position, epoch, time: timeText(timeMs) };
}

function printLine(surroundings: Surroundings, found: Found): void {
  if (found.kind === 'unreadable') {
    const { place, bytes, reason } = found;
    const hex = Buffer.from(bytes).toString('hex');
    writeLine(surroundings, [place.position, timeText(place.timeMs), 'UNREADABLE', reason, hex]);
    return;
  }
  const { event, actor, position, timeMs } = found.record;
  const { bucket, path, owner, note } = recordFacts(event);
  const who = actor.sub ?? actor.role;
  writeLine(surroundings, [position, timeText(timeMs), event.type, bucket, path, owner, who, note]);
}

/** Columns of position, time, type, bucket, path, owner, by whom, and a note. */
const widths = [8, 24, 18, 12, 24, 12, 12];

function writeLine(surroundings: Surroundings, cells: readonly Cell[]): void {
  const texts = cells.map(cellText);
  const line = surroundings.isTty
    ? texts.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ')
    : texts.join('\t');
  surroundings.write(`${line.trimEnd()}\n`);
}

function parseLimit(value: string): number {
  if (/^[1-9]\d{0,14}$/.test(value)) return Number(value);
  throw misuse('--limit is not valid: use a whole number from 1.');
}

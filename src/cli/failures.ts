/**
 * How a command fails. What is known, and that the person at the terminal can do something about, is
 * one paragraph; anything else is a fault of the program and shows its stack.
 */
import { inspect } from 'node:util';
import { hasCode } from '#files';
import { LogBehindWitness, LogCorrupt, LogTruncated } from '#wal';
import { ControlDamaged, HomeRefused, KeyRefused } from '../home/errors.ts';
import { RecordUnreadable } from '../journal/index.ts';
import { isOutOfSpace } from '../service/guard/scarce-disk.ts';
import type { ExitCode } from './surroundings.ts';

/** Ends a command with a message. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused';
  readonly exitCode: ExitCode;

  constructor(exitCode: 1 | 2, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The command was used wrongly. */
export function misuse(message: string): CommandRefused {
  return new CommandRefused(2, message);
}

export function configRefused(problems: readonly string[]): CommandRefused {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return misuse([`The configuration has ${count}:`, ...problems].join('\n  '));
}

/** What to print on standard error, ended by a line break, and the exit code. */
export function explain(error: unknown): { readonly text: string; readonly exitCode: ExitCode } {
  if (error instanceof CommandRefused) {
    return { text: `error: ${error.message}\n`, exitCode: error.exitCode };
  }
  if (!(error instanceof HomeRefused) && isOutOfSpace(error)) {
    return { text: `error: ${fullDisk} (${reasonOf(error)})\n`, exitCode: 1 };
  }
  if (isKnown(error)) return { text: `error: ${error.message}${advice(error)}\n`, exitCode: 1 };
  return { text: `error: unexpected fault: ${inspect(error)}\n`, exitCode: 1 };
}

const fullDisk =
  'the disk is full, and what the data directory kept in reserve is not enough: free some space and start again. Nothing that was answered is lost.';

/** The first fault of all: what wraps it says less. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}

function isKnown(error: unknown): error is Error {
  // compose.ts says so by name: loading it to compare its class would load the whole store.
  const refusedToStart = error instanceof Error && error.name === 'StartRefused';
  return (
    refusedToStart ||
    isDenied(error) ||
    isBusy(error) ||
    known.some((type) => error instanceof type)
  );
}

const known = [
  HomeRefused,
  ControlDamaged,
  KeyRefused,
  LogCorrupt,
  LogBehindWitness,
  LogTruncated,
  RecordUnreadable,
];

function isDenied(error: unknown): boolean {
  return hasCode(error, 'EACCES', 'EPERM', 'EROFS');
}

function isBusy(error: unknown): boolean {
  return hasCode(error, 'EADDRINUSE', 'EADDRNOTAVAIL');
}

function advice(error: Error): string {
  if (error instanceof LogCorrupt) {
    return '. Nothing was changed. "aerostore wal verify" lists all damage; "aerostore wal repair" shows what would be lost in each way out.';
  }
  if (error instanceof LogBehindWitness) {
    return '. Nothing was changed. A part of the log is missing: restore the files of wal/ that were there. "aerostore wal repair" shows what would be lost without them.';
  }
  if (error instanceof RecordUnreadable) {
    return '. A newer aerostore may have written it: use that one. "aerostore wal dump" shows the record.';
  }
  const { syscall } = error as NodeJS.ErrnoException;
  if (isBusy(error) || (isDenied(error) && syscall === 'listen')) {
    return '. Choose another AEROSTORE_HOST or AEROSTORE_PORT.';
  }
  return isDenied(error) ? '. Run this as the owner of the data directory.' : '';
}

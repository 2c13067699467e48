/** Opening logs in tests: a clock that stands still unless it is moved, and known random bytes. */
import { createHash } from 'node:crypto';
import {
  type Frame,
  type Limits,
  type Log,
  MAIN,
  openLog,
  type Position,
  type RecoveryReport,
  type Witness,
} from '#wal';
import { MemoryDisk } from './disk.ts';

export const DIRECTORY = '/data/wal';
export const FIRST = `${DIRECTORY}/00000000000000000001.wal`;

export interface Opening {
  readonly nowMs?: number;
  readonly now?: () => number;
  readonly seed?: string;
  readonly limits?: Partial<Limits>;
  readonly witnesses?: readonly Witness[];
}

export function emptyDisk(): MemoryDisk {
  return new MemoryDisk('/data');
}

export function open(
  disk: MemoryDisk,
  opening: Opening = {},
): Promise<{ log: Log; report: RecoveryReport }> {
  const { nowMs = 1_700_000_000_000, seed = 'a log' } = opening;
  return openLog({
    files: disk.files,
    directory: DIRECTORY,
    now: opening.now ?? (() => nowMs),
    random: (bytes) => knownBytes(seed, bytes),
    ...(opening.limits && { limits: opening.limits }),
    ...(opening.witnesses && { witnesses: opening.witnesses }),
  });
}

/** Bytes without a pattern that are the same in every run. */
export function knownBytes(seed: string, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index * 32 < length; index++) {
    parts.push(createHash('sha256').update(`${seed} ${index}`).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}

export function position(value: number): Position {
  return value as Position;
}

export function text(value: string): Uint8Array {
  return Buffer.from(value);
}

export async function collect(frames: AsyncIterable<Frame>): Promise<Frame[]> {
  const all: Frame[] = [];
  for await (const frame of frames) all.push(frame);
  return all;
}

/** All records of the log as hex, in order. */
export async function recordsIn(log: Log): Promise<string[]> {
  const frames = await collect(log.read(MAIN, position(log.oldest - 1)));
  return frames.flatMap((frame) => frame.records.map((record) => hex(record)));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Appends each batch after the one before is durable: each is a frame of its own. */
export async function appendFrames(log: Log, frames: readonly Uint8Array[][]): Promise<void> {
  for (const records of frames) await log.append(MAIN, records);
}

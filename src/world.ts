/** The real world behind domain/effects: the clock, identifiers, and the log that operators read. */
import { randomBytes, randomFillSync } from 'node:crypto';
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { v7 as uuidv7 } from 'uuid';
import type { Clock, Counter, Ids, Observe } from './domain/effects.ts';
import type { BlobId } from './domain/names.ts';

export const systemClock: Clock = { now: () => Date.now() };

const idBytes = 16;
const pool = Buffer.alloc(256 * idBytes);
let used = pool.length;

/** The bytes of one identifier. Drawn for many at once: a request needs four, and each draw is a call. */
function fresh(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += idBytes;
  return pool.subarray(used - idBytes, used);
}

const pooled = { rng: fresh };

export const randomIds: Ids = {
  uuid: () => uuidv7(pooled),
  blobId: () => fresh().toString('hex') as BlobId,
};

/** `count` bytes from a cryptographic source. */
export function random(count: number): Uint8Array {
  return randomBytes(count);
}

export interface ObserveWithCounts extends Observe {
  readonly counts: () => Readonly<Record<Counter, number>>;
}

/** JSON lines on standard output; on a terminal, lines for people. */
export function createObserve(options: {
  readonly level: string;
  readonly isTty: boolean;
}): ObserveWithCounts {
  const { level, isTty } = options;
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (isTty) return observeBy(pino(base, pretty({ colorize: true, sync: true })));
  const shape = { ...base, formatters: { level: (label: string) => ({ level: label }) } };
  if (level === 'silent') return observeBy(pino(shape));
  const lines = pino.destination({ dest: 1, sync: false, ...lateness });
  const logger = pino(shape, lines);
  tellOfDropped(lines, logger);
  return observeBy(logger);
}

/**
 * No request waits for whoever reads the log: lines go out in bundles, a moment later, and at the end of
 * the process what is left. A reader that stands still costs this many bytes, and then lines.
 */
const lateness = { minLength: 4096, periodicFlush: 20, maxLength: 8 * 1024 * 1024 };

function tellOfDropped(lines: ReturnType<typeof pino.destination>, logger: Logger): void {
  let dropped = 0;
  lines.on('drop', () => {
    dropped += 1;
  });
  lines.on('drain', () => {
    if (dropped === 0) return;
    const count = dropped;
    dropped = 0;
    logger.warn({ lines: count }, 'lines of the log were dropped: their reader is too slow');
  });
}

function observeBy(logger: Logger): ObserveWithCounts {
  const counts: Record<Counter, number> = {
    service_bypass: 0,
    policy_denial: 0,
    missing_blob: 0,
    auth_failure: 0,
  };
  return {
    debug: (message, facts) => logger.debug(facts ?? {}, message),
    info: (message, facts) => logger.info(facts ?? {}, message),
    warn: (message, facts) => logger.warn(facts ?? {}, message),
    error: (message, facts) => logger.error(facts ?? {}, message),
    count: (counter) => {
      counts[counter] += 1;
    },
    counts: () => ({ ...counts }),
  };
}

/**
 * Lives of a log that each end in a killed process, a loss of power or a disk that fails, at any
 * call. After each of them the next start must find every record that was answered, in order, and at
 * most those besides that were on their way. A failure prints its seed.
 */
import { describe, expect, it } from 'vitest';
import { type Log, MAIN, openLog, verifyLog } from '#wal';
import {
  createFaultyDisk,
  type Fault,
  type FaultyDisk,
  seededRandom,
} from '../support/faulty-disk.ts';
import { hex, knownBytes, recordsIn } from './support/logs.ts';

const directory = '/wal';

interface Life {
  readonly disk: FaultyDisk;
  readonly random: () => number;
  readonly seed: number;
}

interface Told {
  /** What the log must hold. */
  readonly answered: string[];
  /** What it may hold besides, behind that. */
  readonly unknown: string[];
}

describe('a log whose lives end badly', () => {
  it.each([
    { ending: 'a stop', kinds: ['stop'] },
    { ending: 'a failed call', kinds: ['error', 'short'] },
    { ending: 'a lost sync', kinds: ['lost sync'] },
  ] as const)('loses nothing that was answered when they end in $ending', async ({ kinds }) => {
    for (let seed = 1; seed <= 70; seed++) {
      const random = seededRandom(seed);
      let disk = createFaultyDisk();
      let held: string[] = [];
      for (let life = 0; life < 5; life++) {
        const kind = kinds[Math.floor(random() * kinds.length)] ?? 'stop';
        breakOnce(disk, Math.ceil(random() * 70), faultOf(kind, random));
        const told = await live({ disk, random, seed: seed * 10 + life }, held);
        disk = random() < 0.5 ? disk.restart() : disk.powerLoss(seed * 10 + life);
        held = await reopen(disk, told, `seed ${seed}, life ${life}`);
        disk = random() < 0.5 ? disk.restart() : disk.powerLoss(seed);
      }
    }
  });
});

describe('a recovery that is cut off', () => {
  it('loses nothing, whichever of its changes of names the disk kept', async () => {
    let finished = false;
    for (let call = 1; !finished; call++) {
      for (let seed = 1; seed <= 12; seed++) {
        const disk = createFaultyDisk();
        const told = await live({ disk, random: () => 0.5, seed: 1 }, []);
        const torn = disk.restart();
        const path = torn.paths().findLast((one) => one.endsWith('.wal')) ?? '';
        torn.poke(path, torn.peek(path)?.subarray(0, -10) ?? Buffer.alloc(0));
        const answered = told.answered.slice(0, -1);
        breakOnce(torn, call, { kind: 'stop', before: seed % 2 === 0 });
        finished = await start(torn).then(
          () => true,
          () => false,
        );
        await reopen(torn.powerLoss(seed), { answered, unknown: [] }, `call ${call}, seed ${seed}`);
      }
    }
  });
});

/** Opens, appends until something breaks or enough is there, and sometimes closes. */
async function live({ disk, random, seed }: Life, held: readonly string[]): Promise<Told> {
  const answered = [...held];
  const unknown: string[] = [];
  const log = await start(disk).catch(() => undefined);
  for (let round = 0; log !== undefined && unknown.length === 0 && round < 12; round++) {
    const records = [0, 1, 2].map((index) => sized(`${seed} ${round} ${index}`, random()));
    await Promise.all(
      records.map((record) =>
        log.append(MAIN, [record]).then(
          () => answered.push(hex(record)),
          () => unknown.push(hex(record)),
        ),
      ),
    );
  }
  if (random() < 0.3) await log?.close().catch(() => {});
  return { answered, unknown };
}

async function reopen(disk: FaultyDisk, told: Told, name: string): Promise<string[]> {
  const log = await start(disk);
  const found = await recordsIn(log);
  expect(found.slice(0, told.answered.length), name).toEqual(told.answered);
  const more = found.slice(told.answered.length);
  expect(more, name).toEqual(told.unknown.slice(0, more.length));
  expect(await verifyLog(disk.files, directory), name).toMatchObject({ ok: true });
  return found;
}

async function start(disk: FaultyDisk): Promise<Log> {
  const random = (bytes: number) => knownBytes('a log', bytes);
  const limits = { segmentBytes: 20_000, batchRecords: 2 };
  const { log } = await openLog({ files: disk.files, directory, now: () => 1, random, limits });
  return log;
}

function breakOnce(disk: FaultyDisk, atCall: number, fault: Fault): void {
  disk.inject = ({ index }) => (index === atCall ? fault : undefined);
}

function faultOf(kind: Fault['kind'], random: () => number): Fault {
  if (kind === 'stop') return { kind, before: random() < 0.5 };
  return kind === 'lost sync' ? { kind } : { kind, code: 'ENOSPC' };
}

/** A few are larger than a page, and some are nothing but zeros. */
function sized(seed: string, pick: number): Buffer {
  const length = pick < 0.2 ? Math.floor(pick * 50_000) : Math.floor(pick * 300);
  const label = Buffer.from(seed);
  return Buffer.concat([label, pick < 0.1 ? Buffer.alloc(length) : knownBytes(seed, length)]);
}

/** The contract of a log; log.test.ts runs it on disk and in memory. */
import { describe, expect, it } from 'vitest';
import {
  BatchTooLarge,
  type Frame,
  type Limits,
  type Log,
  LogClosed,
  LogOverloaded,
  LogTruncated,
  limits,
  MAIN,
  RecordTooLarge,
} from '#wal';
import { collect, hex, position, recordsIn, text } from './support/logs.ts';

export type LogFactory = (options: { limits?: Partial<Limits>; now: () => number }) => Promise<Log>;

const clock = () => 1_700_000_000_000;

export function logContract(name: string, openWith: LogFactory): void {
  const open = (bounds?: Partial<Limits>, now = clock) =>
    openWith({ now, ...(bounds && { limits: bounds }) });

  describe(`a log ${name}`, () => {
    appends(open);
    reads(open);
    follows(open);
    ends(open);
  });
}

type Open = (bounds?: Partial<Limits>, now?: () => number) => Promise<Log>;

function appends(open: Open): void {
  it('gives dense positions from 1 and returns the records as they were appended', async () => {
    const log = await open();
    expect([log.head, log.oldest]).toEqual([0, 1]);
    const first = await log.append(MAIN, [text('a'), text('b')]);
    const second = await log.append(MAIN, [text('')]);
    expect(first).toEqual({
      kind: 'appended',
      first: 1,
      last: 2,
      timeMs: clock(),
      epoch: log.epoch,
    });
    expect(second).toMatchObject({ first: 3, last: 3 });
    expect(log.head).toBe(3);
    expect(await recordsIn(log)).toEqual([hex(text('a')), hex(text('b')), '']);
    await log.close();
  });

  it('keeps the records of one append in one frame', async () => {
    const log = await open({ batchRecords: 2 });
    const batches = [3, 1, 5].map((count) => Array.from({ length: count }, () => text('x')));
    await Promise.all(batches.map((records) => log.append(MAIN, records)));
    const frames = await collect(log.read(MAIN, position(0)));
    expect(frames.map(({ first, last }) => [first, last])).toEqual([
      [1, 3],
      [4, 4],
      [5, 9],
    ]);
    await log.close();
  });

  it('answers in position order and shares a frame among concurrent appends', async () => {
    const log = await open();
    const order: number[] = [];
    const all = Array.from({ length: 100 }, async (_, index) => {
      const done = await log.append(MAIN, [text(String(index))]);
      if (done.kind === 'appended') order.push(done.first);
    });
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect((await collect(log.read(MAIN, position(0)))).length).toBeLessThan(5);
    await log.close();
  });

  it('does not see a record that its caller changes once the append is answered', async () => {
    const log = await open();
    const record = Buffer.from('before');
    await log.append(MAIN, [record]);
    record.fill(0);
    expect(await recordsIn(log)).toEqual([hex(text('before'))]);
    await log.close();
  });

  it('never lets the commit time go back', async () => {
    const times = [5_000, 3_000, 6_000];
    let index = 0;
    const log = await open({}, () => times[Math.min(index, 2)] ?? 0);
    const seen: number[] = [];
    for (; index < 3; index++) {
      const done = await log.append(MAIN, [text('x')]);
      if (done.kind === 'appended') seen.push(done.timeMs);
    }
    expect(seen).toEqual([5_000, 5_000, 6_000]);
    await log.close();
  });

  it('refuses an append whose expected head or epoch is over', async () => {
    const log = await open();
    const { epoch } = log;
    const queued = log.append(MAIN, [text('a')], { expected: position(0), epoch });
    const conflict = { kind: 'conflict', head: 1, epoch };
    expect(await log.append(MAIN, [text('b')], { expected: position(0) })).toEqual(conflict);
    expect(await log.append(MAIN, [text('b')], { epoch: epoch - 1 })).toEqual(conflict);
    expect(await queued).toMatchObject({ kind: 'appended', first: 1 });
    const next = await log.append(MAIN, [text('c')], { expected: position(1), epoch });
    expect(next).toMatchObject({ kind: 'appended', first: 2 });
    await log.close();
  });

  it('refuses what is too large and accepts what is just not', async () => {
    const log = await open();
    const { recordBytes } = limits;
    await expect(log.append(MAIN, [Buffer.alloc(recordBytes + 1)])).rejects.toThrow(RecordTooLarge);
    const most = Array.from({ length: 15 }, () => Buffer.alloc(recordBytes));
    expect(await log.append(MAIN, most)).toMatchObject({ first: 1, last: 15 });
    await expect(log.append(MAIN, [...most, ...most.slice(0, 1)])).rejects.toThrow(BatchTooLarge);
    await expect(log.append(MAIN, [])).rejects.toThrow(RangeError);
    expect(log.head).toBe(15);
    await log.close();
  });

  it('refuses more when the queue is full, and goes on when it is not', async () => {
    const log = await open({ queueRecords: 3, queueBytes: 1_000 });
    const queued = [1, 2, 3].map(() => log.append(MAIN, [text('x')]));
    await expect(log.append(MAIN, [text('x')])).rejects.toThrow(LogOverloaded);
    await Promise.all(queued);
    const large = log.append(MAIN, [Buffer.alloc(5_000)]);
    await expect(log.append(MAIN, [text('x')])).rejects.toThrow(LogOverloaded);
    expect(await large).toMatchObject({ first: 4 });
    expect(await log.append(MAIN, [text('x')])).toMatchObject({ first: 5 });
    await log.close();
  });
}

function reads(open: Open): void {
  it('reads the frames that hold records after a position', async () => {
    const log = await open();
    for (const count of [1, 3, 2]) {
      await log.append(
        MAIN,
        Array.from({ length: count }, () => text('x')),
      );
    }
    const firsts = async (after: number) =>
      (await collect(log.read(MAIN, position(after)))).map(({ first }) => first);
    expect(await firsts(0)).toEqual([1, 2, 5]);
    expect(await firsts(1)).toEqual([2, 5]);
    expect(await firsts(3)).toEqual([2, 5]);
    expect(await firsts(4)).toEqual([5]);
    expect(await firsts(6)).toEqual([]);
    expect(await firsts(99)).toEqual([]);
    await log.close();
  });

  it('stops a read whose signal aborts, and says so', async () => {
    const log = await open();
    await log.append(MAIN, [text('a')]);
    await log.append(MAIN, [text('b')]);
    const stop = new AbortController();
    const read = async () => {
      for await (const _ of log.read(MAIN, position(0), stop.signal)) stop.abort();
    };
    await expect(read()).rejects.toThrow(/abort/);
    await log.close();
  });

  it('forgets whole segments before a position and refuses to read them', async () => {
    const log = await open({ segmentBytes: 400, ringBytes: 0 });
    for (let count = 0; count < 20; count++) await log.append(MAIN, [text(`record ${count}`)]);
    await log.truncateBefore(MAIN, position(11));
    expect(log.oldest).toBeGreaterThan(1);
    expect(log.oldest).toBeLessThanOrEqual(11);
    const rest = await collect(log.read(MAIN, position(log.oldest - 1)));
    expect(rest.length).toBe(20 - log.oldest + 1);
    await expect(collect(log.read(MAIN, position(0)))).rejects.toThrow(LogTruncated);
    await log.truncateBefore(MAIN, position(99));
    expect(log.oldest).toBeLessThanOrEqual(20);
    expect(await log.append(MAIN, [text('on')])).toMatchObject({ first: 21 });
    await log.close();
  });
}

function follows(open: Open): void {
  it('gives a follower every frame once, in order, while frames are appended', async () => {
    const log = await open({ segmentBytes: 2_000, ringBytes: 3_000 });
    const stop = new AbortController();
    const total = 600;
    const followers = [0, 1, 7].map((pauseEvery) => {
      return followTo(log, { total, signal: stop.signal, pauseEvery });
    });
    for (let count = 0; count < total; count += 3) {
      await Promise.all([0, 1, 2].map((add) => log.append(MAIN, [text(`record ${count + add}`)])));
    }
    for (const seen of await Promise.all(followers)) {
      expect(seen).toEqual(Array.from({ length: total }, (_, index) => `record ${index}`));
    }
    stop.abort();
    await log.close();
  });

  it('ends a follower when its signal aborts, also while it waits', async () => {
    const log = await open();
    const stop = new AbortController();
    const all = collect(log.follow(MAIN, position(0), stop.signal));
    await log.append(MAIN, [text('a')]);
    stop.abort();
    expect((await all).length).toBeLessThanOrEqual(1);
    await log.close();
  });

  it('ends followers and waiters when it closes, after the last frame', async () => {
    const log = await open();
    const never = new AbortController().signal;
    const all = collect(log.follow(MAIN, position(0), never));
    const waiting = expect(log.waitFor(position(9))).rejects.toThrow(LogClosed);
    const last = log.append(MAIN, [text('a')]);
    const closed = log.close();
    expect(await last).toMatchObject({ first: 1 });
    expect((await closed).position).toBe(1);
    expect((await all).map((frame: Frame) => frame.first)).toEqual([1]);
    await waiting;
  });

  it('resolves waitFor once the head is there, and rejects when its signal aborts', async () => {
    const log = await open();
    const stop = new AbortController();
    const two = log.waitFor(position(2));
    const aborted = expect(log.waitFor(position(9), stop.signal)).rejects.toThrow(/abort/);
    await log.append(MAIN, [text('a')]);
    await log.append(MAIN, [text('b')]);
    await two;
    await log.waitFor(position(1));
    stop.abort();
    await aborted;
    expect(log.distance(position(3), position(10))).toBe(7);
    expect(log.distance(position(10), position(3))).toBe(0);
    expect([0, 1, 2, 3].map((at) => log.epochAt(position(at)))).toEqual([
      undefined,
      log.epoch,
      log.epoch,
      undefined,
    ]);
    await log.close();
  });
}

function ends(open: Open): void {
  it('takes no append once it closes, and closes once', async () => {
    const log = await open();
    const queued = log.append(MAIN, [text('a')]);
    const closed = log.close();
    await expect(log.append(MAIN, [text('b')])).rejects.toThrow(LogClosed);
    expect(await queued).toMatchObject({ first: 1 });
    expect(await closed).toEqual(log.chainHead);
    expect(log.close()).toBe(log.close());
  });

  it('changes its chain value with every frame', async () => {
    const log = await open();
    const seen = new Set([hex(log.chainHead.chain)]);
    for (let count = 0; count < 5; count++) {
      await log.append(MAIN, [text('the same')]);
      seen.add(hex(log.chainHead.chain));
    }
    expect(seen.size).toBe(6);
    expect(log.chainHead.position).toBe(5);
    await log.close();
  });
}

/** Follows from 0 until `total` records came; every `pauseEvery` frames it lets others go first. */
async function followTo(
  log: Log,
  follower: { total: number; signal: AbortSignal; pauseEvery: number },
): Promise<string[]> {
  const seen: string[] = [];
  let frames = 0;
  for await (const frame of log.follow(MAIN, position(0), follower.signal)) {
    expect(frame.last).toBeLessThanOrEqual(log.head);
    for (const record of frame.records) seen.push(Buffer.from(record).toString());
    if (seen.length >= follower.total) break;
    frames += 1;
    const pause = follower.pauseEvery > 0 && frames % follower.pauseEvery === 0;
    if (pause) await log.waitFor(position(Math.min(follower.total, frame.last + 60)));
  }
  return seen;
}

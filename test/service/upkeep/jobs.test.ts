import { describe, expect, it } from 'vitest';
import { ok } from '../../../src/domain/result.ts';
import { rateOption, unknownOption } from '../../../src/service/upkeep/job-options.ts';
import { createJobs, type JobContext, type JobKinds } from '../../../src/service/upkeep/jobs.ts';
import { startSchedule } from '../../../src/service/upkeep/schedule.ts';
import { deferred } from '../../support/deferred.ts';
import { silent } from '../../support/views.ts';

function bench(kinds: JobKinds) {
  let timeMs = 0;
  let ids = 0;
  return createJobs({
    kinds,
    observe: silent,
    clock: { now: () => timeMs++ },
    ids: {
      uuid: () => {
        ids += 1;
        return `job-${ids}`;
      },
    },
  });
}

/** Runs until it is told to end, or is cancelled. */
function waiting() {
  const gate = deferred();
  const contexts: JobContext[] = [];
  const kinds: JobKinds = {
    slow: () =>
      ok(async (context) => {
        contexts.push(context);
        await new Promise<void>((resolve, reject) => {
          context.signal.addEventListener('abort', () => reject(context.signal.reason));
          void gate.promise.then(resolve);
        });
        return { found: 7 };
      }),
    quick: () => ok(async () => ({ ok: true })),
    failing: () =>
      ok(async () => {
        throw Object.assign(new Error('EIO: read /secret/path'), { code: 'EIO' });
      }),
  };
  return { gate, contexts, jobs: bench(kinds) };
}

describe('a job', () => {
  it('is watched while it runs, and keeps its result', async () => {
    const { gate, contexts, jobs } = waiting();
    const started = jobs.start('slow', {});
    if (!started.ok) throw new Error(started.rejection.code);
    const { id } = started.value;
    contexts[0]?.progress(3, 10);
    expect(jobs.find(id)).toMatchObject({
      kind: 'slow',
      state: 'running',
      progress: { done: 3, total: 10 },
      result: null,
      ended_at: null,
    });
    gate.resolve();
    expect(await jobs.ended(id)).toMatchObject({
      state: 'done',
      result: { found: 7 },
      error: null,
      ended_at: expect.stringMatching(/^1970-/),
    });
  });

  it('that failed says why, without a place on the disk', async () => {
    const { jobs } = waiting();
    const started = jobs.start('failing', {});
    if (!started.ok) throw new Error(started.rejection.code);
    expect(await jobs.ended(started.value.id)).toMatchObject({
      state: 'failed',
      error: 'the system answered EIO',
      result: null,
    });
  });

  it('is cancelled, and other ones are not', async () => {
    const { jobs, gate } = waiting();
    const started = jobs.start('slow', {});
    if (!started.ok) throw new Error(started.rejection.code);
    expect(await jobs.cancel(started.value.id)).toMatchObject({ state: 'cancelled' });
    const next = jobs.start('slow', {});
    if (!next.ok) throw new Error(next.rejection.code);
    expect(next.value.id).not.toBe(started.value.id);
    gate.resolve();
    expect(await jobs.ended(next.value.id)).toMatchObject({ state: 'done' });
    expect(await jobs.cancel('no-such')).toBeUndefined();
  });

  it('of one kind runs once at a time: the same is answered, another refused', () => {
    const { jobs } = waiting();
    const first = jobs.start('slow', { a: 1 });
    const same = jobs.start('slow', { a: 1 });
    expect(first.ok && same.ok && first.value.id === same.value.id).toBe(true);
    const other = jobs.start('slow', { a: 2 });
    expect(other).toMatchObject({ ok: false, rejection: { code: 'Overloaded' } });
    expect(jobs.start('quick', {}).ok).toBe(true);
  });

  it('of an unknown kind is refused by its name, with those that there are', () => {
    const { jobs } = waiting();
    for (const kind of ['no-such', 'toString', '__proto__']) {
      expect(jobs.start(kind, {})).toMatchObject({
        ok: false,
        rejection: {
          code: 'InvalidRequest',
          message: expect.stringContaining(`"${kind}"`),
          hint: 'Kinds are failing, quick, slow.',
        },
      });
    }
  });
});

describe('the list of jobs', () => {
  it('has the latest first, forgets the oldest, and never one that runs', async () => {
    const { jobs } = waiting();
    const slow = jobs.start('slow', {});
    for (let count = 0; count < 150; count += 1) {
      const started = jobs.start('quick', {});
      if (started.ok) await jobs.ended(started.value.id);
    }
    const listed = jobs.list();
    expect(listed).toHaveLength(100);
    expect(listed[0]?.id).toBe('job-151');
    expect(slow.ok && listed.at(-1)?.id === slow.value.id).toBe(true);
  });

  it('takes none after the stop, which cancels what runs', async () => {
    const { jobs } = waiting();
    jobs.start('slow', {});
    await jobs.stop();
    expect(jobs.list()[0]).toMatchObject({ state: 'cancelled' });
    expect(jobs.start('quick', {})).toMatchObject({ ok: false, rejection: { code: 'NotReady' } });
  });
});

describe('options of jobs', () => {
  it('are refused by name where they are unknown', () => {
    expect(unknownOption({ rate: 1, ratte: 2 }, ['rate'])).toMatchObject({
      message: 'Unknown field "ratte"',
    });
    expect(unknownOption({ rate: 1 }, ['rate'])).toBeUndefined();
  });

  it.each([
    [undefined, undefined],
    [5, 5],
    ['20MiB', 20 * 2 ** 20],
  ])('a rate of %j is %j bytes a second', (rate, bytes) => {
    expect(rateOption(rate === undefined ? {} : { rate })).toEqual({ ok: true, value: bytes });
  });

  it.each([0, -1, 1.5, '0', 'fast', null, {}])('%j is no rate', (rate) => {
    expect(rateOption({ rate })).toMatchObject({ ok: false });
  });
});

describe('the schedule', () => {
  /** Pauses end when the test lets time pass. */
  function clockwork(intervalMs: number, tookMs = 0) {
    let timeMs = 0;
    let wake = () => {};
    const pauses: number[] = [];
    const runs: number[] = [];
    const schedule = startSchedule({
      intervalMs,
      clock: { now: () => timeMs },
      async run() {
        runs.push(timeMs);
        timeMs += tookMs;
      },
      async pause(ms, signal) {
        pauses.push(ms);
        await new Promise<void>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          wake = () => {
            timeMs += ms;
            resolve();
          };
        });
      },
    });
    const pass = async () => {
      const before = pauses.length;
      wake();
      while (pauses.length === before) await new Promise((resolve) => setImmediate(resolve));
    };
    return { schedule, pauses, runs, pass };
  }

  it('begins soon after the start, then once in each interval', async () => {
    const { schedule, runs, pass } = clockwork(3_600_000, 1_000);
    for (let count = 0; count < 3; count += 1) await pass();
    expect(runs).toEqual([60_000, 3_660_000, 7_260_000]);
    await schedule.stop();
  });

  it('does not wait longer than the interval for its first run', async () => {
    const { schedule, runs, pass } = clockwork(5_000);
    await pass();
    expect(runs).toEqual([5_000]);
    await schedule.stop();
  });

  it('leaves a break after a run that took longer than the interval', async () => {
    const { schedule, pauses, pass } = clockwork(1_000, 5_000);
    await pass();
    expect(pauses).toEqual([1_000, 100]);
    await schedule.stop();
  });
});

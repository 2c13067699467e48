/** Streams without a wire: what becomes of clients that take nothing, event or not. */
import { afterEach, expect, it, vi } from 'vitest';
import type { Position } from '../../../src/domain/names.ts';
import { createStreams, type Outlet } from '../../../src/http/events/streams.ts';
import type { Subscription } from '../../../src/service/subscriptions/subscriptions.ts';

const times = { tickMs: 10, placeMs: 10, beatMs: 50, stallMs: 300 };

afterEach(() => {
  vi.useRealTimers();
});

/** A subscriber to whom nothing is to be said; its place moves on where `moves` says so. */
function quiet(moves: boolean): Subscription {
  let close: () => void = () => undefined;
  let position = 1;
  const closed = new Promise<undefined>((resolve) => {
    close = () => resolve(undefined);
  });
  return {
    get at() {
      if (moves) position += 1;
      return { epoch: 1, position: position as Position };
    },
    next: () => closed,
    lag: () => ({ events: 0, ms: 0 }),
    close: () => close(),
  };
}

/** A client that takes nothing from the start on. */
function stuck() {
  const said: string[] = [];
  let isGone = false;
  let leave: () => void = () => undefined;
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const say = (what: string) => {
    said.push(what);
    return false;
  };
  const outlet: Outlet = {
    send: () => say('batch'),
    place: () => say('place'),
    beat: () => say('beat'),
    drained: () => left,
    end: () => void say('end'),
    destroy: () => {
      isGone = true;
      leave();
    },
    get isGone() {
      return isGone;
    },
  };
  return { outlet, said };
}

it.each([
  ['place', true],
  ['beat', false],
])('a client that does not take a %s is told no more, and is closed', async (word, moves) => {
  vi.useFakeTimers();
  const { outlet, said } = stuck();
  const streams = createStreams(times, () => Date.now());
  const options = { expiresAtMs: undefined, closing: new AbortController().signal };
  const running = streams.run(quiet(moves), outlet, options);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(outlet.isGone).toBe(true);
  expect(said).toEqual([word]);
  await running;
});

/**
 * What the process needs, and how long its event loop keeps a request waiting. The loop is watched
 * from the first time that somebody asks: who never looks pays nothing.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

export interface ProcessFigures {
  readonly rss_bytes: number;
  /** Since it was told last; null the first time. */
  readonly event_loop_delay_ms: {
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  } | null;
}

const resolutionMs = 10;

export function watchProcess(): () => ProcessFigures {
  let loop: IntervalHistogram | undefined;
  return () => {
    const delay = loop === undefined ? null : toldOnce(loop);
    if (!loop) {
      loop = monitorEventLoopDelay({ resolution: resolutionMs });
      loop.enable();
    }
    return { rss_bytes: process.memoryUsage.rss(), event_loop_delay_ms: delay };
  };
}

function toldOnce(loop: IntervalHistogram): ProcessFigures['event_loop_delay_ms'] {
  // Asked again at once: not one sample was taken, and a reset would put off the next one.
  if (loop.count === 0) return null;
  const told = delayOf(loop);
  loop.reset();
  return told;
}

function delayOf(loop: IntervalHistogram) {
  // It holds the time from one timer to the next, in ns: what is beyond the timer's own is delay.
  const beyond = (ns: number) => Math.max(0, Math.round((ns / 1e6 - resolutionMs) * 1000) / 1000);
  return {
    p50: beyond(loop.percentile(50)),
    p99: beyond(loop.percentile(99)),
    max: beyond(loop.max),
  };
}

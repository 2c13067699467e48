/** The shapes of answers to operators: health, status, recovery, jobs. */
import { z } from 'zod';

const text = z.string();
const count = z.number().int().min(0);
const time = z.string().describe('RFC 3339 in UTC, with milliseconds');
const health = z.object({ status: z.enum(['ready', 'degraded']), reasons: z.array(text) });

export const live = z.object({ status: z.literal('live') });
export const ready = health;

export const status = z.looseObject({
  version: text,
  node_id: text,
  started_at: time,
  health: z.object({ status: text, reasons: z.array(text) }),
  epoch: count,
  positions: z.object({ head: count, applied: count, finalized: count, oldest: count }),
  buckets: count,
  totals: z.object({ count, bytes: count, foreign: count }),
  drains: count,
  counters: z.record(text, count),
  process: z.object({
    rss_bytes: count,
    event_loop_delay_ms: z
      .object({ p50: z.number(), p99: z.number(), max: z.number() })
      .nullable()
      .describe('since it was told last'),
  }),
});

export const recovery = z.looseObject({
  took_ms: z.number().min(0),
  log_segments: count,
  torn_bytes: count,
  set_aside: z.array(text),
  views: z.enum(['clean', 'fence', 'rebuilt']),
  replayed_from: count,
  replayed_records: count,
  published_blobs: count,
  removed_staging: count,
  drains_resumed: count,
  missing_blobs: count.nullable(),
});

export const digest = z.object({ digest: text.describe('BLAKE3, hex'), position: count });

export const job = z.object({
  id: text,
  kind: text,
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  progress: z.object({ done: count, total: count }),
  result: z.unknown().describe('null until it is done'),
  error: text.nullable(),
  started_at: time,
  ended_at: time.nullable(),
});
export const jobs = z.array(job);
export const startedJob = z.object({ id: text });

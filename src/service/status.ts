/** The state of the store in figures. */
import type { Totals } from '../domain/bucket.ts';
import { noTotals } from '../domain/bucket.ts';
import type { Journal } from '../journal/index.ts';
import type { Applier } from '../views/applier.ts';
import type { Views } from '../views/views.ts';
import { watchProcess } from './guard/process-figures.ts';
import type { HealthMonitor } from './health.ts';
import type { StoreStatus } from './service.ts';
import type { Upkeep } from './upkeep/upkeep.ts';

export interface StatusParts {
  readonly version: string;
  readonly nodeId: string;
  readonly startedMs: number;
  readonly views: Views;
  readonly journal: Pick<Journal, 'epoch' | 'head' | 'oldest'>;
  readonly applier: Pick<Applier, 'finalizedPosition'>;
  readonly health: HealthMonitor;
  readonly upkeep: Pick<Upkeep, 'figures'>;
  readonly counters: () => Readonly<Record<string, number>>;
}

/** A process has one event loop, however many stores. */
const processFigures = watchProcess();

export async function statusOf(parts: StatusParts): Promise<StoreStatus> {
  const { views, journal, applier, health } = parts;
  const buckets = await views.buckets();
  const drains = await views.drains();
  return {
    version: parts.version,
    node_id: parts.nodeId,
    started_at: new Date(parts.startedMs).toISOString(),
    health: health.now(),
    epoch: journal.epoch,
    positions: {
      head: journal.head,
      applied: views.applied,
      finalized: applier.finalizedPosition,
      oldest: journal.oldest,
    },
    buckets: buckets.length,
    totals: buckets.map(({ keyspace }) => views.totals(keyspace)).reduce(sum, noTotals),
    drains: drains.length,
    upkeep: parts.upkeep.figures,
    counters: parts.counters(),
    process: processFigures(),
  };
}

function sum(left: Totals, right: Totals): Totals {
  return {
    count: left.count + right.count,
    bytes: left.bytes + right.bytes,
    foreign: left.foreign + right.foreign,
  };
}

/**
 * Older versions of records. It owns the current version of each type and the steps that lead there:
 * a step turns a record of version `v` into one of `v` + 1 and can only use what the record holds.
 * A step is never changed once a log was written with the version it starts from.
 */
import type { EventType } from '../domain/events.ts';

/** A record as it was unpacked, before its schema was applied. */
export type RawRecord = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly v: number;
};

export interface UpcastTable {
  /** The version that is written today; 1 where a type is not named. */
  readonly current: Partial<Readonly<Record<EventType, number>>>;
  /** Keyed by `stepKey(type, v)`. */
  readonly steps: ReadonlyMap<string, (record: RawRecord) => Readonly<Record<string, unknown>>>;
}

export const upcastTable: UpcastTable = {
  current: { 'consumer.defined': 2, 'consumer.removed': 2, 'webhook.defined': 2 },
  steps: new Map([
    [
      stepKey('consumer.defined', 1),
      (record) => ({ ...withRole(record), id: record.name, created_at: null }),
    ],
    [stepKey('consumer.removed', 1), withRole],
    [
      stepKey('webhook.defined', 1),
      ({ paused, ...record }) => ({
        ...withRole(record),
        state: paused === true ? 'paused' : 'active',
        reason: null,
        secrets: [],
        from: null,
        created_at: null,
      }),
    ],
  ]),
};

/** Without an owner's id only a service can have made it. */
function withRole(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...record, owner_role: record.owner_id === null ? 'service' : 'user' };
}

export function stepKey(type: string, v: number): string {
  return `${type}@${v}`;
}

export function currentVersion(type: string, table: UpcastTable = upcastTable): number {
  return table.current[type as EventType] ?? 1;
}

/** The record at its current version; undefined where it is newer than that or a step is missing. */
export function upcast(record: RawRecord, table: UpcastTable = upcastTable): RawRecord | undefined {
  const target = currentVersion(record.type, table);
  let at = record;
  while (at.v < target) {
    const step = table.steps.get(stepKey(at.type, at.v));
    if (!step) return undefined;
    at = { ...step(at), type: at.type, v: at.v + 1 };
  }
  return at.v === target ? at : undefined;
}

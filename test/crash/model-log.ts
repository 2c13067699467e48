/**
 * The log as the history of what was attempted: every acknowledged change stands in it at the
 * position that the caller was told, nothing that was refused does, no attempt stands in it twice,
 * and folding its records by hand gives the world that the store shows.
 */
import { readLog } from '#wal';
import type { CommittedRecord, StoreEvent } from '../../src/domain/events.ts';
import type { Position } from '../../src/domain/names.ts';
import { decode } from '../../src/journal/codec.ts';
import { dataDirectory, type Rig } from '../support/rig.ts';
import { type Bucket, type Operation, renderWorld, type World } from './model.ts';
import { contentOf } from './model-actions.ts';
import { equal } from './model-check.ts';
import { type Attempt, renderAttempt } from './model-order.ts';

export async function checkLog(
  rig: Rig,
  world: World,
  attempts: readonly Attempt[],
): Promise<void> {
  const records = await recordsOf(rig);
  const byId = new Map(attempts.map((attempt) => [attempt.id, attempt]));
  const found = new Set<string>();
  for (const record of records) {
    const { event, actor, position } = record;
    if (actor.role === 'system') continue;
    const attempt = byId.get(actor.request_id ?? '');
    if (!attempt) throw new Error(`position ${position} (${event.type}) is nobody's`);
    if (found.has(attempt.id)) throw new Error(`${attempt.id} stands in the log twice`);
    found.add(attempt.id);
    checkRecord(record, attempt);
  }
  for (const attempt of attempts) {
    const { kind } = attempt.operation;
    const { outcome } = attempt;
    const changes = kind !== 'update' && kind !== 'read' && kind !== 'list';
    const acknowledged = outcome.kind === 'told' && outcome.told.code === 'ok';
    if (changes && acknowledged && !found.has(attempt.id)) {
      throw new Error(`acknowledged, but not in the log: ${renderAttempt(attempt)}`);
    }
  }
  equal('the log, folded', renderWorld(fold(records)), renderWorld(world));
}

async function recordsOf(rig: Rig): Promise<CommittedRecord[]> {
  const records: CommittedRecord[] = [];
  for await (const frame of readLog(rig.disk.files, `${dataDirectory}/wal`)) {
    const { first, timeMs, epoch } = frame;
    frame.records.forEach((bytes, index) => {
      const position = (first + index) as Position;
      records.push(decode(bytes, { position, timeMs, epoch }));
    });
  }
  return records;
}

function checkRecord({ event, position }: CommittedRecord, attempt: Attempt): void {
  const { outcome, operation } = attempt;
  const what = `position ${position} for ${renderAttempt(attempt)}`;
  if (outcome.kind === 'nothing') throw new Error(`${what}: it was refused`);
  if (outcome.kind === 'told') {
    equal(what, outcome.told.code, 'ok');
    equal(what, String(outcome.position), String(position));
  }
  equal(what, factsOf(event), factsOfOperation(operation));
}

function factsOf(event: StoreEvent): string {
  switch (event.type) {
    case 'object.stored':
      return `put ${event.bucket.name} ${event.object.path} ${contentOf(event.object)}`;
    case 'object.deleted':
      return `remove ${event.bucket.name} ${event.path}`;
    case 'bucket.created':
      return `create ${event.bucket.name}`;
    case 'bucket.updated':
      return `update ${event.bucket.name}`;
    case 'bucket.emptied':
      return `empty ${event.bucket.name}`;
    case 'bucket.deleted':
      return `drop ${event.bucket.name}`;
    default:
      return event.type;
  }
}

function factsOfOperation(operation: Operation): string {
  const { kind, bucket } = operation;
  if (kind === 'put') return `put ${bucket} ${operation.path} ${operation.content}`;
  if (kind === 'remove') return `remove ${bucket} ${operation.path}`;
  return `${kind} ${bucket}`;
}

interface Folding extends Bucket {
  readonly objects: Map<string, { readonly owner: string | null; readonly content: number }>;
}

/** A second projection, which shares nothing with the views. Drained objects are gone already. */
function fold(records: readonly CommittedRecord[]): World {
  const world = new Map<string, Folding>();
  const drained = new Map<number, number>();
  for (const { event, position } of records) {
    switch (event.type) {
      case 'bucket.created':
      case 'bucket.updated': {
        const { name, owner_id: owner, policy, write_policy, max_file_size } = event.bucket;
        const objects = world.get(name)?.objects ?? new Map();
        world.set(name, { owner, policy, write_policy, max_file_size, objects });
        break;
      }
      case 'bucket.emptied':
      case 'bucket.deleted':
        equal('the count', String(event.count), String(world.get(event.bucket.name)?.objects.size));
        drained.set(position, event.count);
        if (event.type === 'bucket.emptied') world.get(event.bucket.name)?.objects.clear();
        else world.delete(event.bucket.name);
        break;
      case 'object.stored': {
        const { path, owner_id: owner } = event.object;
        world
          .get(event.bucket.name)
          ?.objects.set(path, { owner, content: contentOf(event.object) });
        break;
      }
      case 'object.deleted': {
        const { cause } = event;
        if (cause) drained.set(cause.position, (drained.get(cause.position) ?? 0) - 1);
        else world.get(event.bucket.name)?.objects.delete(event.path);
        break;
      }
      default:
        break;
    }
  }
  for (const [position, left] of drained) {
    equal(`objects left to drain by ${position}`, String(left), '0');
  }
  return world;
}

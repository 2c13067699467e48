/**
 * Delete many: all that the caller may delete of the named paths, in one frame, all or nothing. A
 * frame holds it: a record of a deletion has at most about 3 KiB, and a request names at most 1,000.
 */

import { callerId } from '../../domain/caller.ts';
import type { ObjectDeleted, RequestAnswered } from '../../domain/events.ts';
import type { BucketName, KeyspaceId, ObjectPath, Position } from '../../domain/names.ts';
import type { ObjectRow } from '../../domain/object.ts';
import { decideDeleteMany, type ManyState } from '../../domain/object-decisions.ts';
import { decide } from '../../domain/policy.ts';
import { ok, type Result } from '../../domain/result.ts';
import type { IdempotencyRow, Views } from '../../views/views.ts';
import { authorOf } from '../commit.ts';
import { bucketLock, keyLock } from '../locks.ts';
import type { Call, ManyRemoved } from '../service.ts';
import type { ObjectChangeParts } from './changes.ts';

interface Asked {
  readonly bucket: BucketName;
  readonly paths: readonly ObjectPath[];
}

export function removeMany(
  parts: ObjectChangeParts,
  call: Call,
  { bucket, paths: named }: Asked,
): Promise<Result<ManyRemoved>> {
  const paths = [...new Set(named)];
  return parts.once.run(
    call,
    () => act(parts, call, { bucket, paths }),
    (row) => recall(parts.views, row, paths),
  );
}

async function act(
  parts: ObjectChangeParts,
  call: Call,
  { bucket: name, paths }: Asked,
): Promise<Result<ManyRemoved>> {
  const { views, commit } = parts;
  const { caller } = call;
  const early = await stateOfMany(views, call, { bucket: name, paths });
  const admitted = decideDeleteMany(early, { caller });
  noteAccess(parts, call, early);
  if (!admitted.ok) return admitted;
  let readable: readonly ObjectRow[] = [];
  const outcome = await commit<ObjectDeleted | RequestAnswered>({
    ...authorOf(call),
    locks: [bucketLock(name, 'shared'), ...paths.map((path) => keyLock(name, path, 'exclusive'))],
    decide: async () => {
      const decided = decideDeleteMany(await stateOfMany(views, call, { bucket: name, paths }), {
        caller,
      });
      if (!decided.ok) return decided;
      const { events } = decided.value;
      readable = decided.value.readable;
      if (!call.idempotency) return ok(events);
      return ok([...events, answered({ events, readable, paths })]);
    },
  });
  if (!outcome.ok) return outcome;
  const { position, events } = outcome.value;
  const deleted = events.filter(({ type }) => type === 'object.deleted').length;
  return ok({ position, rows: readable, deleted, skipped: paths.length - deleted });
}

async function stateOfMany(
  views: Views,
  { caller }: Call,
  { bucket: name, paths }: Asked,
): Promise<ManyState> {
  const bucket = views.bucket(name);
  if (!bucket) return { bucket, objects: [], ownsObjects: false };
  const id = callerId(caller);
  const ownsObjects = id !== null && (await views.ownsAny(bucket.keyspace, id));
  const objects = paths.map((path) => views.object(bucket.keyspace, path));
  return { bucket, objects: objects.filter((object) => object !== undefined), ownsObjects };
}

/** One line for each rule that decided, not a thousand. */
function noteAccess({ access }: ObjectChangeParts, call: Call, state: ManyState): void {
  const { bucket, objects } = state;
  const about = `${objects.length} objects`;
  if (objects.length === 0) access(call, { action: 'object.list', ...state });
  const asked = { caller: call.caller, action: 'object.delete', bucket } as const;
  const byRule = new Map(objects.map((object) => [decide({ ...asked, object }).rule, object]));
  for (const object of byRule.values()) access(call, { ...asked, object, about });
}

/** What a repeat is answered from: where each readable row stands in history, by the path's index. */
interface Answer {
  readonly keyspace: KeyspaceId;
  readonly rows: readonly (readonly [index: number, position: Position])[];
  readonly deleted: number;
}

function answered(done: {
  readonly events: readonly ObjectDeleted[];
  readonly readable: readonly ObjectRow[];
  readonly paths: readonly ObjectPath[];
}): RequestAnswered {
  const indexes = new Map(done.paths.map((path, index) => [path, index]));
  const answer: Answer = {
    keyspace: done.events[0]?.keyspace ?? (0 as KeyspaceId),
    rows: done.readable.map(({ path, position }) => [indexes.get(path) ?? -1, position]),
    deleted: done.events.length,
  };
  return { type: 'request.answered', answer: JSON.stringify(answer) };
}

/** The rows as history holds them; once retention has passed them they are left out. */
function recall(
  views: Views,
  { answer, position }: IdempotencyRow,
  paths: readonly ObjectPath[],
): ManyRemoved {
  const { keyspace, rows, deleted } = answer as unknown as Answer;
  const found = rows.map(([index, position]) => {
    const path = paths[index];
    return path === undefined ? undefined : views.objectAt({ keyspace, path, position });
  });
  return {
    position,
    rows: found.filter((row) => row !== undefined),
    deleted,
    skipped: paths.length - deleted,
  };
}

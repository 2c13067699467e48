/**
 * Copy and move: the state of both ends and a command in, an event or a refusal out. Pure. The bytes
 * stay where they are; a copy shares its source's blob.
 */
import { bucketFacts } from './bucket.ts';
import { type Caller, callerId } from './caller.ts';
import type { Crcs, ObjectMoved, ObjectPatched, ObjectStored, Place } from './events.ts';
import type { ObjectId, ObjectPath } from './names.ts';
import { objectFacts, previousOf } from './object.ts';
import {
  admitUpload,
  decidePatch,
  type ObjectChanges,
  type ObjectState,
} from './object-decisions.ts';
import { authorize } from './policy.ts';
import { rejection } from './rejection.ts';
import { ok, type Result, refuse } from './result.ts';

export interface TransferState {
  readonly source: ObjectState;
  readonly target: ObjectState;
}

export interface MoveObject {
  readonly caller: Caller;
  /** The path of the target. */
  readonly path: ObjectPath;
  /** False refuses a target that holds an object. */
  readonly overwrite: boolean;
  /** JSON text in place of the source's; null for none. The source's goes along where left out. */
  readonly metadata?: string | null;
  /** The server's own limit, bytes. */
  readonly maxFileSizeBytes: number;
}

export interface CopyObject extends MoveObject {
  readonly crcs: Crcs;
  readonly version: string;
  /** The id of the target where it is a new object; an overwrite keeps its own. */
  readonly newId: ObjectId;
}

export function decideCopy(state: TransferState, command: CopyObject): Result<ObjectStored> {
  const ends = admitTransfer(state, command, 'object.read');
  if (!ends.ok) return ends;
  const { source, bucket, from } = ends.value;
  const { object: replaced } = state.target;
  return ok({
    type: 'object.stored',
    bucket: bucketFacts(bucket),
    keyspace: bucket.keyspace,
    object: {
      ...objectFacts(source),
      ...changesOf(command),
      crcs: command.crcs,
      id: replaced?.id ?? command.newId,
      path: command.path,
      owner_id: replaced ? replaced.owner_id : callerId(command.caller),
      version: command.version,
      created_at: replaced?.created_at ?? null,
    },
    previous: replaced ? previousOf(replaced) : null,
    source: {
      bucket: from.bucket,
      path: source.path,
      id: source.id,
      owner_id: source.owner_id,
    },
    restored_from: null,
    token: null,
  });
}

/**
 * The event, or undefined where nothing changes. An object that is moved onto itself stays, and at
 * most its metadata changes.
 */
export function decideMove(
  state: TransferState,
  command: MoveObject,
): Result<ObjectMoved | ObjectPatched | undefined> {
  const ends = admitTransfer(state, command, 'object.move_away');
  if (!ends.ok) return ends;
  const { source, bucket, from } = ends.value;
  const { object: replaced } = state.target;
  const changes = changesOf(command);
  if (replaced?.id === source.id && bucket.keyspace === from.keyspace) {
    const { caller, maxFileSizeBytes } = command;
    return decidePatch(state.source, { caller, changes, maxFileSizeBytes });
  }
  const { updated_at: _updated, position: from_position, ...row } = source;
  const { path } = command;
  return ok({
    type: 'object.moved',
    from,
    to: { bucket: bucketFacts(bucket), keyspace: bucket.keyspace, path },
    object: { ...row, ...changes, path },
    from_position,
    previous: replaced ? { ...previousOf(replaced), id: replaced.id } : null,
  });
}

/** Both ends, where the caller may take from the one and put to the other what the source is. */
function admitTransfer(
  { source, target }: TransferState,
  command: MoveObject,
  action: 'object.read' | 'object.move_away',
) {
  const { caller, overwrite, maxFileSizeBytes } = command;
  const { bucket, object } = source;
  const { refusal } = authorize({ caller, action, bucket, object });
  if (refusal) return refuse(refusal);
  if (!bucket || !object) return refuse(rejection('NoSuchKey'));
  const admitted = admitUpload(target, {
    caller,
    contentType: object.content_type,
    sizeBytes: object.size,
    conditions: { overwrite },
    maxFileSizeBytes,
  });
  if (!admitted.ok) return admitted;
  const { keyspace } = bucket;
  const from: Place = { bucket: bucketFacts(bucket), keyspace, path: object.path };
  return ok({ source: object, bucket: admitted.value.bucket, from });
}

function changesOf({ metadata }: MoveObject): ObjectChanges {
  return metadata === undefined ? {} : { metadata };
}

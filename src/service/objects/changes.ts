/** Changes of objects that need no upload: copy, move, metadata, delete one and many (O4, O5, O7). */

import { BlobDamaged } from '../../blobs/blob-store.ts';
import type { BucketRow } from '../../domain/bucket.ts';
import type { Ids } from '../../domain/effects.ts';
import type { ObjectEvent, ObjectPatched } from '../../domain/events.ts';
import type { ObjectId } from '../../domain/names.ts';
import { type ObjectRow, objectAfter } from '../../domain/object.ts';
import { decideDelete, decidePatch, unsupportedType } from '../../domain/object-decisions.ts';
import { decideCopy, decideMove, type TransferState } from '../../domain/object-transfers.ts';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { authorOf, type CommitOutcome } from '../commit.ts';
import type { Once } from '../idempotency.ts';
import { bucketLock, keyLock, type LockRequest } from '../locks.ts';
import { type ObjectParts, openBlob, stateOf } from '../objects.ts';
import type { Call, ChangedObject, ObjectKey, Objects, Patch, Transfer } from '../service.ts';
import { guessType } from '../upload/content-type.ts';
import { forbiddenType, sampleBytes } from '../upload/sniff.ts';
import { removeMany } from './remove-many.ts';

export interface ObjectChangeParts extends ObjectParts {
  readonly ids: Ids;
  readonly once: Once;
  /** The server's own limit. */
  readonly maxFileSizeBytes: number;
}

export type ObjectChangeCases = Pick<Objects, 'remove' | 'removeMany' | 'copy' | 'move' | 'patch'>;

export function createObjectChanges(parts: ObjectChangeParts): ObjectChangeCases {
  const { once } = parts;
  return {
    remove: (call, key, options) => once.run(call, () => remove(parts, call, { key, ...options })),
    removeMany: (call, bucket, paths) => removeMany(parts, call, { bucket, paths }),
    copy: (call, transfer) => once.run(call, () => copy(parts, call, transfer)),
    move: (call, transfer) => once.run(call, () => move(parts, call, transfer)),
    patch: (call, key, asked) => once.run(call, () => patch(parts, call, { key, ...asked })),
  };
}

async function remove(
  { views, access, commit }: ObjectChangeParts,
  call: Call,
  { key, ...expected }: { readonly key: ObjectKey } & Parameters<Objects['remove']>[2],
): ReturnType<Objects['remove']> {
  const state = stateOf(views, key);
  const refusal = access(call, { action: 'object.delete', about: key.path, ...state });
  if (refusal) return refuse(refusal);
  const { caller } = call;
  const outcome = await commit({
    ...authorOf(call),
    locks: locksOf(key),
    decide: () => {
      const decided = decideDelete(stateOf(views, key), { caller, ...expected });
      return decided.ok ? ok([decided.value]) : decided;
    },
  });
  return outcome.ok ? ok({ position: outcome.value.position }) : outcome;
}

async function patch(
  parts: ObjectChangeParts,
  call: Call,
  { key, changes: asked, ...conditions }: { readonly key: ObjectKey } & Patch,
): Promise<Result<ChangedObject>> {
  const { views, access, commit, maxFileSizeBytes } = parts;
  const refusal = access(call, { action: 'object.patch', about: key.path, ...stateOf(views, key) });
  if (refusal) return refuse(refusal);
  const { caller } = call;
  const { content_type: asType, ...rest } = asked;
  const declared = asType === null ? guessType(key.path) : asType;
  const changes = declared === undefined ? rest : { ...rest, content_type: declared };
  const outcome = await commit<ObjectPatched>({
    ...authorOf(call),
    locks: locksOf(key),
    decide: async () => {
      const { bucket, object } = stateOf(views, key);
      const command = { caller, changes, ...conditions, maxFileSizeBytes };
      const decided = decidePatch({ bucket, object }, command);
      if (!decided.ok) return decided;
      const isRetyped = decided.value?.changed.includes('content_type');
      if (isRetyped && declared !== undefined && bucket && object) {
        const forbidden = await refuseBytes(parts, { from: bucket, object, to: bucket, declared });
        if (forbidden) return forbidden;
      }
      return ok(decided.value ? [decided.value] : []);
    },
  });
  return outcome.ok ? changedObject(outcome.value, () => stateOf(views, key).object) : outcome;
}

async function copy(
  parts: ObjectChangeParts,
  call: Call,
  transfer: Transfer,
): Promise<Result<ChangedObject>> {
  const { views, ids } = parts;
  const version = ids.uuid();
  const newId = ids.uuid() as ObjectId;
  return transferObject(parts, call, {
    transfer,
    take: 'object.read',
    decide: (state) => {
      const blobId = state.source.object?.blob_id;
      const crcs = blobId === undefined ? new Uint8Array() : views.crcs(blobId);
      if (!crcs) throw new BlobDamaged(`no checksums are known of blob ${blobId}`);
      return decideCopy(state, { ...commandOf(parts, call, transfer), crcs, version, newId });
    },
  });
}

function move(
  parts: ObjectChangeParts,
  call: Call,
  transfer: Transfer,
): Promise<Result<ChangedObject>> {
  return transferObject(parts, call, {
    transfer,
    take: 'object.move_away',
    decide: (state) => decideMove(state, commandOf(parts, call, transfer)),
  });
}

function commandOf(
  { maxFileSizeBytes }: ObjectChangeParts,
  { caller }: Call,
  { target, overwrite, metadata }: Transfer,
) {
  const { path } = target;
  const replaced = metadata === undefined ? {} : { metadata };
  return { caller, path, overwrite, maxFileSizeBytes, ...replaced };
}

type TransferEvent = Exclude<ObjectEvent, { type: 'object.deleted' }>;

interface TransferCase {
  readonly transfer: Transfer;
  readonly take: 'object.read' | 'object.move_away';
  readonly decide: (state: TransferState) => Result<TransferEvent | undefined>;
}

async function transferObject(
  parts: ObjectChangeParts,
  call: Call,
  { transfer, take, decide }: TransferCase,
): Promise<Result<ChangedObject>> {
  const { views, access, commit } = parts;
  const { source, target } = transfer;
  const now = (): TransferState => ({
    source: stateOf(views, source),
    target: stateOf(views, target),
  });
  const early = now();
  const put = early.target.object ? 'object.overwrite' : 'object.add';
  const refusal =
    access(call, { action: take, about: source.path, ...early.source }) ??
    access(call, { action: put, about: target.path, ...early.target });
  if (refusal) return refuse(refusal);
  const outcome = await commit<TransferEvent>({
    ...authorOf(call),
    locks: [
      ...locksOf(source, take === 'object.read' ? 'shared' : 'exclusive'),
      ...locksOf(target),
    ],
    decide: async () => {
      const state = now();
      const decided = decide(state);
      if (!decided.ok) return decided;
      const { bucket: from, object } = state.source;
      const { bucket: to } = state.target;
      if (from && object && to) {
        const declared = object.content_type;
        const forbidden = await refuseBytes(parts, { from, object, to, declared });
        if (forbidden) return forbidden;
      }
      return ok(decided.value ? [decided.value] : []);
    },
  });
  return outcome.ok ? changedObject(outcome.value, () => stateOf(views, target).object) : outcome;
}

/** Bytes that an upload would be refused for do not come in by another way. */
async function refuseBytes(
  parts: ObjectChangeParts,
  stored: {
    readonly from: BucketRow;
    readonly object: ObjectRow;
    readonly to: BucketRow;
    readonly declared: string;
  },
) {
  const { from: bucket, object, to, declared } = stored;
  if (to.allowed_mime_types === null || object.size === 0) return undefined;
  const blob = await openBlob(parts, { bucket, object });
  const head: Uint8Array[] = [];
  try {
    const end = Math.min(object.size, sampleBytes) - 1;
    for await (const chunk of blob.bytes({ start: 0, end })) head.push(Uint8Array.from(chunk));
  } finally {
    await blob.close();
  }
  const seen = await forbiddenType(Buffer.concat(head), declared, to.allowed_mime_types);
  return seen === undefined ? undefined : refuse(unsupportedType(seen));
}

function locksOf(
  { bucket, path }: ObjectKey,
  mode: LockRequest['mode'] = 'exclusive',
): LockRequest[] {
  return [bucketLock(bucket, 'shared'), keyLock(bucket, path, mode)];
}

/** The row that the event made; `unchanged` reads it where there was nothing to do. */
function changedObject(
  { events, position, timeMs }: CommitOutcome<TransferEvent>,
  unchanged: () => ObjectRow | undefined,
): Result<ChangedObject> {
  const [event] = events;
  const object = event ? objectAfter(event, { position, timeMs }) : unchanged();
  return object ? ok({ object, position }) : refuse(rejection('NoSuchKey'));
}

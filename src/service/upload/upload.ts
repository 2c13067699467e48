/**
 * Uploads: decided before a byte is read, streamed to disk outside of any lock, decided again under
 * the locks, committed (O1–O3, L4). A refused or failed upload leaves nothing: its staged blob is
 * discarded, except where the outcome is unknown, which recovery decides.
 */
import { isNoSpace } from '#files';
import { type BlobStore, BodyTooLarge, type Staged } from '../../blobs/blob-store.ts';
import type { Ids } from '../../domain/effects.ts';
import type { ObjectStored } from '../../domain/events.ts';
import type { ObjectId } from '../../domain/names.ts';
import { objectAfter } from '../../domain/object.ts';
import {
  admitUpload,
  decideStore,
  tooLarge,
  type Upload,
  unsupportedType,
} from '../../domain/object-decisions.ts';
import { type Rejection, rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Views } from '../../views/views.ts';
import type { Access } from '../access.ts';
import { authorOf, type Commit } from '../commit.ts';
import { hashOfRequest, type Once } from '../idempotency.ts';
import { bucketLock, keyLock } from '../locks.ts';
import { stateOf } from '../objects.ts';
import {
  type Admission,
  BodyRefused,
  type Call,
  type ChangedObject,
  type Objects,
  type UploadBody,
  type UploadDetails,
} from '../service.ts';
import { refuseGrant, tokenOf, typeFor, typeLists, withinGrant } from './grant.ts';
import { forbiddenType, peek } from './sniff.ts';

export interface UploadParts {
  readonly views: Views;
  readonly commit: Commit;
  readonly access: Access;
  readonly blobs: BlobStore;
  readonly ids: Ids;
  /** The server's own limit. */
  readonly maxFileSizeBytes: number;
  /** Why nothing may be uploaded now. */
  readonly closedTo: () => Rejection | undefined;
  /** Called when the disk had no room for a body. */
  readonly onNoRoom: () => void;
  readonly once: Once;
}

export function createUploads(parts: UploadParts): Pick<Objects, 'admit' | 'store'> {
  const { views, access, maxFileSizeBytes, closedTo } = parts;
  return {
    async admit(call, intent): Promise<Result<Admission>> {
      const closed = closedTo();
      if (closed) return refuse(closed);
      const contentType = typeFor(intent);
      // What is a repeat shows in its bytes; the first one may stand in its way now.
      if (parts.once.isKnown(call)) {
        return ok({ intent, contentType, bucket: undefined, maxBytes: maxFileSizeBytes });
      }
      const state = stateOf(views, intent);
      const action = state.object ? 'object.overwrite' : 'object.add';
      const refusal = access(call, { action, ...state, about: intent.path });
      if (refusal) return refuse(refusal);
      const { sizeBytes, conditions } = intent;
      const { caller } = call;
      const upload: Upload = { caller, contentType, sizeBytes, conditions, maxFileSizeBytes };
      const admitted = admitUpload(state, upload);
      return admitted.ok ? withinGrant({ intent, contentType, ...admitted.value }) : admitted;
    },

    async store(call, admission, body) {
      const staged = await stage(parts, admission, body);
      if (!staged.ok) return staged;
      // Recovery decides what becomes of bytes whose record may be in the log.
      const fate: Fate = { isOpen: false };
      try {
        const details = await body.details();
        if (!details.ok) return details;
        const upload = { ...staged.value, admission, details: details.value, fate };
        const named = await withContent(call, upload);
        return await parts.once.run(named, () => commitUpload(parts, named, upload));
      } finally {
        // A refusal, a repeat, or a fault before the append, which answers and does not throw.
        if (!fate.isOpen) await parts.blobs.discard(staged.value.staged.blobId);
      }
    },
  };
}

/** Whether a record that names the staged bytes was, or may have been, appended. */
interface Fate {
  isOpen: boolean;
}

/** Durable bytes, and the first of them, which tell their type. */
interface Received {
  readonly staged: Staged;
  readonly head: Uint8Array;
}

interface StagedUpload extends Received {
  readonly admission: Admission;
  readonly details: UploadDetails;
  readonly fate: Fate;
}

/** What an idempotent upload asked for is known in full only now. */
async function withContent(call: Call, { staged, details }: StagedUpload): Promise<Call> {
  const { idempotency } = call;
  if (!idempotency) return call;
  const { contentType = null, cacheControl, metadata } = details;
  const { blake3, sizeBytes } = staged;
  const request_hash = await hashOfRequest([
    idempotency.request_hash,
    contentType,
    cacheControl,
    metadata,
    sizeBytes,
    blake3,
  ]);
  return { ...call, idempotency: { ...idempotency, request_hash } };
}

async function stage(
  { blobs, closedTo, onNoRoom }: UploadParts,
  admission: Admission,
  body: UploadBody,
): Promise<Result<Received>> {
  const { contentType, maxBytes } = admission;
  const closed = closedTo();
  if (closed) return refuse(closed);
  try {
    const { head, whole, cancel } = await peek(body.bytes, maxBytes);
    for (const allowed of typeLists(admission)) {
      const seen = await forbiddenType(head, contentType, allowed);
      if (seen === undefined) continue;
      await cancel();
      return refuse(unsupportedType(seen));
    }
    const { signal } = body;
    const staged = await blobs.stage(whole, { maxBytes, ...(signal ? { signal } : {}) });
    return ok({ staged, head });
  } catch (fault) {
    if (fault instanceof BodyTooLarge) return refuse(tooLarge(maxBytes));
    if (fault instanceof BodyRefused) return refuse(fault.rejection);
    if (isNoSpace(fault)) {
      onNoRoom();
      return refuse(rejection('InsufficientStorage', 'There is no room for the object'));
    }
    throw fault;
  }
}

async function commitUpload(
  { views, commit, ids, maxFileSizeBytes }: UploadParts,
  call: Call,
  { admission, staged, head, details, fate }: StagedUpload,
): Promise<Result<ChangedObject>> {
  const { intent, bucket } = admission;
  // A repeat whose first was forgotten while it arrived: it was never admitted by itself.
  if (!bucket) return refuse(rejection('IdempotencyConflict', 'The idempotency key has expired'));
  const { blobId: blob_id, sizeBytes: size, blake3: etag, crcs } = staged;
  const version = ids.uuid();
  const newId = ids.uuid() as ObjectId;
  const outcome = await commit<ObjectStored>({
    ...authorOf(call),
    locks: [bucketLock(intent.bucket, 'shared'), keyLock(intent.bucket, intent.path, 'exclusive')],
    decide: async () => {
      const contentType = details.contentType ?? admission.contentType;
      const refusal = await refuseGrant(intent.grant, { contentType, sizeBytes: size });
      if (refusal) return refuse(refusal);
      const state = stateOf(views, intent);
      const decided = decideStore(state, {
        caller: call.caller,
        bucketUid: bucket.uid,
        path: intent.path,
        contentType,
        sizeBytes: size,
        conditions: intent.conditions,
        maxFileSizeBytes,
        content: { size, etag, blob_id, crcs },
        cacheControl: details.cacheControl,
        metadata: details.metadata,
        version,
        newId,
      });
      if (!decided.ok) return decided;
      // The list, or the declared type, may be another one than when the body began.
      const allowed = state.bucket?.allowed_mime_types ?? ['*/*'];
      const seen = await forbiddenType(head, contentType, allowed);
      if (seen !== undefined) return refuse(unsupportedType(seen));
      return ok([{ ...decided.value, token: tokenOf(intent.grant) }]);
    },
  });
  fate.isOpen = outcome.ok || outcome.rejection.outcome === 'unknown';
  if (!outcome.ok) {
    const { outcome: _outcome, ...refusal } = outcome.rejection;
    return refuse(refusal);
  }
  const { events, position, timeMs } = outcome.value;
  const [event] = events;
  if (!event) throw new Error('an upload was committed without a record');
  return ok({ object: objectAfter(event, { position, timeMs }), position });
}

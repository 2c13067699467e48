/**
 * Uploads: decided before a byte is read, streamed to disk outside of any lock, decided again under
 * the locks, committed (O1–O3, L4). A refused or failed upload leaves nothing: its staged blob is
 * discarded, except where the outcome is unknown, which recovery decides.
 */
import { hasCode } from '#files';
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
import { actorOf, type Commit, type CommitOutcome, type CommitRefusal } from '../commit.ts';
import { bucketLock, keyLock } from '../locks.ts';
import { stateOf } from '../objects.ts';
import {
  type Admission,
  BodyRefused,
  type Call,
  type Objects,
  type UploadBody,
  type UploadDetails,
} from '../service.ts';
import { guessType } from './content-type.ts';
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
}

export function createUploads(parts: UploadParts): Pick<Objects, 'admit' | 'store'> {
  const { views, access, maxFileSizeBytes, closedTo } = parts;
  return {
    async admit(call, intent): Promise<Result<Admission>> {
      const closed = closedTo();
      if (closed) return refuse(closed);
      const state = stateOf(views, intent);
      const action = state.object ? 'object.overwrite' : 'object.add';
      const refusal = access(call, { action, ...state, about: intent.path });
      if (refusal) return refuse(refusal);
      const contentType = intent.contentType || guessType(intent.path);
      const { sizeBytes, conditions } = intent;
      const { caller } = call;
      const upload: Upload = { caller, contentType, sizeBytes, conditions, maxFileSizeBytes };
      const admitted = admitUpload(state, upload);
      return admitted.ok ? ok({ intent, contentType, ...admitted.value }) : admitted;
    },

    async store(call, admission, body) {
      const staged = await stage(parts, admission, body);
      if (!staged.ok) return staged;
      const { blobId } = staged.value;
      let outcome: Result<CommitOutcome<ObjectStored>, CommitRefusal>;
      try {
        const details = await body.details();
        outcome = details.ok
          ? await commitUpload(parts, call, {
              admission,
              staged: staged.value,
              details: details.value,
            })
          : refuse({ ...details.rejection, outcome: 'nothing' });
      } catch (fault) {
        // Nothing was appended: an append answers, it does not throw.
        await parts.blobs.discard(blobId);
        throw fault;
      }
      if (!outcome.ok) {
        if (outcome.rejection.outcome === 'nothing') await parts.blobs.discard(blobId);
        const { outcome: _outcome, ...refusal } = outcome.rejection;
        return refuse(refusal);
      }
      const { events, position, timeMs } = outcome.value;
      const [event] = events;
      if (!event) throw new Error('an upload was committed without a record');
      const object = objectAfter(event, { position, timeMs });
      return ok({ object, position, bucket: admission.bucket });
    },
  };
}

async function stage(
  { blobs, closedTo, onNoRoom }: UploadParts,
  { bucket, contentType, maxBytes }: Admission,
  body: UploadBody,
): Promise<Result<Staged>> {
  const closed = closedTo();
  if (closed) return refuse(closed);
  try {
    let { bytes } = body;
    if (bucket.allowed_mime_types !== null) {
      const { head, whole, cancel } = await peek(bytes);
      const seen = await forbiddenType(head, contentType, bucket.allowed_mime_types);
      if (seen !== undefined) {
        await cancel();
        return refuse(unsupportedType(seen));
      }
      bytes = whole;
    }
    const { signal } = body;
    return ok(await blobs.stage(bytes, { maxBytes, ...(signal ? { signal } : {}) }));
  } catch (fault) {
    if (fault instanceof BodyTooLarge) return refuse(tooLarge(maxBytes));
    if (fault instanceof BodyRefused) return refuse(fault.rejection);
    if (hasCode(fault, 'ENOSPC', 'EDQUOT')) {
      onNoRoom();
      return refuse(rejection('InsufficientStorage', 'There is no room for the object'));
    }
    throw fault;
  }
}

function commitUpload(
  { views, commit, ids, maxFileSizeBytes }: UploadParts,
  call: Call,
  upload: {
    readonly admission: Admission;
    readonly staged: Staged;
    readonly details: UploadDetails;
  },
): Promise<Result<CommitOutcome<ObjectStored>, CommitRefusal>> {
  const { admission, staged, details } = upload;
  const { intent } = admission;
  const { blobId: blob_id, sizeBytes: size, blake3: etag, crcs } = staged;
  const version = ids.uuid();
  const newId = ids.uuid() as ObjectId;
  return commit<ObjectStored>({
    actor: actorOf(call),
    locks: [bucketLock(intent.bucket, 'shared'), keyLock(intent.bucket, intent.path, 'exclusive')],
    decide: () => {
      const decided = decideStore(stateOf(views, intent), {
        caller: call.caller,
        bucketUid: admission.bucket.uid,
        path: intent.path,
        contentType: details.contentType ?? admission.contentType,
        sizeBytes: size,
        conditions: intent.conditions,
        maxFileSizeBytes,
        content: { size, etag, blob_id, crcs },
        cacheControl: details.cacheControl,
        metadata: details.metadata,
        version,
        newId,
      });
      return decided.ok ? ok([decided.value]) : decided;
    },
  });
}

/** Signed URLs of a rig's store, used as the door uses them. */
import type { Idempotency } from '../../src/domain/events.ts';
import type { Result } from '../../src/domain/result.ts';
import { type ObjectKey, Refused } from '../../src/service/service.ts';
import type { Rig } from './rig.ts';

/** The bytes that the token's holder gets, or the refusal. */
export async function downloadSigned(
  { store }: Rig,
  token: string,
  key: ObjectKey,
): Promise<Result<Buffer>> {
  const { signedUrls } = store.service;
  const verified = await signedUrls.verify(token);
  if (!verified.ok) return verified;
  const found = await signedUrls.read({ claims: verified.value, key, requestId: 'use' });
  if (!found.ok) return found;
  try {
    const blob = await found.value.open();
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.bytes()) chunks.push(Uint8Array.from(chunk));
    await blob.close();
    return { ok: true, value: Buffer.concat(chunks) };
  } catch (fault) {
    if (fault instanceof Refused) return { ok: false, rejection: fault.rejection };
    throw fault;
  }
}

export interface SignedBody extends ObjectKey {
  readonly bytes: Uint8Array;
  readonly contentType?: string;
  readonly idempotency?: Idempotency;
}

/** What comes of uploading `body` with the token. */
export async function uploadSigned({ store }: Rig, token: string, body: SignedBody) {
  const { signedUrls, objects } = store.service;
  const { bucket, path, bytes, contentType = 'text/plain', idempotency } = body;
  const verified = await signedUrls.verify(token);
  if (!verified.ok) return verified;
  const presented = { claims: verified.value, key: { bucket, path }, requestId: 'use' };
  const signed = await signedUrls.upload({ ...presented, idempotency });
  if (!signed.ok) return signed;
  const { grant } = signed.value;
  const call = { ...signed.value.call, ...(idempotency ? { idempotency } : {}) };
  const conditions = { overwrite: grant.claims.upsert };
  const intent = { bucket, path, contentType, sizeBytes: undefined, conditions, grant };
  const admission = await objects.admit(call, intent);
  if (!admission.ok) return admission;
  return objects.store(call, admission.value, {
    bytes: (async function* () {
      yield bytes;
    })(),
    details: async () => ({ ok: true, value: { cacheControl: null, metadata: null } }),
  });
}

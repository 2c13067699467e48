/** What a signed URL adds to an upload: its own limits, its own use, and a refusal of its own. */
import type { ObjectStored } from '../../domain/events.ts';
import type { Rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import { refuseContent } from '../../domain/signed-urls/use.ts';
import type { Admission, UploadGrant, UploadIntent } from '../service.ts';
import { guessType } from './content-type.ts';

/** A body without a type has the one that was signed for, or else one guessed from its name. */
export function typeFor({ contentType, grant, path }: UploadIntent): string {
  const signedFor = grant?.claims.content_type ?? '';
  return contentType || (signedFor.includes('*') ? '' : signedFor) || guessType(path);
}

/** The admission within the limits of the token, where there is one. */
export function withinGrant(admission: Admission): Result<Admission> {
  const { grant, sizeBytes } = admission.intent;
  if (!grant) return ok(admission);
  const { contentType } = admission;
  const size = sizeBytes === undefined ? {} : { sizeBytes };
  const refusal = refuseContent(grant.claims, { contentType, ...size });
  if (refusal) return refuse(refusal);
  const maxBytes = Math.min(admission.maxBytes, grant.claims.max_size ?? Infinity);
  return ok({ ...admission, maxBytes });
}

/** Each list of types that the body must not turn out to be outside of. */
export function typeLists({ bucket, intent }: Admission): readonly (readonly string[])[] {
  const signedFor = intent.grant?.claims.content_type ?? null;
  const lists = [bucket?.allowed_mime_types ?? null, signedFor === null ? null : [signedFor]];
  return lists.filter((list) => list !== null);
}

/** Decides the token's use again, under the locks, with the whole body at hand. */
export async function refuseGrant(
  grant: UploadGrant | undefined,
  content: { readonly contentType: string; readonly sizeBytes: number },
): Promise<Rejection | undefined> {
  return grant && ((await grant.refuse()) ?? refuseContent(grant.claims, content));
}

/** What the object's record says of the token; it uses up one that is for one use. */
export function tokenOf(grant: UploadGrant | undefined): ObjectStored['token'] {
  if (!grant) return null;
  const { jti, once, expires_at } = grant.claims;
  return { jti, once, expires_at };
}

/**
 * Signed URLs (A5): permission for one path, handed on as a token. Signing asks the policy about the
 * caller; each use asks it again about the issuer.
 *
 * Promises: a token for one use is used up by a record that is durable before the first byte leaves,
 * or, for an upload, that is the object's own; uses at once of one token are decided one after the
 * other; a revocation holds for every use that is decided after it was answered.
 */
import type { Clock, Ids, Observe } from '../../domain/effects.ts';
import type { Idempotency } from '../../domain/events.ts';
import type { BucketName, ObjectPath } from '../../domain/names.ts';
import type { Result } from '../../domain/result.ts';
import type { TokenClaims } from '../../domain/signed-urls/token.ts';
import type { SigningKeys } from '../../home/signing-keys.ts';
import type { Views } from '../../views/views.ts';
import type { Access } from '../access.ts';
import type { Commit } from '../commit.ts';
import type { Once } from '../idempotency.ts';
import type { Call, Changed, ObjectKey, ReadableObject, UploadGrant } from '../service.ts';
import { createIssueClock, type IssueClock } from './issue-clock.ts';
import { revokeTokens } from './revoke.ts';
import { signDownload, signDownloads, signUpload } from './sign.ts';
import { verifyToken } from './tokens.ts';
import { readSigned, uploadSigned } from './use.ts';

export interface Signed {
  readonly token: string;
  readonly claims: TokenClaims;
}

interface Validity {
  /** An hour where left out, or the longest that is allowed if that is less. */
  readonly validMs?: number | undefined;
}

export interface DownloadTerms extends Validity {
  readonly once: boolean;
  /** Pins the content; null for whichever there is. */
  readonly version: string | null;
}

export interface ManyDownloads extends Validity {
  readonly bucket: BucketName;
  readonly paths: readonly ObjectPath[];
}

export interface SignedPath {
  readonly path: ObjectPath;
  /** undefined where the caller can't read such an object. */
  readonly signed: Signed | undefined;
}

export interface UploadTerms extends Validity {
  readonly once: boolean;
  readonly upsert: boolean;
  readonly contentType: string | null;
  readonly maxBytes: number | null;
}

/** One token, or all that were issued for a bucket or a path up to a moment. */
export type Revoking =
  | { readonly token: string }
  | {
      readonly bucket: BucketName;
      readonly path: ObjectPath | null;
      /** Unix ms, inclusive; now where left out, and at most now. */
      readonly issuedBefore?: number | undefined;
    };

/** Somebody who holds a token up for a path. */
export interface Presented<C extends TokenClaims = TokenClaims> {
  readonly claims: C;
  readonly key: ObjectKey;
  readonly requestId: string;
  /** Of an upload: a repeat is not refused for the use that the first one made. */
  readonly idempotency?: Idempotency | undefined;
}

/** An upload that goes on as its issuer's. */
export interface SignedUpload {
  readonly call: Call;
  readonly grant: UploadGrant;
}

export interface SignedUrls {
  signDownload(call: Call, key: ObjectKey, terms: DownloadTerms): Promise<Result<Signed>>;
  signDownloads(call: Call, many: ManyDownloads): Promise<Result<readonly SignedPath[]>>;
  signUpload(call: Call, key: ObjectKey, terms: UploadTerms): Promise<Result<Signed>>;
  /** What the token claims, where a key of ours signed it. Whether it may be used is decided by use. */
  verify(token: string): Promise<Result<TokenClaims>>;
  /** Opening what it answers uses up a token for one use, and may throw Refused. */
  read(presented: Presented): Promise<Result<ReadableObject>>;
  upload(presented: Presented): Promise<Result<SignedUpload>>;
  revoke(call: Call, revoking: Revoking): Promise<Result<Changed>>;
}

export interface SignedUrlParts {
  readonly views: Views;
  readonly commit: Commit;
  readonly access: Access;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly observe: Observe;
  readonly once: Once;
  readonly signingKeys: Pick<SigningKeys, 'signer' | 'verifier'>;
  readonly signedUrlMaxTtlMs: number;
  readonly open: (
    found: Pick<ReadableObject, 'bucket' | 'object'>,
  ) => ReturnType<ReadableObject['open']>;
}

export type IssuingParts = SignedUrlParts & { readonly issueClock: IssueClock };

export function createSignedUrls(given: SignedUrlParts): SignedUrls {
  const parts: IssuingParts = { ...given, issueClock: createIssueClock(given.clock) };
  return {
    signDownload: (call, key, terms) => signDownload(parts, call, { key, terms }),
    signDownloads: (call, many) => signDownloads(parts, call, many),
    signUpload: (call, key, terms) => signUpload(parts, call, { key, terms }),
    verify: (token) => verifyToken(parts.signingKeys, token),
    read: (presented) => readSigned(parts, presented),
    upload: (presented) => uploadSigned(parts, presented),
    revoke: (call, revoking) => parts.once.run(call, () => revokeTokens(parts, call, revoking)),
  };
}

/** Tokens of the domain's tests: Olga's, for Boris's bucket `photos` and the path `a.txt`. */
import type { BucketName, ObjectId, ObjectPath } from '../../../src/domain/names.ts';
import type { ObjectRow } from '../../../src/domain/object.ts';
import type { DownloadClaims, UploadClaims } from '../../../src/domain/signed-urls/token.ts';
import type { TokenUse } from '../../../src/domain/signed-urls/use.ts';
import { bucketOf, contentOf, olga, position, uid } from '../samples.ts';

const photos = 'photos' as BucketName;
export const aTxt = 'a.txt' as ObjectPath;

const common = {
  jti: 'jti-1',
  bucket: photos,
  bucket_uid: uid('uid-1'),
  path: aTxt,
  issuer: olga,
  issued_at: 10_000,
  expires_at: 20_000,
  once: false,
};

export function downloadClaims(fields: Partial<DownloadClaims> = {}): DownloadClaims {
  return { ...common, operation: 'download', version: null, ...fields };
}

export function uploadClaims(fields: Partial<UploadClaims> = {}): UploadClaims {
  const own = { upsert: false, content_type: null, max_size: null };
  return { ...common, operation: 'upload', ...own, ...fields };
}

export function objectOf(fields: Partial<ObjectRow> = {}): ObjectRow {
  const { crcs: _crcs, ...content } = contentOf('a');
  return {
    ...content,
    id: 'id-a' as ObjectId,
    path: aTxt,
    owner_id: 'olga',
    content_type: 'text/plain',
    version: 'version-a',
    cache_control: null,
    metadata: null,
    created_at: 5_000,
    updated_at: 5_000,
    position: position(2),
    ...fields,
  };
}

/** A use in the middle of the token's time, of what it was signed for. */
export function useOf(fields: Partial<TokenUse> = {}): TokenUse {
  return {
    operation: 'download',
    bucket: photos,
    path: aTxt,
    nowMs: 15_000,
    state: { bucket: bucketOf(), object: objectOf() },
    isUsed: false,
    revocations: [],
    ...fields,
  };
}

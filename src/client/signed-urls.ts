/** Signed URLs of one bucket: for download, for upload, and their end. */
import type {
  SignedUrls as SignedMany,
  SignedUpload,
  SignedUrl,
} from '../http/openapi/answer-schemas.ts';
import type { RevokeInput, SignInput, SignUploadInput } from '../http/signed-urls/schemas.ts';
import { locationOf, type Transport } from './transport.ts';

export interface SignedUrls {
  /** Seconds in `expiresIn`; an hour where left out. */
  download(path: string, options?: SignInput): Promise<SignedUrl>;
  /** 1,000 paths at most. What can't be read has an error in place of a URL. */
  downloads(
    paths: readonly string[],
    options?: Pick<SignInput, 'expiresIn'>,
  ): Promise<readonly SignedDownload[]>;
  /** `upsert: true` lets the holder overwrite. */
  upload(
    path: string,
    options?: SignUploadInput & { readonly upsert?: boolean },
  ): Promise<SignedUpload>;
  /** All of the bucket, of one path, or those that were issued up to a time. */
  revoke(scope?: Pick<RevokeInput, 'path' | 'issued_before'>): Promise<void>;
  /** One. */
  revokeToken(token: string): Promise<void>;
}

export interface SignedDownload {
  readonly path: string;
  /** Absolute; null where the path can't be read. */
  readonly url: string | null;
  readonly error: string | null;
}

export function createSignedUrls(transport: Transport, bucket: string): SignedUrls {
  const post = <T>(path: string, json: unknown, headers = {}) =>
    transport.json<T>(path, { method: 'POST', json, headers });
  const revoke = async (body: RevokeInput): Promise<void> => {
    await post('/object/sign/revoke', body);
  };
  return {
    download: async (path, options = {}) =>
      post(`/object/sign/${locationOf(bucket, path)}`, options),
    async downloads(paths, options = {}) {
      const at = `/object/sign/${locationOf(bucket)}`;
      const signed = await post<SignedMany>(at, { ...options, paths });
      return signed.map(({ path, signedURL, error }) => ({
        path,
        url: signedURL === null ? null : absolute(transport, { bucket, path }, signedURL),
        error,
      }));
    },
    upload: async (path, { upsert = false, ...body } = {}) =>
      post(`/object/upload/sign/${locationOf(bucket, path)}`, body, { 'x-upsert': String(upsert) }),
    revoke: (scope = {}) => revoke({ bucket, ...scope }),
    revokeToken: (token) => revoke({ token }),
  };
}

/** `signedURL` is not percent-encoded: the path is put in anew, the query is kept. */
function absolute(
  transport: Transport,
  { bucket, path }: { readonly bucket: string; readonly path: string },
  signedUrl: string,
): string {
  const search = signedUrl.slice(signedUrl.lastIndexOf('?'));
  return transport.address(`/object/sign/${locationOf(bucket, path)}`) + search;
}

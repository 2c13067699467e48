/** Requests to S3, signed by the SDK before the clock starts. */
import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Target } from './target.ts';

/** The bucket is made where it is missing. */
export async function s3Address(url: URL): Promise<Target['address']> {
  const client = new S3Client({
    endpoint: url.origin,
    region: url.searchParams.get('region') ?? 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: {
      accessKeyId: decodeURIComponent(url.username),
      secretAccessKey: decodeURIComponent(url.password),
    },
  });
  const Bucket = url.pathname.slice(1);
  await client.send(new CreateBucketCommand({ Bucket })).catch((fault: unknown) => {
    if (!(fault instanceof BucketAlreadyOwnedByYou)) throw fault;
  });
  return async (method, Key) => {
    const at = { Bucket, Key };
    const expiry = { expiresIn: 6 * 3600 };
    const signed =
      method === 'PUT'
        ? await getSignedUrl(client, new PutObjectCommand(at), expiry)
        : await getSignedUrl(client, new GetObjectCommand(at), expiry);
    const { pathname, search } = new URL(signed);
    return { path: pathname + search, headers: {} };
  };
}

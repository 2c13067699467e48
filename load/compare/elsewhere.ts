/**
 * Servers that run already, named by a URL:
 *
 *   http://127.0.0.1:9000/base                    PUT and GET below it
 *   http://bearer:TOKEN@127.0.0.1:8787/storage/v1/object/bucket
 *   s3+http://KEY:SECRET@127.0.0.1:9000/bucket    S3, path style; the bucket is made where missing
 *
 * `#pid=123` tells whose time counts; on loopback the owner of the port is found. S3 requests are
 * signed beforehand, so that all targets are asked by the same client and none pays for a signer.
 */
import { familyOf, ownerOfPort } from '../process-figures.ts';
import type { Target } from './target.ts';

export async function elsewhere(text: string): Promise<Target> {
  const isS3 = text.startsWith('s3+');
  const url = new URL(isS3 ? text.slice(3) : text);
  if (url.protocol !== 'http:') throw new Error(`${url.protocol} is not compared: use http:`);
  const port = Number(url.port || 80);
  const given = /pid=(\d+)/.exec(url.hash)?.[1];
  const isHere = /^(?:localhost|127\.|\[::1\])/.test(url.hostname);
  const pid = given === undefined ? isHere && ownerOfPort(port) : Number(given);
  return {
    name: `${isS3 ? 's3://' : 'http://'}${url.host}`,
    hostname: url.hostname,
    port,
    pids: () => (pid ? familyOf(pid) : []),
    // Loaded where it is needed: it is large, and has much to say about versions of Node.
    address: isS3 ? await (await import('./s3.ts')).s3Address(url) : plainAddress(url),
    // It is not ours to end.
    stop: async () => {},
  };
}

function plainAddress({ pathname, username, password }: URL): Target['address'] {
  const base = pathname.replace(/\/$/, '');
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  const scheme = username === 'bearer' ? `Bearer ${password}` : `Basic ${basic}`;
  const headers = username === '' ? {} : { authorization: scheme };
  return (_method, name) => ({ path: `${base}/${name}`, headers });
}

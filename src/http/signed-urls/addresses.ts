/** Where a signed URL leads to: absolute and percent-encoded, or as storage-js wants it. */
import type { ObjectKey } from '../../service/service.ts';
import type { Signed } from '../../service/signed-urls/signed-urls.ts';
import type { HttpSettings } from '../app.ts';
import type { Exchange } from '../wire/exchange.ts';

const base = '/storage/v1';
const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** As clients reach this server. Beyond loopback, the configuration says how. */
export function originOf({ publicUrl }: HttpSettings, { incoming }: Exchange): string {
  if (publicUrl !== undefined) return publicUrl;
  const { host = '' } = incoming.headers;
  if (loopback.test(host)) return `http://${host}`;
  // A Host of a caller's own making leads nowhere.
  const { localAddress = '127.0.0.1', localPort = 80 } = incoming.socket;
  return `http://${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;
}

export function downloadUrl(origin: string, key: ObjectKey, { token, claims }: Signed): string {
  const expires = Math.ceil(claims.expires_at / 1000);
  return `${origin}${base}/object/sign/${encoded(key)}?token=${token}&expires=${expires}`;
}

/** Relative and not percent-encoded: storage-js does that itself. */
export function signedPath({ bucket, path }: ObjectKey, { token }: Signed): string {
  return `/object/sign/${bucket}/${path}?token=${token}`;
}

export function uploadUrl(key: ObjectKey, { token }: Signed): string {
  return `/object/upload/sign/${encoded(key)}?token=${token}`;
}

export function absolute(origin: string, relative: string): string {
  return origin + base + relative;
}

function encoded({ bucket, path }: ObjectKey): string {
  return `${bucket}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

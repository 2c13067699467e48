/**
 * Whether a request says plainly where it goes: to a path, or to an absolute URL of HTTP, and to a Host
 * that is one. What a URL library would read as something else than what stands there is refused.
 */
import type { Problem } from '../problems.ts';
import type { Exchange } from './exchange.ts';

/** Why the request can't be routed, or undefined. */
export function faultOfTarget({ incoming, target }: Exchange): Problem | undefined {
  if (isRoutable(incoming.url ?? '', incoming.headers.host ?? '')) return undefined;
  // RFC 3986 has no backslash in a path; taking it for a `/` would be a near match.
  return target.path.includes('\\')
    ? { code: 'InvalidKey', message: 'The path contains a raw backslash', hint: 'Send "%5C".' }
    : { code: 'InvalidRequest', message: 'The request target or the Host header is not valid' };
}

function isRoutable(url: string, host: string): boolean {
  const backslash = url.indexOf('\\');
  if (backslash !== -1 && !url.slice(0, backslash).includes('?')) return false;
  if (url.startsWith('/')) return isHost(host);
  // RFC 9112 §3.2.2: the authority of an absolute target stands in place of the Host.
  return /^https?:\/\//.test(url) && URL.canParse(url);
}

const plainHost = /^[a-z0-9._-]+(?::(?:[1-5]\d{3,4}|[6-9]\d{3}))?$/;

/** RFC 9112 §3.2: an authority, and nothing that would be read as a path, a query or a user. */
function isHost(host: string): boolean {
  if (host === '') return false;
  if (plainHost.test(host)) return true;
  const url = `http://${host}/`;
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  const name = host.includes(':') ? host.replace(/:\d+$/, '') : host;
  return hostname.length === host.length || hostname === name.toLowerCase();
}

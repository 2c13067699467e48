/**
 * Where a webhook leads, and whether it may (SSRF): asked when it is made, and again before each
 * delivery, which then connects to the very addresses that were looked at. What is told of a refusal
 * never holds an address that a name was resolved to.
 */
import { type Rejection, rejection } from '../../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../../domain/result.ts';
import {
  type AllowList,
  isPrivateName,
  isPublicAddress,
  literalOf,
  withoutDot,
} from './addresses.ts';

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Every address of a host; rejects where there is none, or the signal aborts. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly Address[]>;

export interface TargetRules {
  readonly allow: AllowList;
  /** Where the server itself is not reachable from beyond this machine. */
  readonly httpAllowed: boolean;
  readonly resolve: Resolve;
}

export const maxUrlLength = 2_048;

/** What Fetch refuses too ("bad port"): services that take an HTTP request for something else. */
const badPorts: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
  103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
  512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
  995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
  6669, 6679, 6697, 10080,
]);

/** The URL in its normal form; odd ways to write an address or a name are gone then. */
export function parseTargetUrl(
  text: string,
  { httpAllowed }: Pick<TargetRules, 'httpAllowed'>,
): Result<URL> {
  if (text.length > maxUrlLength)
    return refuse(invalid(`has more than ${maxUrlLength} characters`));
  // A parser would leave some of these out and read others as slashes.
  if (/[\s\p{Cc}\\]/u.test(text) || !text.isWellFormed()) {
    return refuse(invalid('holds a space, a control character or a backslash'));
  }
  if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) {
    return refuse(invalid('is not an absolute http or https URL'));
  }
  const url = new URL(text);
  if (url.protocol === 'http:' && !httpAllowed) return refuse(invalid('is not an https URL'));
  if (url.username !== '' || url.password !== '' || /^[^/]*\/\/[^/?#]*@/.test(text)) {
    return refuse(invalid('holds credentials', 'Check the signature at the receiver instead.'));
  }
  if (text.includes('#')) return refuse(invalid('has a fragment, which is never sent'));
  if (url.port !== '' && badPorts.has(Number(url.port))) {
    return refuse(invalid('has a port that is not for HTTP'));
  }
  return ok(url);
}

export type Checked =
  | { readonly kind: 'allowed'; readonly addresses: readonly Address[] }
  | { readonly kind: 'forbidden' }
  /** Nobody knows the host now. */
  | { readonly kind: 'unresolved' };

/** Allowed only where every address of the host is: which one would be taken is not for it to say. */
export async function checkHost(
  { hostname }: URL,
  { allow, resolve }: TargetRules,
  signal: AbortSignal,
): Promise<Checked> {
  const literal = literalOf(hostname);
  const isNamed = allow.host(hostname);
  const isAllowed = (address: string) =>
    isNamed || allow.address(address) || isPublicAddress(address);
  if (literal !== undefined) {
    const family = literal.includes(':') ? 6 : 4;
    return isAllowed(literal)
      ? { kind: 'allowed', addresses: [{ address: literal, family }] }
      : { kind: 'forbidden' };
  }
  const host = withoutDot(hostname);
  const resolved = await abortable(resolve(host, signal), signal).catch(() => []);
  // Of this machine's two addresses the operator may mean one.
  const addresses = resolved.filter(
    ({ address }) => host !== 'localhost' || isNamed || allow.address(address),
  );
  const isPrivate = !isNamed && isPrivateName(hostname);
  if (addresses.length === 0) return { kind: isPrivate ? 'forbidden' : 'unresolved' };
  const areAllowed = addresses.every(({ address }) => isAllowed(address));
  // A private name may be reached where its addresses are allowed as such.
  const byRange = addresses.every(({ address }) => allow.address(address));
  return areAllowed && (!isPrivate || byRange)
    ? { kind: 'allowed', addresses }
    : { kind: 'forbidden' };
}

/** Settles when the signal aborts, at the latest: not every resolver and not every request does. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

export const forbiddenHost: Rejection = rejection(
  'InvalidRequest',
  'The field "url": webhooks may not reach this host',
  { hint: 'Name a public host, or have the operator allow this one by AEROSTORE_WEBHOOK_ALLOW.' },
);

function invalid(what: string, hint?: string): Rejection {
  return rejection('InvalidRequest', `The field "url" ${what}`, hint === undefined ? {} : { hint });
}

/**
 * What the text of a setting may be: each kind parses it, and says what to do where it can't. Pure:
 * nothing here looks at a disk, a resolver or the environment.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type DiskMark, parseSize } from './domain/values/sizes.ts';

export interface Kind<T> {
  /** What to do, as an imperative without a full stop. */
  readonly advice: string;
  /** undefined where `text`, which is not empty, is no such value. */
  readonly parse: (text: string) => T | undefined;
}

export const SECOND_MS = 1_000;
export const DAY_MS = 86_400 * SECOND_MS;
/** A Node timer of more than 2^31 - 1 ms fires at once. */
export const TIMER_MS = 24 * DAY_MS;
const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: 60 * SECOND_MS,
  h: 3_600 * SECOND_MS,
  d: DAY_MS,
};
export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

export function text(what: string): Kind<string> {
  return kind(`name ${what}`, (value) => (value.trim() === '' ? undefined : value));
}

export function oneOf<const T extends string>(...words: T[]): Kind<T> {
  return kind(`use ${words.join(' or ')}`, (value) => words.find((word) => word === value));
}

export function backend(): Kind<'local'> {
  return kind('use local (s3 comes later)', (value) => (value === 'local' ? value : undefined));
}

export function wholeNumber(min: number, max = 1_000_000_000): Kind<number> {
  return kind(`use a whole number from ${min} to ${max}`, (value) =>
    /^\d{1,10}$/.test(value) ? within(Number(value), min, max) : undefined,
  );
}

export function size(min: number, max: number): Kind<number> {
  return kind(`use a size from ${bytes(min)} to ${bytes(max)}, such as 20mb or 1GiB`, (value) =>
    within(parseSize(value), min, max),
  );
}

export function duration(min: number, max = 3_650 * DAY_MS): Kind<number> {
  const range = `of ${min === 0 ? '0s' : span(min)} to ${span(max)}`;
  return kind(`use a duration ${range}, such as 500ms, 30s, 15m, 24h or 7d`, (value) =>
    within(parseDuration(value), min, max),
  );
}

export function retention(): Kind<number | 'keep'> {
  return kind('use keep, or a duration such as 24h or 7d', (value) =>
    value === 'keep' ? value : within(parseDuration(value), 0, 36_500 * DAY_MS),
  );
}

/** White space around a secret comes by accident, with the file that it was read from. */
export function secret(): Kind<string> {
  return kind('use at least 32 bytes, without white space around them', (value) =>
    Buffer.byteLength(value) >= 32 && value.trim() === value ? value : undefined,
  );
}

export function url(): Kind<string> {
  return kind('use an absolute http or https URL', (value) => parseUrl(value)?.href);
}

export function baseUrl(): Kind<string> {
  return kind('use an http or https URL without credentials, query and fragment', (value) => {
    const parsed = parseUrl(value);
    if (!parsed || parsed.username || parsed.password || /[?#]/.test(value)) return undefined;
    return parsed.href.replace(/\/+$/, '');
  });
}

export function host(): Kind<string> {
  return kind('use an address without brackets, or a host name', (value) =>
    isHost(value) ? value : undefined,
  );
}

export function diskMark(): Kind<DiskMark> {
  return kind('use a share of the disk such as 5%, or a size such as 2GiB', (value) => {
    const share = /^(\d{1,2}(?:\.\d{1,6})?)%$/.exec(value);
    if (share) return { kind: 'share', share: Number(share[1]) / 100 };
    // A bare number would be taken for bytes where a share was meant.
    const sizeBytes = /[a-z]/i.test(value) ? parseSize(value) : undefined;
    return sizeBytes === undefined ? undefined : { kind: 'bytes', bytes: sizeBytes };
  });
}

export function corsOrigins(): Kind<'*' | readonly string[]> {
  return kind('use *, none, or origins such as https://app.example.com, with commas', (value) =>
    value === '*' ? value : parseList(value, (item) => (isOrigin(item) ? item : undefined)),
  );
}

export function listOf(
  parse: (item: string) => string | undefined,
  what: string,
): Kind<readonly string[]> {
  return kind(`use none, or ${what} with commas between them`, (value) => parseList(value, parse));
}

function parseList(
  value: string,
  parse: (item: string) => string | undefined,
): readonly string[] | undefined {
  if (value === 'none') return [];
  const items = value.split(',').map((item) => parse(item.trim()));
  return items.every((item) => item !== undefined) ? items : undefined;
}

/** Milliseconds, or undefined where `text` is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text);
  const unit = unitsMs[match?.[2] ?? ''];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function span(ms: number): string {
  const units = Object.entries(unitsMs).reverse();
  const [unit, unitMs] = units.find(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}

function bytes(count: number): string {
  if (count >= GIB) return `${count / GIB}GiB`;
  if (count >= MIB) return `${count / MIB}MiB`;
  return count >= KIB ? `${count / KIB}KiB` : `${count} byte`;
}

function parseUrl(value: string): URL | undefined {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  return parsed && /^https?:$/.test(parsed.protocol) ? parsed : undefined;
}

function isOrigin(value: string): boolean {
  return parseUrl(value)?.origin === value;
}

/** An address, or a name of letters, digits and hyphens whose last label is no number. */
function isHost(value: string): boolean {
  if (isIP(value) !== 0) return true;
  const labels = value.split('.');
  const named = labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  return named && value.length <= 253 && !/^\d+$/.test(labels.at(-1) ?? '');
}

export function cidr(value: string): string | undefined {
  if (isIP(value) !== 0) return `${value}/${isIP(value) === 4 ? 32 : 128}`;
  const [address = '', ...prefix] = value.split('/');
  return isIP(address) !== 0 && prefix.length === 1 && ipaddr.isValidCIDR(value)
    ? value
    : undefined;
}

export function hostOrCidr(value: string): string | undefined {
  return cidr(value) ?? (isHost(value) ? value.toLowerCase() : undefined);
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return ipaddr.process(host).range() === 'loopback';
}

function kind<T>(advice: string, parse: Kind<T>['parse']): Kind<T> {
  return { advice, parse };
}

import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../src/http/wire/exchange.ts';
import { parseTarget } from '../../src/http/wire/raw-path.ts';
import { faultOfTarget } from '../../src/http/wire/routable.ts';

function codeOf(url: string, host: string | undefined): string | undefined {
  const incoming = { url, headers: host === undefined ? {} : { host } };
  const exchange = { incoming, target: parseTarget(url) };
  return faultOfTarget(exchange as unknown as Exchange)?.code;
}

describe('a request is routed', () => {
  it.each([
    ['/a', 'localhost'],
    ['/a', 'LOCALHOST:80'],
    ['/a', '127.0.0.1:8787'],
    ['/a', '[::1]:8787'],
    ['/a', 'files_of.example'],
    ['/a/../b', 'h'],
    ['//a', 'h'],
    ['/%zz?x=\\', 'h'],
    ['/ä', 'h'],
    ['http://elsewhere/a', 'h'],
    ['https://elsewhere/a', undefined],
  ])('to %s of %s', (url, host) => {
    expect(codeOf(url, host)).toBeUndefined();
  });
});

describe('a request is refused', () => {
  it.each([
    ['/a', undefined, 'InvalidRequest'],
    ['/a', '', 'InvalidRequest'],
    ['/a', 'a b', 'InvalidRequest'],
    ['/a', 'h/path', 'InvalidRequest'],
    ['/a', 'h?query', 'InvalidRequest'],
    ['/a', 'user@h', 'InvalidRequest'],
    ['/a', 'h#x', 'InvalidRequest'],
    ['/a', 'h:99999', 'InvalidRequest'],
    ['/a', '[::1', 'InvalidRequest'],
    ['*', 'h', 'InvalidRequest'],
    ['a', 'h', 'InvalidRequest'],
    ['ftp://h/a', 'h', 'InvalidRequest'],
    ['http://', 'h', 'InvalidRequest'],
    ['/a\\b', 'h', 'InvalidKey'],
    ['/a\\b?c', 'h', 'InvalidKey'],
  ])('to %s of %s', (url, host, code) => {
    expect(codeOf(url, host)).toBe(code);
  });
});

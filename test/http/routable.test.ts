/** A request says plainly where it goes, or it is refused before any route. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDoor, type TestDoor } from './support/door.ts';

let door: TestDoor;

beforeAll(async () => {
  door = await startDoor();
});

afterAll(() => door.close());

async function codeOf(url: string, host: string | undefined): Promise<unknown> {
  const hostLine = host === undefined ? '' : `host: ${host}\r\n`;
  const head = Buffer.from(`GET ${url} HTTP/1.1\r\n${hostLine}connection: close\r\n\r\n`, 'latin1');
  const answer = await door.raw(head).closed();
  return answer.json().code;
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
    ['http://elsewhere/a', 'h'],
  ])('to %s of %s', async (url, host) => {
    expect(await codeOf(url, host)).toBe('NoSuchRoute');
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
    ['a', 'h', 'InvalidRequest'],
    ['ftp://h/a', 'h', 'InvalidRequest'],
    ['/a\\b', 'h', 'InvalidKey'],
    ['/a\\b?c', 'h', 'InvalidKey'],
  ])('to %s of %s', async (url, host, code) => {
    expect(await codeOf(url, host)).toBe(code);
  });
});

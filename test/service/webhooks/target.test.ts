/** Where a webhook may lead (SSRF): hostile forms, private places, what an operator allows. */
import { describe, expect, test } from 'vitest';
import {
  allowListOf,
  isPrivateName,
  isPublicAddress,
} from '../../../src/service/webhooks/outward/addresses.ts';
import {
  checkHost,
  maxUrlLength,
  parseTargetUrl,
} from '../../../src/service/webhooks/outward/target.ts';

const never = new AbortController().signal;
const addressOf = (address: string) =>
  ({ address, family: address.includes(':') ? 6 : 4 }) as const;

/** What comes of a URL whose name resolves to these addresses. */
async function verdict(
  text: string,
  {
    allow = [],
    resolved = [],
    httpAllowed = true,
  }: { allow?: string[]; resolved?: string[]; httpAllowed?: boolean } = {},
): Promise<string> {
  const url = parseTargetUrl(text, { httpAllowed });
  if (!url.ok) return 'invalid';
  const resolve = async () => resolved.map(addressOf);
  const rules = { allow: allowListOf(allow), httpAllowed, resolve };
  return (await checkHost(url.value, rules, never)).kind;
}

describe('a URL', () => {
  test.each([
    'https://hooks.example.com/in?a=b',
    'https://hooks.example.com:8443/',
    'HTTPS://Hooks.Example.com.',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]/',
    'https://bücher.example/',
  ])('%s may be one', async (url) => {
    expect(await verdict(url, { resolved: ['93.184.215.14'] })).toBe('allowed');
  });

  test.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'example.com',
    '//example.com/',
    'https:example.com',
    'https:///example.com',
    'https://',
    '',
    'https://user:password@example.com/',
    'https://user@example.com/',
    'https://@example.com/',
    'https://example.com\\@127.0.0.1/',
    'https://exa mple.com/',
    'https://exam\nple.com/',
    ' https://example.com/',
    'https://example.com/#fragment',
    'https://example.com/#',
    'https://example.com:0/',
    'https://example.com:25/',
    'https://example.com:6379x/',
    'https://example.com:99999/',
    'https://[::1/',
    'https://256.256.256.256/',
    'https://example.com/\ud800',
    `https://example.com/${'x'.repeat(maxUrlLength)}`,
  ])('%j is refused', async (url) => {
    expect(await verdict(url, { resolved: ['93.184.215.14'] })).toBe('invalid');
  });

  test('without TLS is refused where the server is reachable from beyond the machine', async () => {
    const resolved = ['93.184.215.14'];
    expect(await verdict('http://example.com/', { resolved, httpAllowed: false })).toBe('invalid');
    expect(await verdict('http://example.com/', { resolved, httpAllowed: true })).toBe('allowed');
  });
});

const privateAddresses = [
  '127.0.0.1',
  '127.8.8.8',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '100.100.100.200',
  '192.0.0.192',
  '192.0.2.1',
  '198.18.0.1',
  '203.0.113.9',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '168.63.129.16',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '2002:7f00:1::',
  '2001::1',
  '2001:db8::1',
  'fe80::1',
  'fec0::1',
  'fc00::1',
  'fd00:ec2::254',
  'ff02::1',
  '100::1',
  '5f00::1',
  '4000::1',
];

describe('private places', () => {
  test.each(privateAddresses)('%s is refused, also where a name leads there', async (address) => {
    expect(isPublicAddress(address)).toBe(false);
    const host = address.includes(':') ? `[${address}]` : address;
    expect(await verdict(`https://${host}/`)).toBe('forbidden');
    expect(await verdict('https://innocent.example/', { resolved: [address] })).toBe('forbidden');
    const among = ['93.184.215.14', address];
    expect(await verdict('https://innocent.example/', { resolved: among })).toBe('forbidden');
  });

  test.each([
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '017700000001',
    '0177.0.0.1',
    '127.1',
    '127.0.0.1.',
    '１２７.０.０.１',
    '①②⑦.0.0.1',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    'localhost',
    'LOCALHOST.',
    'a.localhost',
    'metadata.google.internal',
    'printer.local',
  ])('https://%s/ is one, however it is written', async (host) => {
    expect(await verdict(`https://${host}/`)).toBe('forbidden');
    expect(await verdict(`https://${host}/`, { resolved: ['8.8.8.8'] })).toBe('forbidden');
  });

  test('are told by the end of a name, not by a part of it', () => {
    expect(isPrivateName('localhost.example.com')).toBe(false);
    expect(isPrivateName('notlocalhost')).toBe(false);
    expect(isPrivateName('x.home.arpa.')).toBe(true);
  });

  test('a resolver that never answers is not waited for', async () => {
    const stop = new AbortController();
    const rules = {
      allow: allowListOf([]),
      httpAllowed: true,
      resolve: () => new Promise<never>(() => {}),
    };
    const check = (host: string) => checkHost(new URL(`https://${host}/`), rules, stop.signal);
    const checks = [check('slow.example'), check('slow.internal')];
    stop.abort();
    expect((await Promise.all(checks)).map(({ kind }) => kind)).toEqual([
      'unresolved',
      'forbidden',
    ]);
  });

  test('a name that nobody knows today is no private place', async () => {
    expect(await verdict('https://nobody.example/')).toBe('unresolved');
  });
});

describe('what the operator allows', () => {
  test.each([
    ['https://127.0.0.1/', ['127.0.0.0/8'], []],
    ['https://[::ffff:127.0.0.1]/', ['127.0.0.1/32'], []],
    ['https://[fd00::5]/', ['fd00::/8'], []],
    ['https://receiver.internal/', ['receiver.internal'], ['10.1.2.3']],
    ['https://RECEIVER.internal./', ['receiver.internal'], ['10.1.2.3']],
    ['https://receiver.internal/', ['10.0.0.0/8'], ['10.1.2.3', '10.1.2.4']],
    ['https://localhost/', ['127.0.0.0/8', '::1/128'], ['127.0.0.1', '::1']],
    ['https://localhost/', ['127.0.0.1/32'], ['127.0.0.1', '::1']],
    ['https://localhost/', ['localhost'], ['127.0.0.1', '::1']],
  ])('%s may be reached with %j', async (url, allow, resolved) => {
    expect(await verdict(url, { allow, resolved })).toBe('allowed');
  });

  test.each([
    ['https://127.0.0.1/', ['10.0.0.0/8'], []],
    ['https://receiver.internal/', ['10.0.0.0/8'], ['10.1.2.3', '192.168.0.1']],
    ['https://other.internal/', ['receiver.internal'], ['10.1.2.3']],
    ['https://x.receiver.internal/', ['receiver.internal'], ['10.1.2.3']],
  ])('%s may not be reached with %j', async (url, allow, resolved) => {
    expect(await verdict(url, { allow, resolved })).toBe('forbidden');
  });
});

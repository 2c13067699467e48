/** API.md "Object paths": any script goes through; everything invalid is refused, never matched nearly. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, encodePath } from '../support/client.ts';
import { sha256 } from '../support/hashes.ts';
import { expectProblem, outcome } from '../support/problems.ts';
import { exchange, headOf } from '../support/raw.ts';
import { type Server, startServer } from '../support/server.ts';
import { leavesNothing, listPaths, makeBucket, put } from '../support/store.ts';
import { user } from '../support/tokens.ts';

let server: Server;
let bucket: string;
const token = user('alice');

beforeAll(async () => {
  server = await startServer();
  bucket = await makeBucket(server);
});
afterAll(() => server?.kill());

describe('legal names round-trip', () => {
  const legal = [
    '日本語/ファイル名.txt',
    'emoji/👩‍👩‍👧‍👦🏳️‍🌈.png',
    'e\u0301 combining',
    '\u00e9 composed',
    'मराठी/ক্ষ',
    'עברית ‏rtl',
    'a b',
    ' leading',
    'trailing ',
    '  ',
    '100%',
    '%41',
    '%2e%2e/x',
    '%',
    '%%%',
    'a#b',
    'a?b=c',
    'a+b',
    'a&b',
    '"quoted"',
    "it's",
    'back\\slash',
    '..\\..\\windows',
    'semi;colon',
    'a:b',
    'a=b',
    'a,b',
    '<tag>',
    'a|b',
    '{a}',
    '[b]',
    '`tick`',
    '~home',
    '$HOME',
    '@at',
    '!bang',
    '*star',
    '^',
    '...',
    '.hidden',
    '..double',
    'a..b/c',
    'a./b',
    'trailing/',
    'a//b',
    'list',
    'sign/x',
    'public/x',
    'info',
    'CON',
    'nul.txt',
    'a/b/c/d/e/f/g/h',
    '\u00a0nbsp',
    '\u200bzero width',
    '\ufefflike a bom',
    '\u{10ffff}',
    '\ufffd',
    'x'.repeat(1024),
    'ü'.repeat(512),
    `${'deep/'.repeat(204)}end`,
  ];

  test.each(legal)('%j', async (name) => {
    const body = randomBytes(64);
    const url = `/object/${bucket}/${encodePath(name)}`;
    const stored = await ask(server, url, { method: 'POST', token, body });
    expect(stored.status, stored.text()).toBe(200);
    expect(stored.json()).toMatchObject({ path: name, Key: `${bucket}/${name}` });

    const read = await ask(server, url, { token });
    expect(sha256(read.bytes)).toBe(sha256(body));
    const info = await ask(server, `/object/info/${bucket}/${encodePath(name)}`, { token });
    expect(info.json()).toMatchObject({ path: name, name, size: 64 });
    const query = `prefix=${encodeURIComponent(name)}`;
    expect(await listPaths(server, bucket, { token, query })).toContain(name);

    expect((await ask(server, url, { method: 'DELETE', token })).status).toBe(200);
    expectProblem(await ask(server, url, { token }), '404 NoSuchKey');
    expect(await listPaths(server, bucket, { token, query })).not.toContain(name);
  });

  test('every character is encoded or not, %2F is a slash, and hex has no case', async () => {
    await put(server, `${bucket}/dir/a-b~é`, { token, body: 'one' });
    for (const spelled of ['dir/a-b~%C3%A9', 'dir%2Fa-b~%c3%a9', 'd%69r%2f%61%2Db%7E%c3%A9']) {
      const reply = await ask(server, `/object/${bucket}/${spelled}`, { token });
      expect(reply.text(), spelled).toBe('one');
    }
  });

  test('a raw byte above 127 in the request line is that byte, or refused; never another name', async () => {
    const line = `GET /storage/v1/object/${bucket}/dir/a-b~\u00c3\u00a9`;
    const reply = await exchange(server, headOf(line, { authorization: `Bearer ${token}` }));
    if (reply.status === 200) expect(reply.text()).toBe('one');
    else expect([400, 404]).toContain(reply.status);
  });

  test('names that look alike are different objects', async () => {
    const alike = [
      'e\u0301',
      '\u00e9',
      'A',
      'a',
      'a/',
      'a//',
      'a b',
      'a+b',
      'a%20b',
      '%61',
      '/a'.slice(1),
    ];
    const own = await makeBucket(server);
    const distinct = [...new Set(alike)];
    for (const name of distinct) {
      await put(server, `${own}/x${name}`, { token, body: `body of ${name}` });
    }
    for (const name of distinct) {
      const reply = await ask(server, `/object/${own}/${encodePath(`x${name}`)}`, { token });
      expect(reply.text()).toBe(`body of ${name}`);
    }
    expect(await listPaths(server, own, { token })).toHaveLength(distinct.length);
  });

  test('double encoding is decoded once: %252e%252e is the literal %2e%2e', async () => {
    const stored = await ask(server, `/object/${bucket}/%252e%252e/%252fetc`, {
      method: 'PUT',
      token,
      body: 'literal',
    });
    expect(stored.json()).toMatchObject({ path: '%2e%2e/%2fetc' });
    expect((await ask(server, `/object/${bucket}/%252e%252e/%252fetc`, { token })).text()).toBe(
      'literal',
    );
    expectProblem(
      await ask(server, `/object/${bucket}/%2e%2e/%2fetc`, { token }),
      '400 InvalidKey',
    );
  });
});

describe('illegal names', () => {
  const illegal: [string, string][] = [
    ['a parent', '../etc/passwd'],
    ['a parent inside', 'a/../b'],
    ['a parent at the end', 'a/..'],
    ['a parent alone', '..'],
    ['an encoded parent', '%2e%2e/x'],
    ['in capitals', '%2E%2E/x'],
    ['half encoded', '.%2e/x'],
    ['the other half', '%2e./x'],
    ['an encoded slash', '..%2fx'],
    ['all encoded', '%2e%2e%2f%2e%2e%2fetc%2fpasswd'],
    ['behind a slash', 'a%2f..%2fb'],
    ['after an encoded slash', 'a%2f%2e%2e'],
    ['a dot', './x'],
    ['a dot inside', 'a/./b'],
    ['a dot alone', '.'],
    ['an encoded dot', '%2e/x'],
    ['a dot at the end', 'a/%2e'],
    ['a leading slash', '/etc/passwd'],
    ['an encoded leading slash', '%2Fetc'],
    ['NUL', 'a%00b'],
    ['NUL at the end', 'a.png%00'],
    ['NUL and a parent', '..%00/x'],
    ['SOH', '%01'],
    ['a tab', 'a%09b'],
    ['a line feed', 'a%0ab'],
    ['CR LF', 'a%0d%0aX:%20y'],
    ['ESC', '%1b[0m'],
    ['DEL', 'a%7f'],
    ['NEL, a C1 control', 'a%c2%85b'],
    ['APC, a C1 control', '%c2%9f'],
    ['an overlong dot', '%c0%ae%c0%ae/x'],
    ['an overlong slash', 'a%c0%afb'],
    ['an overlong slash in three', 'a%e0%80%afb'],
    ['an overlong NUL', 'a%c0%80'],
    ['a lone continuation', 'a%80'],
    ['a cut sequence', 'a%e3%81'],
    ['no UTF-8 at all', '%ff%fe'],
    ['a surrogate', 'a%ed%a0%80'],
    ['a pair of surrogates', '%ed%a0%bd%ed%b8%80'],
    ['beyond Unicode', '%f4%90%80%80'],
    ['a bare percent', '100%'],
    ['half a percent', 'a%2'],
    ['no hex', 'a%zz'],
    ['%u', '%u002e%u002e/x'],
    ['1,025 bytes', 'x'.repeat(1025)],
    ['1,026 bytes in 513 characters', '%c3%bc'.repeat(513)],
  ];

  test.each(illegal)('%s', async (_, raw) => {
    const refused = await leavesNothing(server, async () => {
      const replies: [string, string][] = [];
      for (const stem of ['/object', '/object/info', '/object/authenticated', '/object/public']) {
        const reply = await ask(server, `${stem}/${bucket}/${raw}`, { token });
        replies.push([`GET ${stem}`, outcome(reply)]);
      }
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const body = method === 'DELETE' ? {} : { body: 'evil' };
        const reply = await ask(server, `/object/${bucket}/${raw}`, { method, token, ...body });
        expectProblem(reply, '400 InvalidKey');
        replies.push([method, outcome(reply)]);
      }
      const headed = await ask(server, `/object/${bucket}/${raw}`, { method: 'HEAD', token });
      replies.push(['HEAD', outcome(headed) === '400' ? '400 InvalidKey' : outcome(headed)]);
      return replies;
    });
    expect(refused.filter(([, got]) => got !== '400 InvalidKey')).toEqual([]);
  });

  test('nothing outside of the data directory was made', () => {
    const above = path.dirname(server.dataDir);
    expect(readdirSync(above)).toEqual([path.basename(server.dataDir)]);
    expect(existsSync(path.join(server.dataDir, 'x'))).toBe(false);
  });

  test.each(['%2e%2e', '..', '.%2e', '%2e%2e%2fbucket', 'a%00', '%ff', '%zz', 'a%2fb'])(
    'a bucket named %s is no bucket',
    async (name) => {
      for (const at of [`/bucket/${name}`, `/object/${name}/x`, `/object/list/${name}`]) {
        const reply = await ask(server, at, { token });
        expect([400, 404], `${at}: ${reply.text()}`).toContain(reply.status);
        expect(reply.json().code).toBeTruthy();
      }
    },
  );
});

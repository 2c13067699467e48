/** The house keeps its floors: every import of src and wal, held against DESIGN.md's table. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { check, emptyRooms, type Rule, rooms, rules } from './architecture/rules.ts';
import { parseSource, type SourceFile } from './architecture/source.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function filesUnder(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));
}

describe('the house', () => {
  const files = [...filesUnder('src'), ...filesUnder('wal')];
  const violations = check(files);

  test('was looked at: every room has its files, and they import each other', () => {
    expect(emptyRooms(files)).toEqual([]);
    const imports = files.flatMap((file) => parseSource(file).imports);
    expect(imports.length).toBeGreaterThan(files.length * 2);
  });

  test.each(rules)('%s', (rule) => {
    const broken = violations.filter((violation) => violation.rule === rule);
    expect(broken.map(({ message }) => message)).toEqual([]);
  });
});

type Case = [name: string, rule: Rule, path: string, text: string];

/** A small house in order; a case adds one file to it. */
const house: Record<string, string> = {
  'wal/index.ts': "export { openLog } from './disk.ts';",
  'wal/files.ts': "import * as fs from 'node:fs/promises';\nexport const nodeFiles = fs;",
  'wal/disk.ts': "import { nodeFiles } from './files.ts';\nimport { crc32 } from 'node:zlib';",
  'src/domain/names.ts': 'export const nameOf = (text: string) => text;',
  'src/domain/bucket.ts':
    "import type { Created } from './events.ts';\nimport { nameOf } from './names.ts';",
  'src/domain/events.ts': "import type { Row } from './bucket.ts';",
  'src/journal/codec.ts': "import { z } from 'zod';\nimport { openLog } from '#wal';",
  'src/blobs/disk.ts': "import { nodeFiles } from '#files';",
  'src/views/store.ts':
    "import { Level } from 'level';\nimport { codec } from '../journal/codec.ts';",
  'src/service/commit.ts': "import { store } from '../views/store.ts';",
  'src/http/schemas.ts': "import { z } from 'zod';",
  'src/http/app.ts': "import { commit } from '../service/commit.ts';",
  'src/client/client.ts': "import type { Bucket } from '../http/schemas.ts';",
  'src/cli/wal.ts': "import { openLog } from '#wal';",
  'src/config.ts': "import { z } from 'zod';\nconst { PATH } = process.env;",
  'src/compose.ts': "import { nodeFiles } from '#files';\nimport './cli/wal.ts';",
  'src/main.ts': "import './compose.ts';\nimport './config.ts';",
  'src/bin.cts': "process.env.UV_THREADPOOL_SIZE ??= '16';\nvoid import('./main.ts');",
};

function withFile(path: string, text: string): SourceFile[] {
  return Object.entries({ ...house, [path]: text }).map(([at, content]) => ({
    path: at,
    text: content,
  }));
}

const down: Rule = 'imports only go down; on one floor only inside one folder';
const literal: Rule = 'an import is a literal that leads somewhere';
const environment: Rule = 'only config.ts reads the environment';
const onlyFs: Rule = 'only wal/files.ts imports node:fs';
const pure: Rule = 'domain is pure';
const nothing: Rule = 'domain imports nothing';
const onlyWal: Rule = 'only journal and cli import #wal';
const doors: Rule = 'the log is imported by its doors #wal and #files';
const client: Rule = 'client imports types of http schemas only';
const packages: Rule = 'a package stands in its rooms only';

const cases: Case[] = [
  ['a folder of its own', 'each file has a room in the floor table', 'src/lib/x.ts', ''],
  ['a file beside the roof', 'each file has a room in the floor table', 'src/util.ts', ''],

  ['upwards', down, 'src/views/x.ts', "import { a } from '../service/commit.ts';"],
  ['upwards by type', down, 'src/views/x.ts', "import type { A } from '../http/app.ts';"],
  ['upwards by export', down, 'src/views/x.ts', "export * from '../service/commit.ts';"],
  ['upwards by type export', down, 'src/views/x.ts', "export type { A } from '../http/app.ts';"],
  ['upwards by call', down, 'src/views/x.ts', "const a = await import('../service/commit.ts');"],
  ['upwards by a type query', down, 'src/views/x.ts', "type A = typeof import('../http/app.ts');"],
  ['upwards by effect', down, 'src/views/x.ts', "import '../http/app.ts';"],
  ['upwards to the roof', down, 'src/http/x.ts', "import { a } from '../config.ts';"],
  ['over several lines', down, 'src/views/x.ts', "import {\n  a,\n  b,\n} from '../http/app.ts';"],
  ['by default and name', down, 'src/views/x.ts', "import a, { b } from '../http/app.ts';"],
  ['by require', down, 'src/views/x.ts', "const a = require('../http/app.ts');"],
  ['with a template', down, 'src/views/x.ts', 'void import(`../http/app.ts`);'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source.
  ['in a template', down, 'src/views/x.ts', "const a = `${await import('../http/app.ts')}`;"],
  [
    'after a regex of quotes',
    down,
    'src/views/x.ts',
    "const q = /['\"`]/;\nimport '../http/app.ts';",
  ],
  ['after a comment of quotes', down, 'src/views/x.ts', "// don't\nimport '../http/app.ts';"],
  ['across a floor', down, 'src/journal/x.ts', "import { a } from '../blobs/disk.ts';"],
  ['doors that import the client', down, 'src/http/x.ts', "import '../client/client.ts';"],

  ['an expression', literal, 'src/http/x.ts', 'void import(name);'],
  ['a computed string', literal, 'src/http/x.ts', "void import('./a' + '.ts');"],
  ['a file that is not there', literal, 'src/http/x.ts', "import './nowhere.ts';"],
  ['the wrong extension', literal, 'src/http/x.ts', "import './app.js';"],
  ['a door that is not there', literal, 'src/http/x.ts', "import '#other';"],
  ['a require of its own', literal, 'src/http/x.ts', 'const r = createRequire(import.meta.url);'],
  ['a builtin by name', literal, 'src/http/x.ts', "process.getBuiltinModule('fs');"],

  ['past the door', doors, 'src/journal/x.ts', "import { a } from '../../wal/disk.ts';"],
  ['compose', onlyWal, 'src/compose.ts', "import { openLog } from '#wal';"],
  ['main', onlyWal, 'src/main.ts', "import { openLog } from '#wal';"],
  ['a use case', onlyWal, 'src/service/x.ts', "import type { Log } from '#wal';"],
  [
    'a door that opens files',
    'floors 2 to 4 and the roof reach the disk, by #files',
    'src/http/x.ts',
    "import { nodeFiles } from '#files';",
  ],

  ['node:fs', onlyFs, 'src/blobs/x.ts', "import { open } from 'node:fs';"],
  ['node:fs/promises', onlyFs, 'src/cli/x.ts', "import * as fs from 'node:fs/promises';"],
  ['fs without node:', onlyFs, 'src/cli/x.ts', "import fs from 'fs';"],
  ['fs/promises by call', onlyFs, 'src/home/x.ts', "const fs = await import('fs/promises');"],
  ['a type of node:fs', onlyFs, 'src/home/x.ts', "import type { Stats } from 'node:fs';"],
  ['node:fs inside wal', onlyFs, 'wal/x.ts', "import { open } from 'node:fs';"],

  ['npm in wal', 'wal imports node: only', 'wal/x.ts', "import { pack } from 'msgpackr';"],
  ['a builtin without node:', 'wal imports node: only', 'wal/x.ts', "import 'zlib';"],
  ['src in wal', 'wal imports node: only', 'wal/x.ts', "import '../src/domain/names.ts';"],

  ['npm in domain', nothing, 'src/domain/x.ts', "import { v7 } from 'uuid';"],
  ['node: in domain', nothing, 'src/domain/x.ts', "import { isIP } from 'node:net';"],
  ['a type of npm in domain', nothing, 'src/domain/x.ts', "import type { Z } from 'zod';"],
  ['#files in domain', nothing, 'src/domain/x.ts', "import type { Files } from '#files';"],

  ['Date', pure, 'src/domain/x.ts', 'const now = new Date();'],
  ['Date.parse', pure, 'src/domain/x.ts', 'const at = Date.parse(text);'],
  ['Math.random', pure, 'src/domain/x.ts', 'const dice = Math.random();'],
  ['Math by index', pure, 'src/domain/x.ts', "const dice = Math['random']();"],
  ['async', pure, 'src/domain/x.ts', 'export const f = async () => 1;'],
  ['await', pure, 'src/domain/x.ts', 'export const a = await f();'],
  ['Promise', pure, 'src/domain/x.ts', 'export const a = Promise.resolve(1);'],
  ['crypto', pure, 'src/domain/x.ts', 'export const id = crypto.randomUUID();'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source.
  ['in a template', pure, 'src/domain/x.ts', 'export const id = `${Date.now()}`;'],
  ['after a division', pure, 'src/domain/x.ts', 'const a = b / 2; const c = Date.now() / 2;'],

  ['a value', client, 'src/client/x.ts', "import { bucket } from '../http/schemas.ts';"],
  ['a type of another file', client, 'src/client/x.ts', "import type { A } from '../http/app.ts';"],
  [
    'a type of a lower floor',
    client,
    'src/client/x.ts',
    "import type { B } from '../domain/bucket.ts';",
  ],
  ['npm', client, 'src/client/x.ts', "import { z } from 'zod';"],

  ['zod', packages, 'src/service/x.ts', "import { z } from 'zod';"],
  ['a part of zod', packages, 'src/compose.ts', "import { z } from 'zod/mini';"],
  ['level', packages, 'src/service/x.ts', "import { Level } from 'level';"],
  ['abstract-level', packages, 'src/journal/x.ts', "import type { A } from 'abstract-level';"],

  ['process.env', environment, 'src/cli/x.ts', 'const home = process.env.HOME;'],
  ['process?.env', environment, 'src/cli/x.ts', 'const home = process?.env.HOME;'],
  ['process by index', environment, 'src/cli/x.ts', "const home = process['env'].HOME;"],
  ['taken apart', environment, 'src/cli/x.ts', 'const { env } = process;'],
  ['process under a name', environment, 'src/cli/x.ts', 'const p = process;'],
  ['process handed on', environment, 'src/cli/x.ts', 'read(process);'],
  ['env of node:process', environment, 'src/cli/x.ts', "import { env } from 'node:process';"],
  ['all of node:process', environment, 'src/cli/x.ts', "import * as p from 'node:process';"],
  ['a write elsewhere', environment, 'src/main.ts', "process.env.UV_THREADPOOL_SIZE = '16';"],
  ['a read in bin', environment, 'src/bin.cts', 'const n = process.env.UV_THREADPOOL_SIZE;'],
  ['a comparison in bin', environment, 'src/bin.cts', "process.env.UV_THREADPOOL_SIZE === '4';"],
  ['another write in bin', environment, 'src/bin.cts', "process.env.HOME = '/';"],

  ['a file that imports itself', 'no cycles', 'src/http/x.ts', "import { a } from './x.ts';"],
  ['of two', 'no cycles', 'src/domain/names.ts', "import { b } from './bucket.ts';"],
  ['of three', 'no cycles', 'wal/files.ts', "import './index.ts';"],

  ['401 lines', 'a file has at most 400 lines', 'src/http/x.ts', 'const a = 1;\n'.repeat(401)],
];
describe('the checker', () => {
  test('finds nothing in a house that is in order', () => {
    expect(check(withFile('src/http/y.ts', '// All is well.\n'))).toEqual([]);
  });

  test.each(cases)('finds %s: %s', (_name, rule, path, text) => {
    const found = check(withFile(path, text)).filter((violation) => violation.rule === rule);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]?.message).toContain(path);
    expect(found[0]?.message).toContain(rule);
  });

  test('has a case for every rule', () => {
    const folder: Rule = 'a folder has at most 14 files';
    expect(new Set([...cases.map(([, rule]) => rule), folder])).toEqual(new Set(rules));
  });

  test('counts the files of a folder, without those of folders in it', () => {
    const full = Array.from({ length: 14 }, (_, at) => ({ path: `src/home/f${at}.ts`, text: '' }));
    expect(check([...full, { path: 'src/home/in/x.ts', text: '' }])).toEqual([]);
    expect(check([...full, { path: 'src/home/x.ts', text: '' }])).toEqual([
      expect.objectContaining({ rule: 'a folder has at most 14 files' }),
    ]);
  });

  test('takes a file of 400 lines', () => {
    expect(check(withFile('src/http/x.ts', 'const a = 1;\n'.repeat(400)))).toEqual([]);
  });

  test('does not pass on nothing: every room but those to come is missed', () => {
    expect(emptyRooms([])).toHaveLength(rooms.filter(({ atLeast }) => atLeast > 0).length);
    expect(emptyRooms([]).join()).toMatch(/main.*cli.*http.*service.*views.*blobs.*domain.*wal/);
  });

  test.each([
    ['a line comment', "// import '../http/app.ts'; process.env.A; new Date()"],
    ['a block comment', "/* import '../http/app.ts'\n process.env */"],
    ['a string', 'const a = "import \'../http/app.ts\'; process.env";'],
    ['a template', "const a = `import '../http/app.ts'; process.env`;"],
    ['a regex', "const a = /import '..\\/http\\/app.ts'; process.env/;"],
    [
      'a method named import',
      'const a = journal.import(records); const b = this.#require(records);',
    ],
  ])('takes no %s for an import', (_name, text) => {
    expect(check(withFile('src/domain/x.ts', text))).toEqual([]);
  });

  test('tells the line', () => {
    const found = check(
      withFile('src/views/x.ts', "/* a\n b */\n\nimport {\n a\n} from '../http/app.ts';"),
    );
    expect(found[0]?.message).toBe(`src/views/x.ts:4 imports '../http/app.ts': ${down}`);
  });
});

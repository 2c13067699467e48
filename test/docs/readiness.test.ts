/** docs/readiness.md is held against the tree: what it names is there, and no row is left out. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The rows of what the service has to do: a letter, and how many it has. */
const rows: Readonly<Record<string, number>> = { B: 5, O: 9, A: 7, M: 4, L: 7, E: 4, P: 5 };
const ids = Object.entries(rows).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
);

interface Row {
  readonly id: string;
  readonly state: string;
  readonly tests: readonly string[];
}

function rowsOf(page: string): Row[] {
  return [...page.matchAll(/^\| ([A-Z]\d+) \|[^|]*\| ([^|]*) \|([^|]*)\|$/gm)].map(
    ([, id = '', state = '', tests = '']) => ({ id, state: state.trim(), tests: testFiles(tests) }),
  );
}

function testFiles(text: string): string[] {
  return [...text.matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path);
}

function missing(page: string): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const files = testFiles(page).filter((path) => !existsSync(join(root, path)));
  const commands = [...page.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
  const unknown = commands.filter((name) => scripts[name] === undefined);
  const links = [...page.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, path = '']) => path);
  const dead = links.filter((path) => !existsSync(join(root, 'docs', path)));
  return [...files, ...unknown.map((name) => `npm run ${name}`), ...dead];
}

describe('the checklist', () => {
  const page = readFileSync(join(root, 'docs/readiness.md'), 'utf8');
  const found = rowsOf(page);

  test('has every row, once and in order', () => {
    expect(found.map(({ id }) => id)).toEqual(ids);
  });

  test.each(found)('$id says how far it is, and what is not to come later has tests', (row) => {
    expect(row.state).toMatch(/^(built|part: .+|later(; .+)?)$/);
    if (!row.state.startsWith('later')) expect(row.tests.length).toBeGreaterThan(0);
    for (const path of row.tests) expect(path).toMatch(/\.test\.ts$/);
  });

  test('names only what is there', () => {
    expect(testFiles(page).length).toBeGreaterThan(40);
    expect(missing(page)).toEqual([]);
  });
});

test('the check sees what is not there', () => {
  const page = '| B1 | x | built | `test/none.test.ts` |\n`npm run nothing` [x](none.md#a)';
  expect(rowsOf(page)).toEqual([{ id: 'B1', state: 'built', tests: ['test/none.test.ts'] }]);
  expect(missing(page)).toEqual(['test/none.test.ts', 'npm run nothing', 'none.md']);
});

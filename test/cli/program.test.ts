/** What holds for every command, read from the program itself: a new command is tested when it is there. */
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import type { Surroundings } from '../../src/cli/surroundings.ts';
import { version } from '../../src/version.ts';
import { runCommand } from './run-command.ts';

const surroundings: Surroundings = {
  write: () => undefined,
  warn: () => undefined,
  isTty: false,
  readConfig: () => ({ ok: false, problems: [] }),
  compose: () => Promise.reject(new Error('not here')),
  onStopSignal: () => () => undefined,
  exit: () => undefined,
};
const program = buildProgram({ surroundings, exitCode: 0 });
const commands = leavesOf(program, []);

/** Words without which a command says what is missing before it looks at anything else. */
const needed: Readonly<Record<string, readonly string[]>> = {
  token: ['--sub', 'alice'],
  'keys retire': ['some-key'],
  'webhooks replay': ['01966a2e-5d0c-7c3e-9d5a-0d8f3c1b2a4e'],
};

test('the commands are those that are built so far', () => {
  expect(commands.map(({ path }) => path.join(' ')).sort()).toEqual([
    'blobs quarantine list',
    'blobs quarantine purge',
    'blobs quarantine restore',
    'blobs sweep',
    'blobs verify',
    'consumers list',
    'keys list',
    'keys retire',
    'keys rotate',
    'serve',
    'token',
    'views digest',
    'views rebuild',
    'views verify',
    'wal dump',
    'wal info',
    'wal repair',
    'wal verify',
    'webhooks list',
    'webhooks replay',
  ]);
});

describe.each(commands.map(({ path, command }) => ({ name: path.join(' '), path, command })))(
  '$name',
  ({ name, path, command }) => {
    test('has help with an example of itself', async () => {
      const { code, out, err } = await runCommand([...path, '--help']);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toContain(`Usage: aerostore ${name}`);
      expect(out.split(/^Examples?:$/m)[1]).toContain(`  aerostore ${name}`);
      expect(command.description()).not.toBe('');
    });

    test('takes --json, and a data directory or a server', () => {
      const flags = command.options.map(({ long }) => long);
      expect(flags).toContain('--json');
      expect(flags).toContain('--data-dir');
      expect(flags.includes('--url')).toBe(flags.includes('--token'));
    });

    test('refuses an unknown option, an argument too many and an empty directory with exit code 2', async () => {
      for (const wrong of [['--jsno'], ['surplus'], ['--data-dir', '']]) {
        const { code, out, err } = await runCommand([...path, ...wrong]);
        expect({ code, out }).toEqual({ code: 2, out: '' });
        expect(err).toMatch(/^error: /);
      }
    });

    test('names the problems of the configuration and exits with 2', async () => {
      const env = { AEROSTORE_PRT: '1', AEROSTORE_METRICS: 'x' };
      const { code, out, err } = await runCommand([...path, ...(needed[name] ?? [])], { env });
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain('has 2 problems:\n  AEROSTORE_PRT is not known');
      expect(err).toContain('\n  AEROSTORE_METRICS is "x"');
    });
  },
);

test.each([
  [[], /Usage: aerostore /],
  [['wal'], /Usage: aerostore wal /],
  [['tokn'], /unknown command 'tokn'\n\(Did you mean token\?\)/],
  [['wal', 'verfy'], /unknown command 'verfy'\n\(Did you mean verify\?\)/],
  [['serve', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
])('%j is used wrongly', async (argv, message) => {
  const { code, out, err } = await runCommand(argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(message);
});

test('the program has help with an example, too', async () => {
  const { code, out } = await runCommand(['--help']);
  expect(code).toBe(0);
  expect(out).toContain('Example:\n  aerostore serve');
});

test('--version prints the version', async () => {
  expect(await runCommand(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

test.each([
  ['wal', 'info'],
  ['wal', 'dump'],
  ['wal', 'verify'],
  ['views', 'rebuild'],
])('%s %s says that it is not available over --url yet', async (...path) => {
  const { code, err } = await runCommand([...path, '--url', 'http://127.0.0.1:1', '--token', 'x']);
  expect(code).toBe(2);
  expect(err).toContain(`"${path.join(' ')}" is not available over --url`);
});

test('a directory and a server are not named together', async () => {
  const argv = ['views', 'digest', '--url', 'http://x', '--token', 'x', '--data-dir', 'y'];
  expect(await runCommand(argv)).toMatchObject({ code: 2 });
});

function leavesOf(
  command: Command,
  path: readonly string[],
): { readonly path: readonly string[]; readonly command: Command }[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leavesOf(child, [...path, child.name()]));
}

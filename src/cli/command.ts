/**
 * The shape that every command has: `--json`, help with an example, and the place it works on,
 * which is a data directory or a running server.
 */
import type { Command, Option } from 'commander';
import { Option as CommandOption } from 'commander';
import type { Config } from '../config.ts';
import { configRefused, misuse } from './failures.ts';
import type { ExitCode, Surroundings } from './surroundings.ts';

/** One run of the program. `exitCode` is the outcome of the command that ran. */
export interface Run {
  readonly surroundings: Surroundings;
  exitCode: ExitCode;
}

export interface CommonOptions {
  readonly json?: true;
  readonly dataDir?: string;
  readonly url?: string;
  /** A service token, for `url`. */
  readonly token?: string;
}

export interface CommandSpec<Options extends CommonOptions> {
  readonly name: string;
  readonly summary: string;
  /** Whole command lines, without the program's name. */
  readonly examples: readonly string[];
  /** `either`: also asks a running server, by --url and --token. */
  readonly works: 'offline' | 'either';
  readonly options?: readonly Option[];
  /** What follows the name, as commander writes it: `[ids...]`. */
  readonly argument?: string;
  act(options: Options, words: readonly string[]): Promise<ExitCode>;
}

export function define<Options extends CommonOptions>(
  parent: Command,
  run: Run,
  spec: CommandSpec<Options>,
): void {
  const command = parent.command(spec.name).description(spec.summary).allowExcessArguments(false);
  if (spec.argument !== undefined) command.argument(spec.argument);
  for (const option of spec.options ?? []) command.addOption(option);
  command.option(
    '--data-dir <directory>',
    'the data directory (default: AEROSTORE_DATA_DIR or ./data)',
    nonEmpty,
  );
  if (spec.works === 'either') {
    command.addOption(
      new CommandOption('--url <url>', 'a running server instead').conflicts('dataDir'),
    );
    command.option('--token <jwt>', 'a service token for it');
  }
  command.option('--json', 'print JSON');
  command.addHelpText('after', exampleText(spec.examples));
  command.action(async () => {
    run.exitCode = await spec.act(command.opts<Options>(), command.args);
  });
}

function exampleText(examples: readonly string[]): string {
  const title = examples.length === 1 ? 'Example' : 'Examples';
  return [`\n${title}:`, ...examples.map((example) => `aerostore ${example}`)].join('\n  ');
}

function nonEmpty(value: string): string {
  if (value.trim() === '') throw misuse('--data-dir is empty: name a directory.');
  return value;
}

/** The configuration, with the directory that the command line names. */
export function configOf(surroundings: Surroundings, options: CommonOptions): Config {
  const parsed = surroundings.readConfig();
  if (!parsed.ok) throw configRefused(parsed.problems);
  return options.dataDir === undefined
    ? parsed.config
    : { ...parsed.config, dataDir: options.dataDir };
}

/** The server to ask, or undefined where the command works on a directory. */
export function serverOf(
  options: CommonOptions,
): { readonly url: string; readonly token: string } | undefined {
  const { url, token } = options;
  if (url === undefined) {
    if (token !== undefined) throw misuse('--token goes with --url: name the server, too.');
    return undefined;
  }
  if (token === undefined) {
    throw misuse('--url needs --token: make one with "aerostore token --role service".');
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw misuse('--url is not an http or https URL: write it as http://127.0.0.1:8787.');
  }
  return { url, token };
}

/** For commands that no server can be asked for yet. */
export function refuseServer(options: CommonOptions, name: string): void {
  if (options.url === undefined && options.token === undefined) return;
  throw misuse(
    `"${name}" is not available over --url yet: run it beside the server, with --data-dir.`,
  );
}

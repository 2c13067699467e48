/**
 * The command line. A command is a file of its own and is named here once; `runCli` parses, runs one
 * and answers with the exit code: what is used wrongly is 2, what went wrong is 1.
 */
import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import { addQuarantine } from './blobs/quarantine.ts';
import { addBlobsSweep } from './blobs/sweep.ts';
import { addBlobsVerify } from './blobs/verify.ts';
import type { Run } from './command.ts';
import { addConsumersList } from './consumers/list.ts';
import { explain } from './failures.ts';
import { addKeysList } from './keys/list.ts';
import { addKeysRetire } from './keys/retire.ts';
import { addKeysRotate } from './keys/rotate.ts';
import { addServe } from './serve.ts';
import type { ExitCode, Surroundings } from './surroundings.ts';
import { addToken } from './token.ts';
import { addViewsDigest } from './views/digest.ts';
import { addViewsRebuild } from './views/rebuild.ts';
import { addViewsVerify } from './views/verify.ts';
import { addWalDump } from './wal/dump.ts';
import { addWalInfo } from './wal/info.ts';
import { addWalRepair } from './wal/repair.ts';
import { addWalVerify } from './wal/verify.ts';
import { addWebhooksList } from './webhooks/list.ts';
import { addWebhooksReplay } from './webhooks/replay.ts';

/** `argv`: what follows the program's name. Never rejects. */
export async function runCli(
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const run: Run = { surroundings, exitCode: 0 };
  try {
    await buildProgram(run).parseAsync([...argv], { from: 'user' });
    return run.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { text, exitCode } = explain(error);
    surroundings.warn(text);
    return exitCode;
  }
}

export function buildProgram(run: Run): Command {
  const { surroundings } = run;
  const program = new Command('aerostore')
    .description('Event-sourced object storage: files in explicit buckets over REST.')
    .version(version, '--version', "print the program's version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => surroundings.write(text),
      writeErr: (text) => surroundings.warn(text),
    })
    .showHelpAfterError('Add --help for what there is.')
    .addHelpText('after', '\nExample:\n  aerostore serve --data-dir ./data');
  addServe(program, run);
  addToken(program, run);
  const wal = group(program, 'wal', 'The log: what is in it, and whether it is whole.');
  addWalInfo(wal, run);
  addWalDump(wal, run);
  addWalVerify(wal, run);
  addWalRepair(wal, run);
  const views = group(program, 'views', 'The views, which are made from the log.');
  addViewsDigest(views, run);
  addViewsRebuild(views, run);
  addViewsVerify(views, run);
  const blobs = group(program, 'blobs', 'The bytes of objects: swept, checked, set aside.');
  addBlobsSweep(blobs, run);
  addBlobsVerify(blobs, run);
  addQuarantine(blobs, run);
  const keys = group(program, 'keys', 'The keys that sign URLs.');
  addKeysList(keys, run);
  addKeysRotate(keys, run);
  addKeysRetire(keys, run);
  const consumers = group(program, 'consumers', 'Those who read the events under a name.');
  addConsumersList(consumers, run);
  const webhooks = group(program, 'webhooks', 'Where events are sent to.');
  addWebhooksList(webhooks, run);
  addWebhooksReplay(webhooks, run);
  return program;
}

function group(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary);
}

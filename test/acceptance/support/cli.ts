/** The command line of the build, run to its end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { binary, environment, type Settings } from './server.ts';

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function aerostore(
  args: readonly string[],
  env: Settings = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [binary, ...args], {
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const [code]: (number | null)[] = await once(child, 'close');
  return { code: code ?? null, stdout, stderr };
}

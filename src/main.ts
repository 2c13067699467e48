/** The process: its arguments, its streams, its signals, its exit code. */
import { runCli } from './cli/program.ts';
import type { Surroundings } from './cli/surroundings.ts';
import { readConfig } from './config.ts';

const stopSignals = ['SIGTERM', 'SIGINT'] as const;

const surroundings: Surroundings = {
  write: (text) => void process.stdout.write(text),
  warn: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  readConfig,
  compose: () => import('./compose.ts'),
  onStopSignal(listener) {
    for (const signal of stopSignals) process.on(signal, listener);
    return () => {
      for (const signal of stopSignals) process.off(signal, listener);
    };
  },
  exit: (code) => process.exit(code),
};

// A reader that had enough, such as `head`, is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(process.exitCode ?? 0);
});

process.exitCode = await runCli(process.argv.slice(2), surroundings);

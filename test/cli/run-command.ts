/** Runs a command line inside of the test's process, with everything around it in the test's hand. */
import { runCli } from '../../src/cli/program.ts';
import type { Compose, ExitCode, Surroundings } from '../../src/cli/surroundings.ts';
import { type Environment, parseConfig } from '../../src/config.ts';

export interface Outcome {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export interface Stage {
  readonly env?: Environment;
  readonly isTty?: boolean;
  readonly compose?: Partial<Compose>;
  readonly signals?: Signals;
}

/** Signals to send, and what became of the process. */
export class Signals {
  readonly listeners = new Set<() => void>();
  exited: ExitCode | undefined;

  send(): void {
    for (const listener of this.listeners) listener();
  }
}

/** What lies in the folder that the tests are run from, such as a `data` of its own, is none of theirs. */
const nowhere = '/nowhere/aerostore';

export async function runCommand(argv: readonly string[], stage: Stage = {}): Promise<Outcome> {
  const signals = stage.signals ?? new Signals();
  const printed = { out: '', err: '' };
  const surroundings: Surroundings = {
    write: (text) => {
      printed.out += text;
    },
    warn: (text) => {
      printed.err += text;
    },
    isTty: stage.isTty ?? false,
    readConfig: () => parseConfig({ AEROSTORE_DATA_DIR: nowhere, ...stage.env }),
    compose: async () => ({ ...refusing, ...stage.compose }),
    onStopSignal(listener) {
      signals.listeners.add(listener);
      return () => signals.listeners.delete(listener);
    },
    exit: (code) => {
      signals.exited = code;
    },
  };
  const code = await runCli(argv, surroundings);
  return { code, ...printed };
}

const refusing: Compose = {
  serve: () => Promise.reject(new Error('serve was not expected')),
  offlineDigest: () => Promise.reject(new Error('offlineDigest was not expected')),
  rebuildViews: () => Promise.reject(new Error('rebuildViews was not expected')),
  verifyViewsOffline: () => Promise.reject(new Error('verifyViewsOffline was not expected')),
  askOffline: () => Promise.reject(new Error('askOffline was not expected')),
  runJob: () => Promise.reject(new Error('runJob was not expected')),
};

/** A promise that the test settles. */
export function pending<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value: T) => resolve(value) };
}

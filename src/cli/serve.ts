/**
 * `serve`: runs the server until it ends or is told to. The first SIGTERM or SIGINT ends it
 * gracefully, also while it still recovers; the second one at once, with exit code 1.
 */
import type { Command } from 'commander';
import { type CommonOptions, configOf, define, type Run } from './command.ts';
import { writeJson } from './output.ts';
import type { ExitCode, ServeOutput, Surroundings } from './surroundings.ts';

export function addServe(parent: Command, run: Run): void {
  define<CommonOptions>(parent, run, {
    name: 'serve',
    summary: 'Serve the data directory over HTTP.',
    examples: ['serve', 'serve --data-dir /srv/aerostore'],
    works: 'offline',
    act: (options) => serve(run.surroundings, options),
  });
}

async function serve(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  const config = configOf(surroundings, options);
  const stop = stopSignal(surroundings);
  try {
    const compose = await surroundings.compose();
    const server = await compose.serve(config, outputOf(surroundings, options));
    if (options.json) writeJson(surroundings, { url: server.url });
    const ended = await Promise.race([server.closed, stop.requested]);
    if (ended === 'stop') await server.stop();
    return (await server.closed) === 0 ? 0 : 1;
  } finally {
    stop.forget();
  }
}

/** With --json the lines for people stay away: the one line that is printed is the address. */
function outputOf(surroundings: Surroundings, options: CommonOptions): ServeOutput {
  return options.json
    ? { write: () => undefined, isTty: false }
    : { write: (line) => surroundings.write(`${line}\n`), isTty: surroundings.isTty };
}

function stopSignal(surroundings: Surroundings): {
  readonly requested: Promise<'stop'>;
  readonly forget: () => void;
} {
  let forget = () => {};
  const requested = new Promise<'stop'>((resolve) => {
    let signals = 0;
    forget = surroundings.onStopSignal(() => {
      signals += 1;
      if (signals === 1) resolve('stop');
      else surroundings.exit(1);
    });
  });
  return { requested, forget };
}

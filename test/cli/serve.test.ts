/** `serve`: signals, exit codes, and what is printed; the server itself is another's to test. */
import { describe, expect, test } from 'vitest';
import type { Compose, RunningServer } from '../../src/cli/surroundings.ts';
import type { Config } from '../../src/config.ts';
import type { Position } from '../../src/domain/names.ts';
import { HomeLocked } from '../../src/home/errors.ts';
import { LogBehindWitness, RecordUnreadable } from '../../src/journal/index.ts';
import { pending, runCommand, Signals } from './run-command.ts';

/** A server that ends when it is told to, with `code`. */
function fakeServer(code = 0) {
  const closed = pending<number>();
  const started = pending<Config>();
  let stops = 0;
  const server: RunningServer = {
    url: 'http://127.0.0.1:4711',
    closed: closed.promise,
    async stop() {
      stops += 1;
      closed.resolve(code);
    },
  };
  const serve: Compose['serve'] = async (config, io) => {
    io.write(io.isTty ? 'on a terminal' : 'in a pipe');
    started.resolve(config);
    return server;
  };
  return { serve, started: started.promise, closed, stops: () => stops };
}

test('a signal ends the server gracefully, and the exit code is 0', async () => {
  const { serve, started, stops } = fakeServer();
  const signals = new Signals();
  const running = runCommand(['serve', '--data-dir', '/srv/x'], { compose: { serve }, signals });
  const config = await started;
  expect(config.dataDir).toBe('/srv/x');
  expect(config.port).toBe(8787);
  signals.send();
  expect(await running).toEqual({ code: 0, out: 'in a pipe\n', err: '' });
  expect(stops()).toBe(1);
  expect(signals.exited).toBeUndefined();
  expect(signals.listeners.size).toBe(0);
});

test('a signal during start-up ends the server as soon as it has started', async () => {
  const { serve, stops } = fakeServer();
  const signals = new Signals();
  const recovered = pending<undefined>();
  const slow: Compose['serve'] = async (config, io) => {
    await recovered.promise;
    return serve(config, io);
  };
  const running = runCommand(['serve'], { compose: { serve: slow }, signals });
  await expect.poll(() => signals.listeners.size).toBe(1);
  signals.send();
  recovered.resolve(undefined);
  expect(await running).toMatchObject({ code: 0 });
  expect(stops()).toBe(1);
});

test('a second signal ends the process at once, with exit code 1', async () => {
  const { serve, started, closed } = fakeServer();
  const signals = new Signals();
  const hanging: Compose['serve'] = async (config, io) => ({
    ...(await serve(config, io)),
    stop: () => closed.promise.then(() => undefined),
  });
  const running = runCommand(['serve'], { compose: { serve: hanging }, signals });
  await started;
  signals.send();
  expect(signals.exited).toBeUndefined();
  signals.send();
  expect(signals.exited).toBe(1);
  closed.resolve(0);
  await running;
});

test.each([
  [0, 0],
  [1, 1],
  [7, 1],
])('a server that ends by itself with %i gives exit code %i', async (ended, expected) => {
  const { serve, started, closed, stops } = fakeServer();
  const running = runCommand(['serve'], { compose: { serve } });
  await started;
  closed.resolve(ended);
  expect(await running).toMatchObject({ code: expected });
  expect(stops()).toBe(0);
});

test('--json prints the address and nothing for people', async () => {
  const { serve, started, closed } = fakeServer();
  const running = runCommand(['serve', '--json'], { compose: { serve }, isTty: true });
  await started;
  closed.resolve(0);
  expect(JSON.parse((await running).out)).toEqual({ url: 'http://127.0.0.1:4711' });
});

describe('a server that does not start', () => {
  const at = (position: number) => position as Position;
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'because the directory is held',
      new HomeLocked('/srv/x is in use by process 7: ask it with --url, or stop that process'),
      /^error: \/srv\/x is in use by process 7: .*\n$/,
    ],
    [
      'because the port is taken',
      Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:8787'), {
        code: 'EADDRINUSE',
        syscall: 'listen',
      }),
      /^error: listen EADDRINUSE.*AEROSTORE_PORT\.\n$/,
    ],
    [
      'because the port is not ours to take',
      Object.assign(new Error('listen EACCES: permission denied 127.0.0.1:80'), {
        code: 'EACCES',
        syscall: 'listen',
      }),
      /^error: listen EACCES.*AEROSTORE_PORT\.\n$/,
    ],
    [
      'because a file is not ours to read',
      Object.assign(new Error("EACCES: permission denied, open '/srv/x/keys/login-secret'"), {
        code: 'EACCES',
        syscall: 'open',
      }),
      /^error: EACCES: .*login-secret'\. Run this as the owner of the data directory\.\n$/,
    ],
    [
      'because the log lacks what was acknowledged',
      new LogBehindWitness({ witness: 'the fence', position: at(9), head: at(7) }),
      /^error: log ends at position 7, but the fence knows of position 9\. Nothing was changed\..*\n$/,
    ],
    [
      'because of a record of another version',
      new RecordUnreadable(at(3), 'its version is not known', { type: 'bucket.created', v: 9 }),
      /^error: record at position 3 \(bucket\.created v9\).*A newer aerostore.*\n$/,
    ],
    [
      'because of what the configuration names',
      Object.assign(new Error('AEROSTORE_JWKS_FILE (k) can not be read'), { name: 'StartRefused' }),
      /^error: AEROSTORE_JWKS_FILE \(k\) can not be read\n$/,
    ],
  ];

  test.each(cases)('%s says why in one paragraph, without a stack', async (_, error, message) => {
    const serve = () => Promise.reject(error);
    const { code, out, err } = await runCommand(['serve'], { compose: { serve } });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
  });

  test('by a fault of the program shows its stack', async () => {
    const serve = () => Promise.reject(new TypeError('x is not a function'));
    const { code, err } = await runCommand(['serve'], { compose: { serve } });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: unexpected fault: TypeError: x is not a function\n +at /);
  });
});

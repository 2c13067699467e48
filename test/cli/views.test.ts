/** `views digest` and `views rebuild`: on a directory, against a server, and when neither answers. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Compose } from '../../src/cli/surroundings.ts';
import { HomeLocked } from '../../src/home/errors.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { runCommand } from './run-command.ts';
import { smallLog } from './small-log.ts';

const digest = 'ab'.repeat(32);

test('digest prints one hex digest, and with --json its position', async () => {
  const { layout } = await smallLog();
  const compose: Partial<Compose> = {
    offlineDigest: async (config) => {
      expect(config.dataDir).toBe(layout.directory);
      return { digest, position: 7 };
    },
  };
  const argv = ['views', 'digest', '--data-dir', layout.directory];
  expect(await runCommand(argv, { compose })).toEqual({ code: 0, out: `${digest}\n`, err: '' });
  const { out } = await runCommand([...argv, '--json'], { compose });
  expect(JSON.parse(out)).toEqual({ digest, position: 7 });
});

test('rebuild prints what it made; progress goes to standard error, on a terminal only', async () => {
  const { layout } = await smallLog();
  const compose: Partial<Compose> = {
    rebuildViews: async (_, onProgress) => {
      for (const records of [1, 50, 51, 100]) onProgress({ records, total: 100 });
      return { digest, position: 7, records: 100, tookMs: 12.4 };
    },
  };
  const argv = ['views', 'rebuild', '--data-dir', layout.directory];
  const piped = await runCommand(argv, { compose });
  expect(piped).toEqual({
    code: 0,
    out: `digest\t${digest}\nposition\t7\nrecords\t100\ntook ms\t12\n`,
    err: '',
  });
  const { err } = await runCommand(argv, { compose, isTty: true });
  expect(err).toBe('50%  50 of 100 records\n100%  100 of 100 records\n');
  const { out } = await runCommand([...argv, '--json'], { compose });
  expect(JSON.parse(out)).toEqual({ digest, position: 7, records: 100, took_ms: 12.4 });
});

test.each(['digest', 'rebuild'])('%s on a held directory says to use --url', async (name) => {
  const { layout } = await smallLog();
  const held = () => Promise.reject(new HomeLocked('x is in use by process 7: ask it with --url'));
  const compose = { offlineDigest: held, rebuildViews: held };
  const argv = ['views', name, '--data-dir', layout.directory];
  expect(await runCommand(argv, { compose })).toEqual({
    code: 1,
    out: '',
    err: 'error: x is in use by process 7: ask it with --url\n',
  });
});

test.each(['digest', 'rebuild'])('%s makes no store where there is none', async (name) => {
  const directory = await temporaryDirectory();
  const { code, err } = await runCommand(['views', name, '--data-dir', directory]);
  expect(code).toBe(2);
  expect(err).toContain('holds no log');
});

test('digest --url asks the server as the service', async () => {
  const seen: IncomingMessage[] = [];
  const url = await server(200, { digest, position: 9 }, seen);
  for (const base of [url, `${url}/`, `${url}/storage/v1`]) {
    const { code, out } = await runCommand(['views', 'digest', '--url', base, '--token', 'jwt']);
    expect({ code, out }).toEqual({ code: 0, out: `${digest}\n` });
  }
  expect(seen.map((request) => request.url)).toEqual(Array(3).fill('/storage/v1/admin/digest'));
  expect(seen[0]?.headers.authorization).toBe('Bearer jwt');
});

test.each([
  [403, { message: 'Unauthorized', code: 'AccessDenied' }, /refused \(403\): Unauthorized\./],
  [502, undefined, /refused \(502\): no reason was given\./],
  [200, { digest: 'x', position: 1 }, /something else than a digest/],
  [302, {}, /can't be asked/],
])('digest --url exits with 1 where the answer is %i %j', async (status, body, message) => {
  const url = await server(status, body);
  const { code, out, err } = await runCommand(['views', 'digest', '--url', url, '--token', 'jwt']);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(message);
});

test('digest --url exits with 1 where nobody answers', async () => {
  const { url, close } = await listen(() => undefined);
  await close();
  const { code, err } = await runCommand(['views', 'digest', '--url', url, '--token', 'jwt']);
  expect(code).toBe(1);
  expect(err).toMatch(/^error: http:\/\/127\.0\.0\.1:\d+ can't be asked: .*ECONNREFUSED.*\n$/);
});

test.each([
  [['--url', 'http://x'], /--url needs --token/],
  [['--token', 'x'], /--token goes with --url/],
  [['--url', 'localhost:8787', '--token', 'x'], /not an http or https URL/],
])('digest %j is used wrongly', async (argv, message) => {
  const { code, err } = await runCommand(['views', 'digest', ...argv]);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

async function server(status: number, body: unknown, seen: IncomingMessage[] = []) {
  const { url, close } = await listen((request, response) => {
    seen.push(request);
    response.writeHead(status, { location: 'http://127.0.0.1:1/' });
    response.end(body === undefined ? '<html>' : JSON.stringify(body));
  });
  onTestFinished(close);
  return url;
}

async function listen(listener: RequestListener) {
  const http = createServer(listener);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => resolve()));
  const { port } = http.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, close };
}

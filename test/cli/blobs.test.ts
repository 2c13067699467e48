/** `blobs …`: jobs on a directory, and on a server that is asked until they are done. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Compose, JobRequest, JobState } from '../../src/cli/surroundings.ts';
import { rejection } from '../../src/domain/rejection.ts';
import { ok, refuse } from '../../src/domain/result.ts';
import { HomeLocked } from '../../src/home/errors.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { runCommand, Signals } from './run-command.ts';
import { smallLog } from './small-log.ts';

const id = 'ab'.repeat(16);
const swept = {
  ok: true,
  collected: 1,
  looked_at: 9,
  orphans: 2,
  restored: 0,
  purged: 3,
  purged_bytes: 30,
  quarantined: 4,
  quarantined_bytes: 40,
  rows: 7,
  missing: 0,
  findings: [],
};
const verified = {
  ok: false,
  objects: 7,
  bytes: 70,
  missing: 0,
  damaged: 1,
  findings: [{ bucket: 'b', path: 'a', object_id: 'o', blob_id: id, problem: 'damaged' }],
};
const decided = { ...swept, unknown: [] };

const done = (result: unknown): JobState => ({
  state: 'done',
  progress: { done: 1, total: 1 },
  result,
  error: null,
});

/** A directory whose job ends as told, and what was asked for. */
async function offline(job: JobState) {
  const { layout } = await smallLog();
  const asked: JobRequest[] = [];
  const compose: Partial<Compose> = {
    async runJob(config, request, { onProgress }) {
      expect(config.dataDir).toBe(layout.directory);
      asked.push(request);
      for (const count of [1, 2]) onProgress({ done: count, total: 2 });
      return ok(job);
    },
  };
  return { asked, compose, place: ['--data-dir', layout.directory] };
}

describe('on a directory', () => {
  test('sweep prints its figures; --json prints the result', async () => {
    const { asked, compose, place } = await offline(done(swept));
    const { code, out, err } = await runCommand(['blobs', 'sweep', ...place], { compose });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('orphans set aside\t2\n');
    const json = await runCommand(['blobs', 'sweep', '--json', ...place], { compose });
    expect(JSON.parse(json.out)).toEqual(swept);
    expect(asked[0]).toEqual({ kind: 'sweep', options: {} });
  });

  test('missing blobs make sweep exit with 1', async () => {
    const { compose, place } = await offline(done({ ...swept, ok: false, missing: 1 }));
    expect((await runCommand(['blobs', 'sweep', ...place], { compose })).code).toBe(1);
  });

  test('verify lists what is damaged, exits with 1, and hands its rate on', async () => {
    const { asked, compose, place } = await offline(done(verified));
    const argv = ['blobs', 'verify', '--rate', '20MiB', ...place];
    const { code, out } = await runCommand(argv, { compose });
    expect(code).toBe(1);
    expect(out).toContain(`damaged\tb\ta\to\t${id}\n`);
    expect(asked).toEqual([{ kind: 'blobs-verify', options: { rate: '20MiB' } }]);
  });

  test('quarantine list shows each thing and when it may be freed', async () => {
    const entry = { id, kind: 'foreign', path: 'x\u001b[2J', size: 5 };
    const times = { arrived_at: '2026-01-01T00:00:00.000Z', frees_at: '2026-01-02T00:00:00.000Z' };
    const listing = { count: 1, bytes: 5, entries: [{ ...entry, ...times }] };
    const { compose, place } = await offline(done(listing));
    const { code, out } = await runCommand(['blobs', 'quarantine', 'list', ...place], { compose });
    expect(code).toBe(0);
    expect(out).toContain(`${id}\tforeign\t5\t${times.arrived_at}\t${times.frees_at}\t`);
    expect(out).not.toContain('\u001b');
  });

  test.each(['restore', 'purge'])('quarantine %s takes ids, or everything', async (verdict) => {
    const { asked, compose, place } = await offline(done(decided));
    const argv = ['blobs', 'quarantine', verdict];
    expect((await runCommand([...argv, id, ...place], { compose })).code).toBe(0);
    expect((await runCommand([...argv, ...place], { compose })).code).toBe(0);
    const kind = `quarantine-${verdict}`;
    expect(asked).toEqual([
      { kind, options: { ids: [id] } },
      { kind, options: { all: true } },
    ]);
    const wrong = await runCommand([...argv, '../etc', ...place], { compose });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('../etc is no id');
  });

  test('an id that is not in quarantine is named, with exit 1', async () => {
    const { compose, place } = await offline(done({ ...decided, ok: false, unknown: [id] }));
    const argv = ['blobs', 'quarantine', 'purge', id, ...place];
    const { code, err } = await runCommand(argv, { compose });
    expect({ code, err }).toEqual({ code: 1, err: `${id} is not in quarantine\n` });
  });

  test('a bar shows on a terminal only, and goes', async () => {
    const { compose, place } = await offline(done(swept));
    const argv = ['blobs', 'sweep', '--json', ...place];
    const { err } = await runCommand(argv, { compose, isTty: true });
    expect(err).toContain('100 %  2 of 2');
    expect(err.endsWith('\r\u001b[K')).toBe(true);
  });

  test('the first signal cancels the job, the second one ends the command', async () => {
    const { layout } = await smallLog();
    const signals = new Signals();
    const compose: Partial<Compose> = {
      runJob: async (_config, _request, { signal }) => {
        signals.send();
        expect(signal.aborted).toBe(true);
        signals.send();
        return ok({ ...done(null), state: 'cancelled' as const });
      },
    };
    const argv = ['blobs', 'verify', '--data-dir', layout.directory];
    const { code, err } = await runCommand(argv, { compose, signals });
    expect({ code, err }).toEqual({ code: 1, err: 'error: blobs-verify was cancelled.\n' });
    expect(signals.exited).toBe(1);
    expect(signals.listeners.size).toBe(0);
  });

  test('a refused option is wrong use, a failed job is not', async () => {
    const { layout } = await smallLog();
    const argv = ['blobs', 'verify', '--data-dir', layout.directory];
    const refused: Partial<Compose> = {
      runJob: async () => refuse(rejection('InvalidRequest', 'The field "rate": must be bytes')),
    };
    expect(await runCommand(argv, { compose: refused })).toEqual({
      code: 2,
      out: '',
      err: 'error: The field "rate": must be bytes.\n',
    });
    const failed = { ...done(null), state: 'failed' as const, error: 'the system answered EIO' };
    const { code, err } = await runCommand(argv, { compose: { runJob: async () => ok(failed) } });
    expect({ code, err }).toEqual({
      code: 1,
      err: 'error: blobs-verify failed: the system answered EIO.\n',
    });
  });

  test('a held directory says to use --url, and one without a store is not made one', async () => {
    const { layout } = await smallLog();
    const held = () =>
      Promise.reject(new HomeLocked('x is in use by process 7: ask it with --url'));
    const argv = ['blobs', 'sweep', '--data-dir'];
    const outcome = await runCommand([...argv, layout.directory], { compose: { runJob: held } });
    expect(outcome).toMatchObject({ code: 1, err: expect.stringContaining('--url') });
    const empty = await runCommand([...argv, await temporaryDirectory()]);
    expect(empty).toMatchObject({ code: 2, err: expect.stringContaining('holds no log') });
  });
});

/** A server whose job runs for `rounds` questions, or until it is cancelled. */
async function server(result: unknown, rounds: number) {
  const seen: string[] = [];
  let left = rounds;
  const http = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${body}`);
      left -= 1;
      const state = request.method === 'DELETE' ? 'cancelled' : left < 0 ? 'done' : 'running';
      const job = { state, progress: { done: 1, total: 4 }, result, error: null };
      response.end(JSON.stringify(request.method === 'POST' ? { id: 'job-1' } : job));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => {
    http.close();
    http.closeAllConnections();
  });
  const { port } = http.address() as AddressInfo;
  return { seen, place: ['--url', `http://127.0.0.1:${port}`, '--token', 'jwt'] };
}

describe('on a server', () => {
  test('the job is begun, asked after until it is done, and its result printed', async () => {
    const { seen, place } = await server(verified, 3);
    const argv = ['blobs', 'verify', '--rate', '1MiB', '--json', ...place];
    const { code, out } = await runCommand(argv);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual(verified);
    expect(seen).toEqual([
      'POST /storage/v1/admin/jobs {"kind":"blobs-verify","rate":"1MiB"}',
      ...Array(3).fill('GET /storage/v1/admin/jobs/job-1 '),
    ]);
  });

  test('a signal cancels it there', async () => {
    const { seen, place } = await server(swept, 1000);
    const signals = new Signals();
    const running = runCommand(['blobs', 'sweep', ...place], { signals, isTty: true });
    while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
    signals.send();
    const { code, err } = await running;
    expect(code).toBe(1);
    expect(err).toContain('sweep was cancelled');
    expect(seen.at(-1)).toBe('DELETE /storage/v1/admin/jobs/job-1 ');
  });
});

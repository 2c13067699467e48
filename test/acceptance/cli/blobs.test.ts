/** `blobs …` and admin jobs on the build: by hand in the data directory, and beside a running server. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { ask } from '../support/client.ts';
import { type Server, startServer } from '../support/server.ts';
import { makeBucket, put } from '../support/store.ts';
import { service, user } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const token = user('alice');
const orphan = 'ab'.repeat(16);

function blobsOf(dataDir: string): string[] {
  return readdirSync(path.join(dataDir, 'blobs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function placeOrphan(dataDir: string, name = orphan): string {
  const folder = path.join(dataDir, 'blobs', name.slice(0, 2), name.slice(2, 4));
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, name), 'nobody refers to this');
  return path.join(folder, name);
}

function quarantine(dataDir: string): string[] {
  return readdirSync(path.join(dataDir, 'quarantine'));
}

function json(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

describe('on a directory that nobody serves', () => {
  let dataDir: string;
  let at: string[];
  beforeAll(async () => {
    const server = await startServer();
    const bucket = await makeBucket(server);
    // Longer than what lies in packs.
    for (const name of ['a', 'b', 'c']) {
      await put(server, `${bucket}/${name}`, { token, body: name.repeat(100_000) });
    }
    expect((await server.stop()).code).toBe(0);
    dataDir = server.dataDir;
    at = ['--data-dir', dataDir];
  });

  test('sweep sets an orphan aside; it is listed, restored, and purged', async () => {
    const place = placeOrphan(dataDir);
    const swept = await aerostore(['blobs', 'sweep', '--json', ...at]);
    expect(swept.code, swept.stderr).toBe(0);
    expect(json(swept.stdout)).toMatchObject({ ok: true, orphans: 1, missing: 0, rows: 3 });
    expect(existsSync(place)).toBe(false);
    expect(blobsOf(dataDir)).toHaveLength(3);
    const listed = await aerostore(['blobs', 'quarantine', 'list', ...at]);
    expect(listed.stdout).toContain(orphan);
    const restored = await aerostore(['blobs', 'quarantine', 'restore', orphan, ...at]);
    expect(restored.code, restored.stderr).toBe(0);
    expect(readFileSync(place, 'utf8')).toBe('nobody refers to this');
    await aerostore(['blobs', 'sweep', ...at]);
    expect(quarantine(dataDir)).toHaveLength(1);
    const purged = await aerostore(['blobs', 'quarantine', 'purge', '--json', ...at]);
    expect(json(purged.stdout)).toMatchObject({ ok: true, purged: 1 });
    expect(quarantine(dataDir)).toEqual([]);
    const unknown = await aerostore(['blobs', 'quarantine', 'purge', orphan, ...at]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain(orphan);
  });

  test('verify finds what is damaged and what is missing, and exits with 1', async () => {
    const whole = await aerostore(['blobs', 'verify', '--json', ...at]);
    expect(whole.code, whole.stderr).toBe(0);
    expect(json(whole.stdout)).toMatchObject({
      ok: true,
      objects: 3,
      bytes: 300_000,
      findings: [],
    });
    const [damaged = '', missing = ''] = blobsOf(dataDir);
    const kept = [damaged, missing].map((file) => [file, readFileSync(file)] as const);
    const bytes = readFileSync(damaged);
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    writeFileSync(damaged, bytes);
    rmSync(missing);
    const found = await aerostore(['blobs', 'verify', '--rate', '1MiB', '--json', ...at]);
    expect(found.code).toBe(1);
    expect(json(found.stdout)).toMatchObject({ ok: false, missing: 1, damaged: 1 });
    const findings = json(found.stdout).findings as { problem: string; blob_id: string }[];
    expect(Object.fromEntries(findings.map(({ problem, blob_id: id }) => [problem, id]))).toEqual({
      damaged: path.basename(damaged),
      missing: path.basename(missing),
    });
    expect((await aerostore(['blobs', 'sweep', ...at])).code).toBe(1);
    for (const [file, content] of kept) writeFileSync(file, content);
    expect((await aerostore(['blobs', 'verify', ...at])).code).toBe(0);
  });

  test.each([['verify', '--rate', 'fast'], ['quarantine', 'restore', '../x'], ['quarantine']])(
    '%j is wrong use',
    async (...words) => {
      const { code, stderr } = await aerostore(['blobs', ...words, ...at]);
      expect(code).toBe(2);
      expect(stderr).not.toBe('');
    },
  );
});

describe('beside a running server', () => {
  let server: Server;
  let bucket: string;
  let remote: string[];
  beforeAll(async () => {
    server = await startServer({
      env: {
        AEROSTORE_CLEANUP_INTERVAL: '1s',
        AEROSTORE_ORPHAN_GRACE: '2s',
        AEROSTORE_RETENTION: '1s',
      },
    });
    bucket = await makeBucket(server);
    await put(server, `${bucket}/kept`, { token, body: 'kept' });
    remote = ['--url', server.url, '--token', service];
  });
  afterAll(() => server?.kill());

  test('an orphan leaves the blobs by itself, and its bytes are freed after the grace', async () => {
    const place = placeOrphan(server.dataDir);
    await until('the orphan is set aside', () => !existsSync(place));
    await until('the orphan is freed', () => quarantine(server.dataDir).length === 0);
    const status = (await ask(server, '/admin/status', { token: service })).json();
    expect(status.upkeep).toMatchObject({ orphans_found: 1, missing_blobs: 0 });
  });

  test('the bytes of what was overwritten and deleted are freed after the retention', async () => {
    const body = (word: string) => word.repeat(50_000);
    await put(server, `${bucket}/x`, { token, body: body('old') });
    await put(server, `${bucket}/x`, { token, body: body('new') });
    await put(server, `${bucket}/y`, { token, body: body('gone') });
    await ask(server, `/object/${bucket}/y`, { method: 'DELETE', token });
    const before = blobsOf(server.dataDir).length;
    await until('two blobs are freed', () => blobsOf(server.dataDir).length === before - 2, 30_000);
    expect(quarantine(server.dataDir)).toEqual([]);
    const read = await ask(server, `/object/${bucket}/x`, { token });
    expect(read.text()).toBe(body('new'));
  });

  test('the commands work by --url; --data-dir says to use it', async () => {
    const verified = await aerostore(['blobs', 'verify', '--json', ...remote]);
    expect(verified.code, verified.stderr).toBe(0);
    expect(json(verified.stdout)).toMatchObject({ ok: true });
    for (const command of [['sweep'], ['quarantine', 'list'], ['quarantine', 'purge']]) {
      const { code, stderr } = await aerostore(['blobs', ...command, ...remote]);
      expect(code, stderr).toBe(0);
    }
    const held = await aerostore(['blobs', 'sweep', '--data-dir', server.dataDir]);
    expect(held.code).toBe(1);
    expect(held.stderr).toContain('--url');
  });

  test('jobs over HTTP: begun, watched, listed; only by the service', async () => {
    const jobs = (method: string, by: string | undefined, more: object = {}) =>
      ask(server, '/admin/jobs', { method, ...(by === undefined ? {} : { token: by }), ...more });
    expect((await jobs('POST', undefined, { json: { kind: 'sweep' } })).status).toBe(401);
    expect((await jobs('POST', token, { json: { kind: 'sweep' } })).status).toBe(403);
    const wrong = await jobs('POST', service, { json: { kind: 'dance' } });
    expect(wrong.status).toBe(400);
    expect(wrong.text()).toContain('dance');
    const begun = await jobs('POST', service, { json: { kind: 'blobs-verify', rate: '1MiB' } });
    const { id } = begun.json() as { id: string };
    const job = await until('the job is done', async () => {
      const found = (await ask(server, `/admin/jobs/${id}`, { token: service })).json();
      return found.state === 'done' && found;
    });
    expect(job).toMatchObject({ kind: 'blobs-verify', result: { ok: true }, error: null });
    const listed = (await jobs('GET', service)).json() as unknown as { id: string }[];
    expect(listed.map((each) => each.id)).toContain(id);
    expect((await ask(server, '/admin/jobs/no-such', { token: service })).status).toBe(404);
  });
});

import { describe, expect, it } from 'vitest';
import type { BlobId } from '../../../src/domain/names.ts';
import {
  createBucket,
  dataDirectory,
  get,
  hourMs,
  openRig,
  put,
  type Rig,
  runJob,
  service,
  user,
} from '../../support/rig.ts';
import {
  blobPath,
  placeOrphan,
  placeStray,
  publishedIn,
  quarantinedIn,
} from '../../support/stray.ts';

const alice = user('alice');
const orphan = 'abcd'.repeat(8) as BlobId;

async function rigWith(...paths: string[]): Promise<Rig> {
  const rig = await openRig({ packUpToBytes: 0 });
  await createBucket(rig, alice, 'b');
  for (const path of paths) await store(rig, path, path);
  return rig;
}

async function store(rig: Rig, path: string, text: string): Promise<BlobId> {
  const stored = await put(rig, alice, { bucket: 'b', path, bytes: Buffer.from(text) });
  if (!stored.ok) throw new Error(stored.rejection.code);
  return stored.value.object.blob_id;
}

async function upkeepOf(rig: Rig) {
  const status = await rig.store.service.admin.status(service);
  if (!status.ok) throw new Error(status.rejection.code);
  return status.value.upkeep;
}

describe('an orphan', () => {
  it('leaves the blobs for quarantine, and nothing else does', async () => {
    const rig = await rigWith('a', 'c');
    await store(rig, 'a', 'again');
    const before = publishedIn(rig).sort();
    expect(before).toHaveLength(3);
    await placeOrphan(rig, orphan);
    expect(await runJob(rig, 'sweep')).toMatchObject({
      ok: true,
      looked_at: 4,
      orphans: 1,
      quarantined: 1,
      missing: 0,
    });
    expect(publishedIn(rig).sort()).toEqual(before);
    expect(quarantinedIn(rig)).toHaveLength(1);
    expect(await runJob(rig, 'sweep')).toMatchObject({ orphans: 0, quarantined: 1 });
  });

  it('is freed once its grace has passed since it came to quarantine, and not before', async () => {
    const rig = await rigWith('a');
    await placeOrphan(rig, orphan, 'twelve bytes');
    rig.advance(1000 * hourMs);
    await runJob(rig, 'sweep');
    rig.advance(23 * hourMs);
    expect(await runJob(rig, 'sweep')).toMatchObject({ purged: 0, quarantined_bytes: 12 });
    rig.advance(hourMs);
    expect(await runJob(rig, 'sweep')).toMatchObject({ purged: 1, purged_bytes: 12 });
    expect(quarantinedIn(rig)).toEqual([]);
    expect(await get(rig, alice, { bucket: 'b', path: 'a' })).toEqual(Buffer.from('a'));
  });

  it.each(['note.txt', 'ab/note.txt', 'ab/cd/note.txt', 'other/place'])(
    'may have a foreign name: %s',
    async (path) => {
      const rig = await rigWith('a');
      await placeStray(rig, path);
      expect(await runJob(rig, 'sweep')).toMatchObject({ orphans: 1, quarantined: 1 });
      expect(await runJob(rig, 'quarantine-list')).toMatchObject({
        entries: [{ kind: 'foreign', path: path.startsWith('other') ? 'other' : path }],
      });
    },
  );

  it('shows in the status', async () => {
    const rig = await rigWith('a');
    expect(await upkeepOf(rig)).toMatchObject({ last_sweep_at: null, orphans: null });
    await placeOrphan(rig, orphan);
    await runJob(rig, 'sweep');
    expect(await upkeepOf(rig)).toMatchObject({
      last_sweep_at: expect.stringMatching(/^2026-/),
      orphans: 1,
      orphans_found: 1,
      quarantined: 1,
      quarantined_bytes: 5,
      missing_blobs: 0,
    });
    await runJob(rig, 'sweep');
    expect(await upkeepOf(rig)).toMatchObject({ orphans: 0, orphans_found: 1 });
  });
});

describe('what lies in staging', () => {
  it('is left to the uploads and to the start', async () => {
    const rig = await rigWith('a');
    const { files } = rig.disk;
    const path = `${dataDirectory}/staging/${orphan}`;
    await (await files.open(path, 'create')).close();
    rig.advance(1000 * hourMs);
    await runJob(rig, 'sweep');
    expect(rig.disk.peek(path)).toBeDefined();
    await rig.kill();
    await rig.open();
    expect(rig.disk.peek(path)).toBeUndefined();
  });
});

describe('an object without its blob', () => {
  it('is reported and shows in the health until a sweep finds the blob again', async () => {
    const rig = await rigWith('a', 'c');
    const blobId = await store(rig, 'x/y', 'lost');
    await rig.store.settled();
    const kept = rig.disk.peek(blobPath(blobId));
    await rig.disk.files.rename(blobPath(blobId), `${dataDirectory}/elsewhere`);
    expect(await runJob(rig, 'sweep')).toMatchObject({
      ok: false,
      rows: 3,
      missing: 1,
      findings: [{ bucket: 'b', path: 'x/y', blob_id: blobId, problem: 'missing' }],
    });
    expect(rig.store.service.health()).toMatchObject({
      status: 'degraded',
      reasons: ['objects without their bytes'],
    });
    expect(await upkeepOf(rig)).toMatchObject({ missing_blobs: 1 });
    expect(rig.alarms.join()).toContain('an object has lost its bytes');
    expect(kept).toBeDefined();
    await rig.disk.files.rename(`${dataDirectory}/elsewhere`, blobPath(blobId));
    expect(await runJob(rig, 'sweep')).toMatchObject({ ok: true, missing: 0 });
    expect(rig.store.service.health().status).toBe('ready');
  });

  it('is forgotten when the object goes', async () => {
    const rig = await rigWith('a');
    const blobId = await store(rig, 'x', 'lost');
    await rig.disk.files.remove(blobPath(blobId));
    await runJob(rig, 'sweep');
    expect(rig.store.service.health().status).toBe('degraded');
    await store(rig, 'x', 'again');
    await runJob(rig, 'sweep');
    expect(rig.store.service.health().status).toBe('ready');
  });

  it('gets it back from quarantine, however it came there', async () => {
    const rig = await rigWith();
    const blobId = await store(rig, 'a', 'in use');
    await rig.disk.files.rename(blobPath(blobId), `${dataDirectory}/quarantine/${blobId}.1000`);
    // Long past its grace: what a row knows of is never freed.
    expect(await runJob(rig, 'sweep')).toMatchObject({
      ok: true,
      restored: 1,
      purged: 0,
      missing: 0,
    });
    expect(await get(rig, alice, { bucket: 'b', path: 'a' })).toEqual(Buffer.from('in use'));
  });
});

describe('the quarantine on demand', () => {
  async function quarantined() {
    const rig = await rigWith('a');
    await placeOrphan(rig, orphan);
    await placeStray(rig, 'note.txt');
    await runJob(rig, 'sweep');
    const { entries } = await runJob(rig, 'quarantine-list');
    const ids = (entries as { id: string; kind: string }[])
      .sort((left, right) => (left.kind < right.kind ? -1 : 1))
      .map(({ id }) => id);
    return { rig, ids };
  }

  it('lists what is there, since when and until when', async () => {
    const { rig } = await quarantined();
    const { count, bytes: total, entries } = await runJob(rig, 'quarantine-list');
    expect({ count, total }).toEqual({ count: 2, total: 10 });
    const [blob] = (entries as { id: string; arrived_at: string; frees_at: string }[]).filter(
      ({ id }) => id === orphan,
    );
    const grace = Date.parse(blob?.frees_at ?? '') - Date.parse(blob?.arrived_at ?? '');
    expect(grace).toBe(24 * hourMs);
  });

  it('restores what is named, where it was', async () => {
    const { rig, ids } = await quarantined();
    expect(await runJob(rig, 'quarantine-restore', { ids: [orphan] })).toMatchObject({
      ok: true,
      restored: 1,
      quarantined: 1,
    });
    expect(publishedIn(rig)).toContain(orphan);
    expect(await runJob(rig, 'quarantine-restore', { ids: [ids[1] ?? ''] })).toMatchObject({
      ok: true,
      restored: 1,
    });
    expect(rig.disk.peek(`${dataDirectory}/blobs/note.txt`)).toEqual(Buffer.from('stray'));
  });

  it('purges what is named, or all, before its time', async () => {
    const { rig } = await quarantined();
    expect(await runJob(rig, 'quarantine-purge', { ids: [orphan] })).toMatchObject({ purged: 1 });
    expect(quarantinedIn(rig)).toHaveLength(1);
    expect(await runJob(rig, 'quarantine-purge', { all: true })).toMatchObject({ purged: 1 });
    expect(quarantinedIn(rig)).toEqual([]);
  });

  it('says which ids it does not know', async () => {
    const { rig } = await quarantined();
    const unknown = 'f'.repeat(32);
    for (const kind of ['quarantine-restore', 'quarantine-purge']) {
      expect(await runJob(rig, kind, { ids: [unknown] })).toMatchObject({
        ok: false,
        unknown: [unknown],
        purged: 0,
        restored: 0,
      });
    }
  });

  it('never frees what a row knows of', async () => {
    const rig = await rigWith();
    const blobId = await store(rig, 'a', 'in use');
    await rig.disk.files.rename(blobPath(blobId), `${dataDirectory}/quarantine/${blobId}.1000`);
    expect(await runJob(rig, 'quarantine-purge', { all: true })).toMatchObject({
      purged: 0,
      restored: 1,
    });
    expect(await get(rig, alice, { bucket: 'b', path: 'a' })).toEqual(Buffer.from('in use'));
  });
});

describe('the check of all bytes', () => {
  it('finds what is missing and what is damaged, by object, and mends what it finds whole', async () => {
    const rig = await rigWith('whole');
    const damaged = await store(rig, 'damaged', 'damaged');
    const short = await store(rig, 'short', 'short');
    const missing = await store(rig, 'missing', 'missing');
    await rig.store.settled();
    rig.disk.poke(blobPath(damaged), Buffer.from('Damaged'));
    rig.disk.poke(blobPath(short), Buffer.from('shor'));
    await rig.disk.files.rename(blobPath(missing), `${dataDirectory}/elsewhere`);
    const report = await runJob(rig, 'blobs-verify');
    expect(report).toMatchObject({ ok: false, objects: 4, missing: 1, damaged: 2 });
    const found = (report.findings as { path: string; problem: string }[]).map(
      ({ path, problem }) => [path, problem],
    );
    expect(found.sort()).toEqual([
      ['damaged', 'damaged'],
      ['missing', 'missing'],
      ['short', 'damaged'],
    ]);
    expect(rig.store.service.health().reasons).toEqual([
      'objects with damaged bytes',
      'objects without their bytes',
    ]);
    await rig.disk.files.rename(`${dataDirectory}/elsewhere`, blobPath(missing));
    rig.disk.poke(blobPath(damaged), Buffer.from('damaged'));
    rig.disk.poke(blobPath(short), Buffer.from('short'));
    // A sweep looks at no bytes, so it may not call damaged ones whole.
    await runJob(rig, 'sweep');
    expect(rig.store.service.health().reasons).toEqual(['objects with damaged bytes']);
    expect(await runJob(rig, 'blobs-verify')).toMatchObject({ ok: true, findings: [] });
    expect(rig.store.service.health().status).toBe('ready');
  });

  it('goes on after a blob that can not be read', async () => {
    const rig = await rigWith('a', 'c');
    const blobId = await store(rig, 'b', 'unreadable');
    rig.disk.inject = ({ operation, path }) =>
      operation === 'read' && path === blobPath(blobId)
        ? { kind: 'error', code: 'EIO' }
        : undefined;
    expect(await runJob(rig, 'blobs-verify')).toMatchObject({
      objects: 3,
      damaged: 1,
      findings: [{ path: 'b', problem: 'unreadable', detail: "its blob can't be read: EIO" }],
    });
  });

  it('reads no faster than it is told', async () => {
    const waits: number[] = [];
    const rig = await openRig({
      store: {
        pause: async (ms) => {
          waits.push(ms);
          rig.advance(ms);
        },
      },
    });
    await createBucket(rig, alice, 'b');
    for (const path of ['1', '2', '3', '4']) {
      await put(rig, alice, { bucket: 'b', path, bytes: Buffer.alloc(1000, path) });
    }
    const start = rig.advance(0);
    await runJob(rig, 'blobs-verify', { rate: 1000 });
    expect(waits).toHaveLength(4);
    expect(rig.advance(0) - start).toBeGreaterThanOrEqual(3990);
  });
});
